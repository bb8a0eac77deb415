"""The building blocks: one file per formula family, discovered, not listed."""
