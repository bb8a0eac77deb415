"""Blocks made of blocks; each stays one named group in a graph."""
