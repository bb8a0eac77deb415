"""The memory of a graph: options of sharing and order, and files of buffers."""
