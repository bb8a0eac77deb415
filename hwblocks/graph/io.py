"""`.hwb` files: a zip of JSON and npz, versioned, without pickle; the same graph always gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from hwblocks.errors import FileFormatError, HwblocksError
from hwblocks.files import write_atomically
from hwblocks.graph.block import Block
from hwblocks.graph.control import Control
from hwblocks.graph.graph import Graph
from hwblocks.graph.node import Node
from hwblocks.graph.quant_rule import Preference
from hwblocks.graph.registry import block_class
from hwblocks.graph.state import State
from hwblocks.graph.tensor import Origin, Tensor
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.formats import Format

VERSION = 1
GRAPH, ARRAYS = "graph.json", "arrays.npz"
EPOCH = (1980, 1, 1, 0, 0, 0)  # every entry's date, so that bytes depend on the graph alone
LARGEST = 1 << 32  # bytes; a declared size above this is refused before anything is read


def save(graph: Graph, path: str | Path) -> Path:
    """Write a graph as a .hwb file; nothing is left behind when writing fails."""
    path = Path(path)
    write_atomically(path, to_bytes(graph))
    return path


def load(path: str | Path) -> Graph:
    """Read a .hwb file. Errors: FileFormatError for anything that is not a whole .hwb file of a known version."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    return from_bytes(data, str(path))


def content_hash(graph: Graph) -> str:
    """SHA-256 of the graph's file bytes, 16 hexadecimal digits."""
    return hashlib.sha256(to_bytes(graph)).hexdigest()[:16]


def to_bytes(graph: Graph) -> bytes:
    """The bytes of the graph's .hwb file."""
    arrays = io.BytesIO()
    _write_arrays(arrays, _all_arrays(graph))
    text = json.dumps(_graph_record(graph), indent=1, sort_keys=True, ensure_ascii=False)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, GRAPH, text.encode())
        _add(archive, ARRAYS, arrays.getvalue())
    return out.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    archive.writestr(entry, data)


def _write_arrays(out: io.BytesIO, arrays: list[np.ndarray[Any, Any]]) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for number, array in enumerate(arrays):
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asarray(array, order="C"), allow_pickle=False)
            _add(archive, f"{number}.npy", data.getvalue())


def _arrays(graph: Graph) -> dict[str, np.ndarray[Any, Any]]:
    """Constants by tensor name, and what states start from by the name of their tensor."""
    constants = {t.name: t.value for t in graph.constants if t.value is not None}
    return {**constants, **{state.tensor: state.initial for state in graph.states}}


def _all_arrays(graph: Graph) -> list[np.ndarray[Any, Any]]:
    """The arrays of a graph in the order of their names, then those of each body, by nodes and attribute names."""
    own = _arrays(graph)
    made = [own[name] for name in sorted(own)]
    for node in graph.nodes:
        if isinstance(node.block, Control):
            made += [array for _, body in sorted(node.block.bodies.items()) for array in _all_arrays(body)]
    return made


def _graph_record(graph: Graph) -> dict[str, Any]:
    record = {
        "hwblocks": VERSION,
        "name": graph.name,
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "metadata": dict(graph.metadata),
        "arrays": sorted(_arrays(graph)),
        "tensors": [_tensor_record(t) for t in graph.tensors.values()],
        "nodes": [_node_record(n) for n in graph.nodes],
    }
    if graph.states:
        record["states"] = [{"name": s.name, "tensor": s.tensor, "next": s.next} for s in graph.states]
    if graph.dialect:
        record["dialect"] = graph.dialect
    return record


def _tensor_record(tensor: Tensor) -> dict[str, Any]:
    record: dict[str, Any] = {"name": tensor.name, "shape": tensor.shape, "format": tensor.format.to_dict()}
    if tensor.origin:
        record["origin"] = {"name": tensor.origin.name, "factor": [f.hex() for f in tensor.origin.factor]}
    for name in ("layout", "source_name"):
        if getattr(tensor, name):
            record[name] = getattr(tensor, name)
    return record


def _node_record(node: Node) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": node.name,
        "block": node.type_name,
        "set": {k: _plain(v) for k, v in node.block.attributes().items()},
        "inputs": node.inputs,
        "outputs": node.outputs,
    }
    if node.clamp is not None:
        record["clamp"] = [float(bound).hex() for bound in node.clamp]
    if node.arithmetic is not None:
        record["arithmetic"] = node.arithmetic.to_dict()
    if node.preference is not None:
        record["preference"] = node.preference.to_dict()
    for name in ("source_name", "marked", "attributes"):
        if getattr(node, name):
            record[name] = getattr(node, name)
    return record


def _plain(value: Any) -> Any:
    if isinstance(value, Graph):
        return {"graph": _graph_record(value)}
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, np.integer):
        return int(value)
    return value


def _restored(value: Any, values: Iterator[np.ndarray[Any, Any]], where: str) -> Any:
    if isinstance(value, dict) and set(value) == {"float"}:
        return float.fromhex(value["float"])
    if isinstance(value, dict) and set(value) == {"graph"}:
        return _graph(value["graph"], values, where)
    if isinstance(value, list):
        return tuple(_restored(v, values, where) for v in value)
    return value


def from_bytes(data: bytes, where: str = "bytes") -> Graph:
    """The graph of .hwb bytes; sizes are checked before anything is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sorted(archive.namelist()) != sorted((GRAPH, ARRAYS)):
                raise FileFormatError(f"{where}: holds {archive.namelist()[:4]}, not {GRAPH} and {ARRAYS}")
            record = json.loads(_read(archive, GRAPH, where))
            values = _read_arrays(_read(archive, ARRAYS, where), where)
        left = iter(values)
        graph = _graph(record, left, where)
        if next(left, None) is not None:
            raise FileFormatError(f"{where}: holds more arrays than its graph names; make it again")
        return graph
    except HwblocksError as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{where}: is not a usable .hwb file: {error.message}") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        OSError,
        IndexError,
    ) as error:
        raise FileFormatError(f"{where}: is not a whole .hwb file ({error}); make it again") from None
    except (RuntimeError, NotImplementedError, MemoryError, RecursionError, zipfile.LargeZipFile) as error:
        raise FileFormatError(f"{where}: cannot be unpacked ({error}); make it again") from None


def _read(archive: zipfile.ZipFile, name: str, where: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > LARGEST:
        raise FileFormatError(f"{where}: {name} declares {size} bytes, more than {LARGEST}")
    with archive.open(name) as stream:
        return stream.read(LARGEST)


def _read_arrays(data: bytes, where: str) -> list[np.ndarray[Any, Any]]:
    arrays = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for number in range(len(archive.namelist())):
            raw = _read(archive, f"{number}.npy", where)
            stream = io.BytesIO(raw)
            version = np.lib.format.read_magic(stream)
            if version != (1, 0):
                raise FileFormatError(f"{where}: array {number} has an unknown version {version}")
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
            if dtype.hasobject or int(np.prod(shape, dtype=object)) * dtype.itemsize > len(raw):
                raise FileFormatError(f"{where}: array {number} declares {shape} of {dtype}, more than is there")
            arrays.append(np.lib.format.read_array(io.BytesIO(raw), allow_pickle=False))
    return arrays


def _graph(record: dict[str, Any], values: Iterator[np.ndarray[Any, Any]], where: str) -> Graph:
    if record.get("hwblocks") != VERSION:
        raise FileFormatError(
            f"{where}: file version {record.get('hwblocks')!r}, this package reads {VERSION}; update hwblocks"
        )
    own = list(islice(values, len(record["arrays"])))
    arrays = dict(zip(record["arrays"], own, strict=True))
    initial = {item["tensor"]: arrays.pop(item["tensor"]) for item in record.get("states", ())}
    tensors = [_tensor(item, arrays) for item in record["tensors"]]
    return Graph(
        record["name"],
        {t.name: t for t in tensors},
        tuple(_node(item, values, where) for item in record["nodes"]),
        tuple(record["inputs"]),
        tuple(record["outputs"]),
        record["metadata"],
        tuple(State(s["name"], s["tensor"], s["next"], initial[s["tensor"]]) for s in record.get("states", ())),
        record.get("dialect", ""),
    )


def _tensor(item: dict[str, Any], constants: dict[str, np.ndarray[Any, Any]]) -> Tensor:
    value = constants.get(item["name"])
    format, shape = Format.from_dict(item["format"]), tuple(int(s) for s in item["shape"])
    if value is not None:
        if value.shape != shape or value.dtype != format.dtype:
            raise FileFormatError(
                f"constant {item['name']!r} is {value.shape} {value.dtype}, declared {shape} {format!r}"
            )
        value.setflags(write=False)
    origin = item.get("origin")
    made = origin and Origin(origin["name"], tuple(float.fromhex(f) for f in origin["factor"]))
    return Tensor(item["name"], shape, format, value, made, item.get("layout", ""), item.get("source_name", ""))


def _node(item: dict[str, Any], values: Iterator[np.ndarray[Any, Any]], where: str) -> Node:
    clamp = item.get("clamp")
    arithmetic = item.get("arithmetic")
    return Node(
        item["name"],
        _block(item["block"], {k: _restored(v, values, where) for k, v in sorted(item["set"].items())}),
        tuple(item["inputs"]),
        tuple(item["outputs"]),
        tuple(float.fromhex(bound) for bound in clamp) if clamp else None,  # type: ignore[arg-type]
        Arithmetic.from_dict(arithmetic) if arithmetic is not None else None,
        item.get("source_name", ""),
        item.get("marked", ""),
        item.get("attributes", {}),
        Preference.from_dict(item["preference"]) if "preference" in item else None,
    )


def _block(name: str, attributes: dict[str, Any]) -> Block:
    cls = block_class(name)
    known = {f.name for f in fields(cls) if f.compare}  # type: ignore[arg-type]
    unknown = sorted(set(attributes) - known)
    if unknown:
        raise FileFormatError(f"block {name} has no attribute {unknown[0]!r}; the file is of a newer version")
    return cls(**attributes)
