"""What a kernel found in the data, as the package's own errors."""

from __future__ import annotations

from hwblocks.errors import HwblocksError, InputError, SimulationError

FOUND = (FloatingPointError, IndexError, ZeroDivisionError)  # what the core raises for the data's sake


def failure(error: Exception) -> HwblocksError:
    """A NaN at a float edge is the input's fault; an index or a divisor came from the model's own arithmetic."""
    if isinstance(error, FloatingPointError):
        return InputError(str(error))
    return SimulationError(f"{error}; engine='definition' names the node")
