"""Numbers: formats, casts, rounding, overflow, requantization, accumulators, tables."""
