"""Blocks that say that their output may lie where an input lay: each element needs no other element of that input."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from hwblocks.graph.registry import block_classes


def cases():
    """Every case of the blocks' tables whose block may write over an input, with that input's position."""
    for path in sorted(Path(__file__).parent.glob("tables*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, rows in module.CASES.items():
            for i, (block, inputs, _) in enumerate(rows):
                for position in block.overwrites:
                    if taken_over(block, inputs, position):
                        yield pytest.param(block, inputs, position, id=f"{name}-{i}-{position}")


def taken_over(block, inputs, position):
    """True where the input has the output's elements: one that is broadcast is never written over."""
    if position >= len(inputs) or inputs[position] is None:
        return False
    return np.size(block(*inputs)) == np.size(inputs[position]) > 1


CASES = list(cases())


@pytest.mark.parametrize(("block", "inputs", "position"), CASES)
def test_an_element_changes_no_other(block, inputs, position):
    inputs = [None if a is None else np.asarray(a) for a in inputs]
    before = np.asarray(block(*inputs))
    x = inputs[position]
    for at in sorted({0, x.size // 2, x.size - 1}):
        changed = x.copy()
        others = [v for v in x.reshape(-1) if v != x.reshape(-1)[at]]
        changed.reshape(-1)[at] = others[0] if others else x.reshape(-1)[at]
        after = np.asarray(block(*inputs[:position], changed, *inputs[position + 1 :]))
        same = (after == before) | (np.isnan(after) & np.isnan(before)) if after.dtype.kind == "f" else after == before
        assert set(np.flatnonzero(~same.reshape(-1))) <= {at}


def test_the_blocks_that_may_are_those_of_one_element_each():
    said = {name for name, cls in block_classes().items() if cls.overwrites}
    assert {"ReLU", "Sigmoid", "Add", "Mul", "Reshape", "BatchNorm", "PReLU", "Quantize", "Rescale", "Less"} <= said
    assert not said & {"Softmax", "Conv2d", "Linear", "MaxPool2d", "Transpose", "LayerNorm", "Concat", "CumSum"}
