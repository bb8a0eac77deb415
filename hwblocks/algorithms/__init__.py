"""Algorithms: named integer meanings of blocks, one formula family a file."""
