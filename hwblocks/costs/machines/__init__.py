"""Machines: one kind of target each, from the loops of a layer to cycles and bytes."""
