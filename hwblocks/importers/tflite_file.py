"""Reading .tflite files: every offset is checked before it is followed, every size before memory is taken."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwblocks.errors import FileFormatError, UnsupportedOperatorError
from hwblocks.importers.tflite_schema import (
    ACTIVATIONS,
    KERNELS,
    MIRRORS,
    OPERATOR_NAMES,
    OPTIONS,
    OPTIONS_2,
    PADDINGS,
    TENSOR_TYPES,
)

Array = np.ndarray[Any, Any]

IDENTIFIER = b"TFL3"
CUSTOM = "CUSTOM"
PACKED_BITS = {"int4": 4, "int2": 2}
NUMBERS = (
    "float16",
    "float32",
    "float64",
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
)
SCALARS = {"bool": "<?", "i8": "<b", "u8": "<B", "i32": "<i", "u32": "<I", "i64": "<q", "u64": "<Q", "f32": "<f"}
VECTORS = {"i32s": "<i4", "i64s": "<i8", "u8s": "u1", "f32s": "<f4"}
ENUMS = {"padding": PADDINGS, "activation": ACTIVATIONS, "kernel": KERNELS, "mirror": MIRRORS}
LARGEST_RANK = 8


@dataclass(frozen=True, eq=False)
class TfliteTensor:
    """A tensor of the file. value: the constant's codes, unpacked (4- and 2-bit codes one a byte), or None.

    scale, zero_point: empty where the file quantizes nothing, else one for all or one per entry of the dimension.
    """

    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...] | None
    type: str
    value: Array | None
    is_variable: bool
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    quantized_dimension: int
    index: int


@dataclass(frozen=True, eq=False)
class TfliteOperator:
    """An operator: its name ("CONV_2D", "CUSTOM:name"), tensors by index (−1: absent), and options with defaults."""

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...]
    options: dict[str, Any]
    custom_options: bytes
    index: int


@dataclass(frozen=True, eq=False)
class TfliteSubgraph:
    """A subgraph: its tensors, inputs, outputs and operators in order."""

    name: str
    tensors: tuple[TfliteTensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[TfliteOperator, ...]


@dataclass(frozen=True, eq=False)
class TfliteModel:
    """A whole file."""

    version: int
    description: str
    subgraphs: tuple[TfliteSubgraph, ...]


class Table:
    """A flatbuffer table: fields by slot number, each with a default."""

    def __init__(self, file: TfliteFile, position: int) -> None:
        self.file, self.position = file, position
        self.vtable = position - file.scalar("<i", position)
        self.size = file.scalar("<H", self.vtable)
        if self.size < 4 or self.size % 2:
            raise file.damaged(f"a table at byte {position} has a field list of {self.size} bytes")

    def at(self, slot: int) -> int:
        """Where a field lies; 0 when it is absent."""
        entry = 4 + 2 * slot
        if entry + 2 > self.size:
            return 0
        offset = int(self.file.scalar("<H", self.vtable + entry))
        return self.position + offset if offset else 0

    def scalar(self, slot: int, kind: str, default: Any = 0) -> Any:
        """A number."""
        at = self.at(slot)
        return self.file.scalar(SCALARS[kind], at) if at else default

    def target(self, slot: int) -> int:
        """Where an offset field points; 0 when it is absent."""
        at = self.at(slot)
        return at + int(self.file.scalar("<I", at)) if at else 0

    def table(self, slot: int) -> Table | None:
        """Another table."""
        target = self.target(slot)
        return Table(self.file, target) if target else None

    def tables(self, slot: int) -> list[Table]:
        """A vector of tables."""
        return [Table(self.file, at + self.file.scalar("<I", at)) for at in self._entries(slot)]

    def _entries(self, slot: int) -> range:
        start = self.target(slot)
        if not start:
            return range(0)
        count = self.file.counted(start, 4)
        return range(start + 4, start + 4 + 4 * count, 4)

    def vector(self, slot: int, dtype: str) -> Array:
        """A vector of numbers (a read-only view of the file)."""
        start, kind = self.target(slot), np.dtype(dtype)
        if not start:
            return np.zeros(0, kind)
        return np.frombuffer(self.file.data, kind, self.file.counted(start, kind.itemsize), start + 4)

    def text(self, slot: int) -> str:
        """A string."""
        return self.vector(slot, "u1").tobytes().decode("utf-8", "replace")


class TfliteFile:
    """The bytes of a file with checked access, and a budget of steps so that the work stays within the file's size."""

    def __init__(self, data: bytes, where: str) -> None:
        self.data, self.where = data, where
        self.steps = 16 * len(data) + 4096

    def damaged(self, problem: str) -> FileFormatError:
        """The error for a file that contradicts itself."""
        return FileFormatError(f"{self.where}: is not a whole TFLite file: {problem}; get the file again")

    def scalar(self, form: str, at: int) -> Any:
        """A number at a byte. Errors: FileFormatError outside the file, or when the file sends readers in circles."""
        self.spend(1)
        if at < 0 or at + struct.calcsize(form) > len(self.data):
            raise self.damaged(f"an offset leads to byte {at} of {len(self.data)}")
        return struct.unpack_from(form, self.data, at)[0]

    def counted(self, start: int, size: int) -> int:
        """The length of a vector whose entries of `size` bytes all lie in the file."""
        count = int(self.scalar("<I", start))
        if start + 4 + count * size > len(self.data):
            raise self.damaged(f"a list of {count} entries at byte {start} is longer than the file")
        self.spend(count * size // 64)
        return count

    def spend(self, steps: int) -> None:
        """Take steps from the budget."""
        self.steps -= steps
        if self.steps < 0:
            raise self.damaged("its tables refer to each other again and again")


def read_tflite(data: bytes, where: str) -> TfliteModel:
    """The model of a file's bytes. Errors: FileFormatError for anything that is not a whole TFLite file."""
    if len(data) < 8 or data[4:8] != IDENTIFIER:
        raise FileFormatError(
            f"{where}: is not a TFLite file (no TFL3 at byte 4); it may be cut short or of another kind"
        )
    file = TfliteFile(data, where)
    root = Table(file, int(file.scalar("<I", 0)))
    codes = [_operator_code(file, entry) for entry in root.tables(1)]
    buffers = [_buffer(file, entry) for entry in root.tables(4)]
    subgraphs = tuple(_subgraph(file, entry, codes, buffers) for entry in root.tables(2))
    if not subgraphs:
        raise file.damaged("it holds no subgraph")
    for subgraph in subgraphs:
        for op in subgraph.operators:
            _check_calls(file, op, len(subgraphs))
    return TfliteModel(int(root.scalar(0, "u32")), root.text(3), subgraphs)


def _check_calls(file: TfliteFile, op: TfliteOperator, count: int) -> None:
    for key, index in op.options.items():
        if key.endswith("subgraph_index") and not 0 <= index < count:
            raise file.damaged(f"{op.name} (operator {op.index}) calls subgraph {index} of {count}")


def _operator_code(file: TfliteFile, table: Table) -> tuple[str, int]:
    """(name, version)."""
    number = max(table.scalar(0, "i8"), table.scalar(3, "i32"))
    if not 0 <= number < len(OPERATOR_NAMES):
        raise file.damaged(f"operator number {number} is not one of {len(OPERATOR_NAMES)}")
    name = OPERATOR_NAMES[number]
    return (f"{CUSTOM}:{table.text(1)}" if name == CUSTOM else name), int(table.scalar(2, "i32", 1))


def _buffer(file: TfliteFile, table: Table) -> Array:
    """The bytes of a constant; empty for none."""
    data = table.vector(0, "u1")
    offset, size = int(table.scalar(1, "u64")), int(table.scalar(2, "u64"))
    if data.size or offset <= 1:
        return data
    if offset + size > len(file.data):
        raise file.damaged(f"a buffer of {size} bytes at byte {offset} is longer than the file")
    return np.frombuffer(file.data, np.uint8, size, offset)


def _subgraph(file: TfliteFile, table: Table, codes: list[tuple[str, int]], buffers: list[Array]) -> TfliteSubgraph:
    tensors = tuple(_tensor(file, entry, i, buffers) for i, entry in enumerate(table.tables(0)))
    operators = tuple(_operator(file, entry, i, codes, len(tensors)) for i, entry in enumerate(table.tables(3)))
    ends = [_indices(file, table.vector(slot, "<i4"), len(tensors), "a subgraph", 0) for slot in (1, 2)]
    return TfliteSubgraph(table.text(4), tensors, ends[0], ends[1], operators)


def _indices(file: TfliteFile, values: Array, count: int, who: str, least: int = -1) -> tuple[int, ...]:
    """Tensor numbers, all of them there."""
    if values.size and not (least <= int(values.min()) and int(values.max()) < count):
        raise file.damaged(f"{who} names tensor {int(values.max())} or {int(values.min())} of {count}")
    return tuple(int(v) for v in values)


def _operator(file: TfliteFile, table: Table, index: int, codes: list[tuple[str, int]], count: int) -> TfliteOperator:
    number = int(table.scalar(0, "u32"))
    if number >= len(codes):
        raise file.damaged(f"operator {index} has code {number} of {len(codes)}")
    name, version = codes[number]
    who = f"{name} (operator {index})"
    tensors = [_indices(file, table.vector(slot, "<i4"), count, who) for slot in (1, 2, 8)]
    if min(tensors[1], default=0) < 0:
        raise file.damaged(f"{who} has an output without a tensor")
    options = _options(file, OPTIONS.get(int(table.scalar(3, "u8")), ""), table.table(4))
    options |= _options(file, OPTIONS_2.get(int(table.scalar(11, "u8")), ""), table.table(12))
    custom = table.vector(5, "u1").tobytes()
    return TfliteOperator(name, version, tensors[0], tensors[1], tensors[2], options, custom, index)


def _options(file: TfliteFile, fields: str, table: Table | None) -> dict[str, Any]:
    """The options of a table by name, defaults filled in."""
    options: dict[str, Any] = {}
    for slot, field in enumerate(fields.split() if table is not None else ()):
        assert table is not None
        name, kind = field.split("=")[0].split(":")
        number, dot, rest = name.partition(".")
        at, name = (int(number), rest) if dot else (slot, name)
        options[name] = _option(file, table, at, kind, field.partition("=")[2])
    return options


def _option(file: TfliteFile, table: Table, slot: int, kind: str, default: str) -> Any:
    if kind == "str":
        return table.text(slot)
    if kind in VECTORS:
        return tuple(table.vector(slot, VECTORS[kind]).tolist())
    if kind in ENUMS:
        number = int(table.scalar(slot, "i8"))
        if not 0 <= number < len(ENUMS[kind]):
            raise file.damaged(f"an option of kind {kind} is {number}, not one of {', '.join(ENUMS[kind])}")
        return ENUMS[kind][number]
    number = int(default or 0)
    return table.scalar(slot, kind, bool(number) if kind == "bool" else float(number) if kind == "f32" else number)


def _tensor(file: TfliteFile, table: Table, index: int, buffers: list[Array]) -> TfliteTensor:
    name, number, buffer = table.text(3), int(table.scalar(1, "i8")), int(table.scalar(2, "u32"))
    who = f"tensor {name or index!r}"
    if not 0 <= number < len(TENSOR_TYPES):
        raise file.damaged(f"{who} has type {number}, not one of {len(TENSOR_TYPES)}")
    if buffer >= len(buffers):
        raise file.damaged(f"{who} lies in buffer {buffer} of {len(buffers)}")
    if table.target(6):
        raise UnsupportedOperatorError(f"{file.where}: {who} is stored sparse; convert the model with dense weights")
    variable = bool(table.scalar(5, "bool", False))
    if variable and buffers[buffer].size:
        raise file.damaged(f"{who} is a variable and a constant at once")
    shape = _shape(file, table.vector(0, "<i4"), who)
    signature = table.vector(7, "<i4")
    kind = TENSOR_TYPES[number]
    scale, zero, dimension = _quantization(file, table.table(4), shape, who)
    return TfliteTensor(
        name,
        shape,
        tuple(int(s) for s in signature) if signature.size else None,
        kind,
        _value(file, buffers[buffer], kind, shape, who) if buffer else None,
        variable,
        scale,
        zero,
        dimension,
        index,
    )


def _shape(file: TfliteFile, sizes: Array, who: str) -> tuple[int, ...]:
    if sizes.size > LARGEST_RANK or (sizes.size and int(sizes.min()) < 0):
        raise file.damaged(f"{who} has shape {sizes[:9].tolist()}; at most {LARGEST_RANK} axes of known size")
    return tuple(int(s) for s in sizes)


def _value(file: TfliteFile, data: Array, kind: str, shape: tuple[int, ...], who: str) -> Array | None:
    """The constant of a tensor, or None for an empty buffer and for types without numbers."""
    if not data.size or (kind not in NUMBERS and kind not in PACKED_BITS):
        return None
    count = 1
    for size in shape:
        count *= size
    bits = PACKED_BITS.get(kind) or 8 * np.dtype(kind).itemsize
    needed = -(-count * bits // 8)
    if needed != data.size:
        raise file.damaged(f"{who} of shape {shape} {kind} needs {needed} bytes, its buffer holds {data.size}")
    value = _unpacked(data, bits, count) if kind in PACKED_BITS else data.view(np.dtype(kind).newbyteorder("<"))
    value = value.astype(value.dtype.newbyteorder("=")).reshape(shape)
    value.setflags(write=False)
    return value


def _unpacked(data: Array, bits: int, count: int) -> Array:
    """Two's-complement codes of 4 or 2 bits, low bits first, as int8."""
    parts = [(data >> shift) & ((1 << bits) - 1) for shift in range(0, 8, bits)]
    codes = np.stack(parts, axis=-1).ravel()[:count].astype(np.int8)
    return np.where(codes >= 1 << (bits - 1), codes - (1 << bits), codes).astype(np.int8)


def _quantization(
    file: TfliteFile, table: Table | None, shape: tuple[int, ...], who: str
) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    """(scales, zero points, dimension); empty where nothing is quantized."""
    if table is None:
        return (), (), 0
    scale, zero = table.vector(2, "<f4"), table.vector(3, "<i8")
    dimension = int(table.scalar(6, "i32"))
    if not scale.size or (scale.size == 1 and not scale[0]):
        return (), (), 0
    if zero.size not in (0, 1, scale.size):
        raise file.damaged(f"{who} has {scale.size} scales but {zero.size} zero points")
    if not bool(np.all(np.isfinite(scale) & (scale > 0))):
        raise file.damaged(f"{who} has a scale that is not a finite number above 0")
    if scale.size > 1:
        dimension = _dimension(file, dimension, int(scale.size), shape, who)
    zeros = np.broadcast_to(zero if zero.size else np.zeros(1, np.int64), scale.shape)
    return tuple(float(s) for s in scale), tuple(int(z) for z in zeros), dimension


def _dimension(file: TfliteFile, dimension: int, count: int, shape: tuple[int, ...], who: str) -> int:
    """The axis that the scales run along; files exist whose vectors name an axis that they do not have."""
    if len(shape) == 1 and shape[0] == count:
        return 0
    if not 0 <= dimension < len(shape) or shape[dimension] != count:
        raise file.damaged(f"{who} of shape {shape} has {count} scales along axis {dimension}")
    return dimension
