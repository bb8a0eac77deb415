"""Simulation: planning, exact execution, traces, threads."""
