"""Analyses: comparison of float and integer runs, explanations of single elements."""
