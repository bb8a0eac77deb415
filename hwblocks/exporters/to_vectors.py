"""Golden vectors: what every node reads, holds and writes, as files for RTL benches, with a manifest.

One folder: constants/ once; nodes/<node>/ with input codes, accumulators before the cast, output codes;
manifest.json with name, shape, layout, format, byte order and file of every array.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from hwblocks.blocks.scan import Scan
from hwblocks.errors import OutputError
from hwblocks.graph.algorithm import chosen
from hwblocks.graph.block import Accumulate, Pointwise
from hwblocks.graph.graph import Graph
from hwblocks.graph.lookup import code_table
from hwblocks.graph.site import Site, accumulate_epilogue
from hwblocks.graph.tensor import Tensor
from hwblocks.numerics.formats import Format
from hwblocks.simulate.execute import accumulators, lower
from hwblocks.simulate.simulator import Run

Array = np.ndarray[Any, Any]


def dump_vectors(graph: Graph, run: Run, folder: str | Path, kind: str = "npy") -> Path:
    """Write the golden vectors of a run made with trace="full"; the folder must be new or empty.

    kind: "npy", or "hex" (one two's complement word a line, most significant digit first, for $readmemh).
    Errors: OutputError when the folder holds files or cannot be made. Nothing is left behind by a failure.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OutputError(f"{target}: holds files already; name a new folder")
    try:
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    except OSError as error:
        raise OutputError(f"{target}: cannot be made ({error.strerror})") from None
    try:
        _Writer(graph, run, scratch, kind).write()
        if target.is_dir():
            target.rmdir()
        os.chmod(scratch, 0o755)
        scratch.rename(target)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return target


def variant_constants(site: Site) -> dict[str, Array]:
    """Tables and coefficients of the variant that computes an integer node."""
    named = chosen(site) if site.is_integer else None
    return {} if named is None else named.constants(site)


class _Writer:
    """Writes arrays and remembers them for the manifest."""

    def __init__(self, graph: Graph, run: Run, folder: Path, kind: str) -> None:
        self.graph, self.run, self.folder, self.kind = graph, run, folder, kind
        self.entries: list[dict[str, Any]] = []
        self.nodes = 0

    def write(self) -> None:
        """All constants, all nodes, the manifest."""
        self.graph_in(self.graph, "")
        manifest = {
            "schema": "hwblocks.vectors/1",
            "model": self.graph.name,
            "samples": int(next(iter(self.run.outputs.values())).shape[0]),
            "byte_order": "little" if self.kind == "npy" else "most significant digit first",
            "arrays": self.entries,
        }
        (self.folder / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False))

    def graph_in(self, graph: Graph, inside: str) -> None:
        """Constants and nodes of a graph; `inside` leads to it ("scan0/body/"), whose passes count as samples."""
        for tensor in graph.constants:
            assert tensor.value is not None
            name = inside + tensor.name
            self.array(f"constants/{safe(name)}", tensor.value, tensor.format, tensor=name, role="constant")
        for node in graph.nodes:
            place = f"nodes/{self.nodes:03d}_{safe(inside + node.name)}"
            self.nodes += 1
            self.node(place, graph.site(node), inside)
            if isinstance(node.block, Scan):
                self.graph_in(node.block.body, f"{inside}{node.name}/body/")

    def node(self, place: str, site: Site, inside: str) -> None:
        """Inputs, accumulators, constants of the cast, outputs of one node."""
        name = inside + site.node.name
        arrays = [None if t is None else t.value if t.is_constant else self._flat(t, inside) for t in site.inputs]
        for i, (tensor, array) in enumerate(zip(site.inputs, arrays, strict=True)):
            if tensor is not None and array is not None and not tensor.is_constant:
                named = inside + tensor.name
                self.array(f"{place}/input{i}", array, tensor.format, node=name, tensor=named, role="input")
        if isinstance(site.node.block, Accumulate) and site.is_integer:
            self.sums(place, site, arrays, name)
        if isinstance(site.node.block, Pointwise) and site.is_integer and site.input(0).format.bits <= 16:
            self.array(
                f"{place}/table",
                code_table(site.node.block, site),
                site.output.format,
                node=name,
                role="table",
            )
        for key, values in variant_constants(site).items():
            bits = int(np.abs(values).max(initial=1)).bit_length() + 1
            self.array(f"{place}/{key}", values, Format(kind="raw", bits=bits), node=name, role=key)
        for i, tensor in enumerate(site.outputs):
            out = self._flat(tensor, inside)
            self.array(f"{place}/output{i}", out, tensor.format, node=name, tensor=inside + tensor.name, role="output")

    def sums(self, place: str, site: Site, arrays: list[Array | None], name: str) -> None:
        """Accumulators before the cast, multipliers and shifts."""
        contraction = lower(site, arrays)
        bias = arrays[2] if len(arrays) > 2 else None
        total, _ = accumulators(site, contraction, bias)
        bits = site.accumulator.bits
        self.array(f"{place}/accumulator", total, Format(kind="raw", bits=bits), node=name, role="accumulator")
        e = accumulate_epilogue(site, site.input(0).format, site.input(1).format, int(total.shape[-1]))
        raw = Format(kind="raw", bits=32)
        self.array(f"{place}/multiplier", e.multiplier, raw, node=name, role="multiplier", scheme=e.scheme)
        self.array(f"{place}/shift", e.shift, raw, node=name, role="shift", rounding=e.rounding.value)

    def _flat(self, tensor: Tensor, inside: str) -> Array:
        """A traced tensor with its samples (and passes) as the leading axis of the node's own arrays."""
        array, shape = self.run.trace[inside + tensor.name], tensor.shape
        return array.reshape(-1, *shape[1:]) if self.graph.batched else array.reshape(-1, *shape)[0]

    def array(self, name: str, array: Array, format: Format, **about: Any) -> None:
        """One array and its manifest entry."""
        path = self.folder / f"{name}.{self.kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = np.ascontiguousarray(array)
        if self.kind == "npy":
            np.save(path, stored, allow_pickle=False)
        else:
            path.write_text(to_hex(stored, format.bits))
        tensor = about.get("tensor")
        known = self.graph.traced.get(tensor) or self.graph.tensors.get(tensor) if tensor else None
        layout = known.layout if known else ""
        self.entries.append(
            {
                **about,
                "file": f"{name}.{self.kind}",
                "shape": list(stored.shape),
                "dtype": stored.dtype.name,
                "layout": layout,
                "format": format.to_dict(),
            }
        )


def safe(name: str) -> str:
    """A tensor or node name as a file name."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def to_hex(array: Array, bits: int) -> str:
    """One word a line in row-major order; two's complement in as many digits as the width needs. Floats by their bits.

    >>> to_hex(np.array([-1, 10], dtype=np.int8), 8)
    'ff\\n0a\\n'
    """
    if array.dtype.kind == "f":
        bits = array.dtype.itemsize * 8
        array = array.view(f"u{array.dtype.itemsize}")
    mask, digits = (1 << bits) - 1, (bits + 3) // 4
    return "".join(f"{int(v) & mask:0{digits}x}\n" for v in array.ravel())


def from_hex(text: str, bits: int, signed: bool) -> Array:
    """The integers of `to_hex`."""
    raw = np.array([int(line, 16) for line in text.split()], dtype=object)
    values = np.where(raw >= 1 << (bits - 1), raw - (1 << bits), raw) if signed else raw
    return values.astype(np.int64 if signed else np.uint64)
