"""Targets: accelerators and energy tables as data files."""
