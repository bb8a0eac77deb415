"""ONNX operators: the table of all rules, and which operators are evaluated when their inputs are constants."""

from __future__ import annotations

from hwblocks.importers import (
    onnx_attention,
    onnx_control,
    onnx_elements,
    onnx_layers,
    onnx_linear_attention,
    onnx_logic,
    onnx_moves,
    onnx_norms,
    onnx_picks,
    onnx_products,
    onnx_recurrent,
    onnx_reductions,
    onnx_resize,
    onnx_scan,
    onnx_sequences,
    onnx_shapes,
    onnx_windows,
)
from hwblocks.importers.onnx_rule import Rule

FAMILIES = (
    *(onnx_attention, onnx_control, onnx_elements, onnx_layers, onnx_linear_attention, onnx_logic),
    *(onnx_moves, onnx_norms, onnx_picks, onnx_products, onnx_recurrent, onnx_reductions, onnx_resize),
    *(onnx_scan, onnx_sequences, onnx_shapes, onnx_windows),
)

OPERATORS: dict[str, Rule] = {name: rule for family in FAMILIES for name, rule in family.RULES.items()}

# Operators that are evaluated when all their inputs are constants, beside those above.
FOLDED = frozenset({*(name for name, rule in OPERATORS.items() if rule.folds), "Constant", "ReduceProd"})
