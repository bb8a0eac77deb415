"""State: a value that a graph keeps from one sample to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class State:
    """One kept value: `tensor` holds it while a sample is computed, `next` names the tensor that it becomes then.

    initial: the stored codes it starts from [*shape], the zero point's code unless the model says otherwise.
    Nodes only read and make tensors; so the order in which a file reads and writes its variables is in the names.
    """

    name: str
    tensor: str
    next: str
    initial: np.ndarray[Any, Any]
