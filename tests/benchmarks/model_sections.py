"""Sections of the comparison over whole TFLite models in the dialect tflm, against LiteRT and TFLite-Micro."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from layer_sections import COUNTED, LEVELS, Setting, same
from litert_peers import SETS, LiteRT, Micro, RefusedError
from results import Comparison, Goal, compared
from rounds import Candidate, interleaved

import hwblocks as hb
from hwblocks.simulate.bound import Bound
from hwblocks.simulate.direct import direct_of

SHARED = Path(os.environ.get("HWBLOCKS_SHARED", Path(__file__).parents[2].parent / "shared"))
BATCH, CHECKED = 128, 4
DIALECT = "tflm"
LITERT, REFERENCE, MICRO = SETS["xnnpack"], SETS["litert-ref"], SETS["tflm"]
WHOLE = f"{LITERT}, set and get"
REPEATED = "(its batch is 1: so many calls)"

KINDS = {  # models by what they are made of, the first ones first in a quick run
    "convolutional": ("mlperf_kws_dscnn_int8", "mlperf_resnet8_int8", "mww_v2_alexa", "mww_v2_hey_jarvis"),
    "fully connected": ("litert_fc_qat", "te_lenet_300_100_int8", "tflm_hello_world_int8"),
    "recurrent": ("tflm_keyword_scrambled_16x8_svdf", "tflm_mnist_lstm_int8"),
}
SINGLE_GOALS = {
    "convolutional": {
        LITERT: Goal(each=1.25, mean=1.6),
        REFERENCE: Goal(each=15.0),
        MICRO: Goal(each=30.0),
    },
    "fully connected": {LITERT: Goal(each=1.0), REFERENCE: Goal(), MICRO: Goal()},
    "recurrent": {LITERT: Goal(), REFERENCE: Goal(), MICRO: Goal()},
}
BATCH_GOALS = {"convolutional": Goal(each=1.3, mean=1.6), "fully connected": Goal(each=1.3, mean=1.6)}


@dataclass(frozen=True)
class Model:
    """A TFLite file of the reference models and random samples for it."""

    name: str

    @cached_property
    def content(self) -> bytes:
        return self.path.read_bytes()

    @property
    def path(self) -> Path:
        return SHARED / "models" / "tflite" / f"{self.name}.tflite"

    @cached_property
    def graph(self) -> hb.Graph:
        return hb.load(self.path)

    def simulator(self, setting: Setting, threads: int = 1) -> hb.Simulator:
        """Ours."""
        return hb.Simulator(self.graph, DIALECT, threads=threads, isa=setting.isa)

    def samples(self, count: int) -> list[np.ndarray]:
        """Codes of the whole range, or floats of a standard normal, [count, *shape[1:]] for every input."""
        rng, made = np.random.default_rng(7), []
        for name in self.graph.inputs:
            tensor = self.graph.tensors[name]
            shape = (count, *tensor.shape[1:])
            if tensor.format.is_quantized:
                limits = np.iinfo(tensor.format.dtype)
                made.append(rng.integers(limits.min, int(limits.max) + 1, shape).astype(tensor.format.dtype))
            else:
                made.append(rng.normal(size=shape).astype(tensor.format.dtype))
        return made


def models(setting: Setting) -> Iterator[Comparison]:
    """All models: a sample at a time, then many at once."""
    for kind, names in KINDS.items():
        for name in names[: setting.most]:
            model = Model(name)
            if not model.path.is_file():
                setting.say(f"models: {name} is not there; set HWBLOCKS_SHARED")
                continue
            check(model, setting)
            yield from single(model, kind, setting)
            for threads in setting.threads:
                yield from batched(model, kind, setting, threads)


def check(model: Model, setting: Setting) -> None:
    """Ours gives TFLite-Micro's results for a few samples in a row. Errors: UnequalError."""
    try:
        micro = Micro(model.content)
    except RefusedError as error:
        setting.say(f"models: {model.name} is not checked, {error}")
        return
    samples = model.samples(CHECKED)
    shapes = [model.graph.tensors[name].shape for name in model.graph.inputs]
    made = model.simulator(setting).run(samples).outputs
    wanted = [micro.run([a[i].reshape(s) for a, s in zip(samples, shapes)]) for i in range(CHECKED)]
    same(next(iter(made.values())), np.stack(wanted), f"{MICRO} on {model.name}")


def single(model: Model, kind: str, setting: Setting) -> Iterator[Comparison]:
    """A sample at a time on one thread: arrays in place against `invoke`, and runs that take and give arrays."""
    simulator, x = model.simulator(setting), model.samples(1)
    bound = filled(simulator, x, 1)
    candidates = [Candidate("bound", bound.run), Candidate("run", lambda: simulator.run(x))]
    candidates += single_peers(model, x)
    times = interleaved(candidates, setting.pace)
    goals, macs = SINGLE_GOALS[kind], simulator.macs
    note = "(in part by Python)" if simulator.plan.unserved else ""
    about = f"models: {kind}, batch 1"
    yield from compared(f"{about}, arrays in place", model.name, times, "bound", goals, 1, macs, note=note)
    yield from compared(f"{about}, arrays given and taken", model.name, times, "run", {WHOLE: Goal()}, 1, macs)


def single_peers(model: Model, x: list[np.ndarray]) -> list[Candidate]:
    """The runtimes that take the model, inputs in place; LiteRT's default also from arrays to arrays."""
    made = []
    for kernels in ("xnnpack", "litert-ref"):
        peer = LiteRT(model.content, kernels)
        peer.fill(x)
        made.append(Candidate(SETS[kernels], peer.invoke))
        if kernels == "xnnpack":
            made.append(Candidate(WHOLE, LiteRT(model.content).whole(x)))
    try:
        micro = Micro(model.content)
    except RefusedError:
        return made
    micro.run([a.reshape(model.graph.tensors[n].shape) for a, n in zip(x, model.graph.inputs)])
    return [*made, Candidate(MICRO, micro.invoke)]


def batched(model: Model, kind: str, setting: Setting, threads: int) -> Iterator[Comparison]:
    """Many samples: arrays in place against `invoke`, and our run, from arrays to arrays, against `invoke` alone."""
    simulator, x = model.simulator(setting, threads), model.samples(BATCH)
    call, note = litert_batch(model, x, threads)
    candidates = [Candidate("bound", filled(simulator, x, BATCH).run), Candidate("run", lambda: simulator.run(x))]
    times = interleaved([*candidates, Candidate(LITERT, call, spins=threads > 1)], setting.pace)
    section = f"models: {'recurrent, ' if kind == 'recurrent' else ''}batch {BATCH}"
    goals, macs = {LITERT: BATCH_GOALS.get(kind, Goal())}, simulator.macs * BATCH
    for how, name, wanted in ((", arrays in place", "bound", goals), (", arrays given", "run", {LITERT: Goal()})):
        yield from compared(section + how, model.name, times, name, wanted, threads, macs, samples=BATCH, note=note)


def filled(simulator: hb.Simulator, x: list[np.ndarray], count: int) -> Bound:
    """Ours bound to `count` samples that lie in place."""
    bound = simulator.bind(count)
    for array, given in zip(bound.inputs.values(), x):
        array[...] = given.reshape(array.shape)
    return bound


def litert_batch(model: Model, x: list[np.ndarray], threads: int) -> tuple[Callable[[], object], str]:
    """LiteRT on all samples: one call where the file can be resized, else a call for each; and a note."""
    try:
        peer = LiteRT(model.content, threads=threads, batch=BATCH)
    except RefusedError:
        peer = LiteRT(model.content, threads=threads)
        peer.fill([a[:1] for a in x])
        invoke = peer.invoke
        return lambda: [invoke() for _ in range(BATCH)], REPEATED
    peer.fill(x)
    return peer.invoke, ""


def counting(setting: Setting) -> Iterator[Comparison]:
    """What counting costs in whole models that are one program: each level of statistics against none."""
    for name in [n for names in KINDS.values() for n in names[: setting.most]]:
        model = Model(name)
        calls = counted_calls(model, setting) if model.path.is_file() else []
        if not calls:
            continue
        times = interleaved([Candidate(str(level), call) for level, call in enumerate(calls)], setting.pace)
        macs = model.simulator(setting).macs
        for level, goal in LEVELS.items():
            named = {"without counting": times["0"], "ours": times[str(level)]}
            section = f"statistics: {COUNTED[level]}"
            yield from compared(section, name, named, "ours", {"without counting": goal}, 1, macs)


def counted_calls(model: Model, setting: Setting) -> list[Callable[[], object]]:
    """A sample in place at each level of statistics; none for models that are more than one program."""
    simulator, made = model.simulator(setting), []
    graph, (x, *_) = simulator.graph, model.samples(1)
    for level in (0, *LEVELS):
        direct = direct_of(graph, simulator.plan.compiled(()), graph.outputs, level, simulator.macs)
        if direct is None:
            return []
        bound = Bound(simulator, 1, direct, level)
        first = next(iter(bound.inputs.values()))
        first[...] = x.reshape(first.shape)
        made.append(bound.run)
    return made


def sharing(setting: Setting) -> Iterator[Comparison]:
    """One sample, arrays in place, its layers shared by two threads against one thread."""
    for name in KINDS["convolutional"][:2]:
        model = Model(name)
        if not model.path.is_file():
            continue
        simulators = [model.simulator(setting, threads) for threads in (2, 1)]
        two, one = (filled(simulator, model.samples(1), 1) for simulator in simulators)
        times = interleaved([Candidate("ours", two.run), Candidate("one thread", one.run)], setting.pace)
        macs = two.simulator.macs
        yield from compared("threads: one sample", name, times, "ours", {"one thread": Goal()}, 2, macs)
