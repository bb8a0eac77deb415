"""Graphs of blocks: tensors, nodes, shapes, work, memory, rewriting and files."""
