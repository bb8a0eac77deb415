"""Costs: operations, memory, traffic, cycles and energy of a graph, for one sample."""
