"""Calibration: one streamed pass of samples through the float graph, sketching every tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from hwblocks.errors import CalibrationError, InputError
from hwblocks.graph.builder import Sequential
from hwblocks.graph.graph import Graph
from hwblocks.simulate.inputs import read_samples
from hwblocks.simulate.simulator import Simulator
from quantize.models import Model, as_graph
from quantize.passes import fold_constants
from quantize.range_table import RangeTable
from quantize.sketches import Sketch

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

CHUNK_BYTES = 1 << 25  # all tensors of the samples that are run together
LARGEST_CHUNK = 64


def calibrate(model: Model, samples: Any, *, progress: Callable[[int], None] | None = None) -> RangeTable:
    """Ranges of every input and node output of a float model over samples of real values.

    Outputs of nodes that read constants alone are constants themselves, and have no row.

    model: a Graph, a Sequential or a file's path. samples: an array [N, *shape] or [N, *shape[1:]], a dict of
    arrays by input name, a list of arrays in model order, or an iterator of any of these, read once and never
    held whole.
    progress: called with the number of samples done after each chunk.

    The table does not depend on how the samples are split into batches.
    Errors: CalibrationError for an empty set, an integer model, or a tensor that becomes NaN or infinite;
    InputError for samples that do not fit, with the number of the sample and the name of the input.

    >>> import numpy as np, hwblocks as hb
    >>> net = hb.Sequential(hb.ReLU(), input_shape=(3,))
    >>> table = calibrate(net, np.array([[-1.0, 0.5, 2.0]]))
    >>> table["relu0"].lo, table["relu0"].hi
    (0.0, 2.0)
    """
    graph, batches = _open(model, samples)
    simulator = Simulator(graph)
    table = RangeTable(graph.name, {name: Sketch() for name in graph.traced})
    done = 0
    for chunk in _chunks(_checked(graph, batches), _chunk_size(graph)):
        count = len(next(iter(chunk.values())))
        for name, values in _run(simulator, chunk).items():
            _check_finite(graph, name, values, done)
            table[name].add(values)
        done += count
        if progress is not None:
            progress(count)
    if not done:
        raise CalibrationError("the calibration set is empty; pass at least one sample")
    return table


def _run(simulator: Simulator, chunk: Arrays) -> Mapping[str, Array]:
    """Every run-time tensor of some samples, in float."""
    return simulator.run(chunk, trace="full").trace


def _open(model: Any, samples: Any) -> tuple[Graph, Iterator[Any]]:
    """The float graph and its stream of batches; a Sequential learns its shape from the first batch."""
    graph = model if isinstance(model, Sequential) else as_graph(model)
    batches = _batches(samples, graph.inputs if isinstance(graph, Graph) else ("x",), _rank(graph))
    if isinstance(graph, Sequential):
        first = next(batches, None)
        if first is None:
            raise CalibrationError("the calibration set is empty; pass at least one sample")
        batches = chain([first], batches)
        graph = graph.graph(np.shape(next(iter(first.values())) if isinstance(first, Mapping) else first)[1:])
    if graph.is_integer:
        raise CalibrationError(f"graph {graph.name!r} computes in integers already; calibrate the float graph")
    return fold_constants.apply(graph), batches


def _rank(graph: Graph | Sequential) -> int:
    """Axes of the first input; 1 where it is not known yet, so that every array of a list is a batch."""
    return len(graph.tensors[graph.inputs[0]].shape) if isinstance(graph, Graph) and graph.inputs else 1


def _batches(samples: Any, inputs: Sequence[str], rank: int) -> Iterator[Any]:
    """The samples as a stream of batches. A list may be one batch in model order, or several batches."""
    if isinstance(samples, (str, bytes)) or not isinstance(samples, (np.ndarray, Iterable)):
        raise InputError(f"samples are {type(samples).__name__}; pass an array, a dict, a list or an iterator of these")
    if isinstance(samples, (np.ndarray, Mapping)):
        return iter([samples])
    if not isinstance(samples, Sequence) or any(isinstance(item, Mapping) for item in samples):
        return iter(samples)
    if len(inputs) > 1:
        return iter([samples] if len(samples) == len(inputs) else samples)
    arrays = all(isinstance(item, np.ndarray) and item.ndim >= rank for item in samples)
    return iter(samples if arrays else [samples])


def _checked(graph: Graph, batches: Iterable[Any]) -> Iterator[Arrays]:
    """Batches as arrays [n, *shape] by input name; messages count samples from the start of the stream."""
    done = 0
    for batch in batches:
        if _is_empty(batch):
            continue
        try:
            read = read_samples(graph, _in_model_order(graph, batch), real=True)
        except InputError as error:
            where = f"; samples of this batch count from {done}" if done else ""
            raise InputError(f"calibration: {error.message}{where}") from None
        done += read.count
        yield read.arrays


def _in_model_order(graph: Graph, batch: Any) -> Any:
    """A batch, where a list of one array stands for the one input of the model."""
    if not isinstance(batch, (list, tuple)) or len(batch) != 1 or len(graph.inputs) != 1:
        return batch
    return batch[0] if np.ndim(batch[0]) >= _rank(graph) else batch


def _is_empty(batch: Any) -> bool:
    arrays = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, (list, tuple)) else [batch]
    return all(isinstance(array, np.ndarray) and array.shape[:1] == (0,) for array in arrays)


def _chunks(batches: Iterable[Arrays], size: int) -> Iterator[Arrays]:
    """The same samples in chunks of one size (the last may be shorter), however they came."""
    waiting: list[Arrays] = []
    count = 0
    for batch in batches:
        total = len(next(iter(batch.values())))
        for start in range(0, total, size):
            waiting.append({name: array[start : start + size] for name, array in batch.items()})
            count += len(next(iter(waiting[-1].values())))
            if count >= size:
                joined = _join(waiting)
                yield {name: array[:size] for name, array in joined.items()}
                waiting = [{name: array[size:] for name, array in joined.items()}] if count > size else []
                count -= size
    if waiting:
        yield _join(waiting)


def _join(parts: list[Arrays]) -> Arrays:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _chunk_size(graph: Graph) -> int:
    """Samples that are run together: a number that depends on the graph alone."""
    each = sum(tensor.stored_bytes for tensor in graph.traced.values())
    return max(1, min(LARGEST_CHUNK, CHUNK_BYTES // max(each, 1)))


def _check_finite(graph: Graph, name: str, values: Array, done: int) -> None:
    if np.isfinite(values).all():
        return
    sample = done + int(np.argwhere(~np.isfinite(values))[0][0])
    maker = graph.producer.get(name)
    where = f"{maker.where}: output" if maker else "input"
    raise CalibrationError(f"{where} {name!r} holds NaN or infinity at sample {sample}; check the weights and the data")
