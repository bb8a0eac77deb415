"""Making a .tflite file tell all its tensors: a copy whose list of outputs names every tensor that an operator makes.

Runtimes without access to inner tensors (TFLite-Micro, delegates) then compute the same file and hand all of them out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from flatbuffers import number_types
from flatbuffers.table import Table

# Field numbers of the schema's tables: Model, SubGraph, Tensor, Operator.
SUBGRAPHS, TENSORS, OUTPUTS, OPERATORS = 2, 0, 2, 3
TENSOR_SHAPE, TENSOR_TYPE, TENSOR_NAME, TENSOR_VARIABLE, OPERATOR_OUTPUTS = 0, 1, 3, 5, 2
READABLE = (0, 2, 3, 4, 6, 7, 9)  # float32, int32, uint8, int64, bool, int16, int8


def with_all_outputs(data: bytes) -> tuple[bytes, list[str]]:
    """(a copy of the file with more outputs, the names of all outputs in order: the file's own come first)."""
    graph = main_subgraph(data)
    own = list(numbers(graph, OUTPUTS))
    tensors = list(tables(graph, TENSORS))
    made = dict.fromkeys(i for op in tables(graph, OPERATORS) for i in numbers(op, OPERATOR_OUTPUTS))
    names = [text(tensor, TENSOR_NAME) for tensor in tensors]
    more = [i for i in made if i not in own and is_readable(tensors[i]) and names.count(names[i]) == 1]
    copy = with_outputs(data, graph, [*own, *more])
    return copy, [names[i] for i in (*own, *more)]


def with_outputs(data: bytes, graph: Table, indices: list[int]) -> bytes:
    """The file with another list of outputs: written at the end, and the field pointed there."""
    field = graph.Pos + graph.Offset(4 + 2 * OUTPUTS)
    padded = bytearray(data) + bytes(-len(data) % 4)
    struct.pack_into("<I", padded, field, len(padded) - field)
    return bytes(padded) + struct.pack(f"<I{len(indices)}i", len(indices), *indices)


def main_subgraph(data: bytes) -> Table:
    """The first subgraph of a file."""
    root = Table(bytearray(data), struct.unpack_from("<I", data)[0])
    return next(tables(root, SUBGRAPHS))


def tables(table: Table, field: int) -> Iterator[Table]:
    """The tables of a vector field."""
    offset = table.Offset(4 + 2 * field)
    if offset:
        start = table.Vector(offset)
        for i in range(table.VectorLen(offset)):
            yield Table(table.Bytes, table.Indirect(start + 4 * i))


def numbers(table: Table, field: int) -> Iterator[int]:
    """The int32 numbers of a vector field."""
    offset = table.Offset(4 + 2 * field)
    if offset:
        start = table.Vector(offset)
        for i in range(table.VectorLen(offset)):
            yield int(table.Get(number_types.Int32Flags, start + 4 * i))


def text(table: Table, field: int) -> str:
    """A string field."""
    offset = table.Offset(4 + 2 * field)
    return bytes(table.String(table.Pos + offset)).decode("utf-8", "replace") if offset else ""


def is_readable(tensor: Table) -> bool:
    """True for numbers that are no state: those have buffers of their own."""

    def small(field: int, flags: Any) -> int:
        offset = tensor.Offset(4 + 2 * field)
        return int(tensor.Get(flags, tensor.Pos + offset)) if offset else 0

    known = all(size >= 0 for size in numbers(tensor, TENSOR_SHAPE))
    is_state = bool(small(TENSOR_VARIABLE, number_types.BoolFlags))
    return known and not is_state and small(TENSOR_TYPE, number_types.Int8Flags) in READABLE
