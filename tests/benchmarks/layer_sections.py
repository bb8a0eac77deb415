"""Sections of the comparison over single layers: against the machine's limit, against peers, and among ourselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from layers import CONVOLUTIONS, DEPTHWISE, PRODUCTS, VECTORS, Array, Data, Layer, Ours
from limits import INSTRUCTIONS, NoLimitError, limit
from litert_peers import SETS, LiteRT, layer_model
from ort_peers import KINDS, TYPES, Ort, peer
from results import Comparison, Goal, compared
from rounds import Candidate, Pace, Times, interleaved

LITERT, SUMS = SETS["xnnpack"], "ours, sums"
LIMIT = "register-only loop"
LIMITED, LIMIT_ROUNDS = ("1024×1024×1024", "49×512×4608"), 3  # times as many rounds: one must be undisturbed
DISTURBED = "(not judged: other work disturbed the loop in every round)"
FLOAT_ROOM = 1e-5
TOGETHER = "gemm and conv"  # one section, over which means are taken


@dataclass(frozen=True)
class Setting:
    """How a run measures: instruction set, rounds, numbers of threads, and how many things of each section."""

    isa: str
    pace: Pace
    threads: tuple[int, ...] = (1, 2)
    most: int | None = None
    say: Callable[[str], None] = print

    def some(self, things: dict[str, Layer]) -> dict[str, Layer]:
        """The things of a section that this run measures."""
        return dict(list(things.items())[: self.most])


class UnequalError(Exception):
    """What is timed does not compute what the peer computes."""


def same(got: Array, wanted: Array, about: str) -> None:
    """Errors: UnequalError where integers differ, or floats by more than 1e-5 of the largest."""
    room = FLOAT_ROOM * np.abs(wanted).max(initial=0) if wanted.dtype.kind == "f" else 0
    differ = np.count_nonzero(np.abs(got.reshape(wanted.shape).astype(float) - wanted) > room)
    if differ:
        raise UnequalError(f"{about}: {differ} of {wanted.size} results differ")


GEMM_GOALS = {
    LITERT: Goal(each=1.1, mean=1.4),
    KINDS["s8s8"]: Goal(mean=4.0),
    KINDS["f32"]: Goal(mean=1.4),
    KINDS["u8s8"]: Goal(stretch=1.0),
}
DEPTHWISE_GOALS = {LITERT: Goal(each=1.0, mean=1.3)}
VECTOR_GOALS = {LITERT: Goal(each=1.0), **{name: Goal() for name in KINDS.values()}}


def gemm(setting: Setting) -> Iterator[Comparison]:
    """Matrix products against the limit, LiteRT and ONNX Runtime."""
    yield from against_limit(setting)
    yield from against_peers(TOGETHER, _named("gemm", setting.some(PRODUCTS)), GEMM_GOALS, setting)


def _named(kind: str, layers: dict[str, Layer]) -> dict[str, Layer]:
    return {f"{kind} {name}": layer for name, layer in layers.items()}


def conv(setting: Setting) -> Iterator[Comparison]:
    """Convolutions against LiteRT and ONNX Runtime."""
    yield from against_peers(TOGETHER, _named("conv", setting.some(CONVOLUTIONS)), GEMM_GOALS, setting)


def depthwise(setting: Setting) -> Iterator[Comparison]:
    """Depthwise convolutions against LiteRT."""
    yield from against_peers("depthwise", setting.some(DEPTHWISE), DEPTHWISE_GOALS, setting)


def matvec(setting: Setting) -> Iterator[Comparison]:
    """Matrix times vector, bound by the bytes of the weights, against LiteRT and ONNX Runtime."""
    yield from against_peers("matvec", VECTORS, VECTOR_GOALS, setting)


def against_limit(setting: Setting) -> Iterator[Comparison]:
    """Exact matrix products, requantized, against the register-only loop of the instruction set."""
    try:
        loop, made = limit(setting.isa)
    except NoLimitError as error:
        setting.say(f"limit: skipped, {error}")
        return
    all_ours = {name: Ours(Data(PRODUCTS[name]), setting.isa) for name in LIMITED}
    candidates = [Candidate(LIMIT, loop), *(Candidate(name, ours.call()) for name, ours in all_ours.items())]
    times = interleaved(candidates, Pace(LIMIT_ROUNDS * setting.pace.rounds, setting.pace.seconds))
    found: list[Comparison] = []
    for name, ours in all_ours.items():
        # the loop's time for as many products as ours
        named = {LIMIT: [seconds * ours.macs / made for seconds in times[LIMIT]], "ours": times[name]}
        goals, note = {LIMIT: Goal(each=0.85, stretch=0.95)}, f"({INSTRUCTIONS[setting.isa]})"
        found += compared("limit", name, named, "ours", goals, 1, ours.macs, judged="best", note=note)
    yield from possible(found)


def possible(found: list[Comparison]) -> list[Comparison]:
    """The comparisons with one loop; none is judged where one is faster than it: then the loop was never undisturbed."""
    if all(one.ratio <= 1 for one in found):
        return found
    return [replace(one, goal=Goal(), note=f"{one.note} {DISTURBED}") for one in found]


def against_peers(
    section: str, layers: dict[str, Layer], goals: dict[str, Goal], setting: Setting
) -> Iterator[Comparison]:
    """Every layer on every number of threads; as many samples as threads, which ours shares out."""
    for name, layer in layers.items():
        for threads in setting.threads:
            yield from layer_against_peers(section, name, Data(layer, samples=threads), goals, setting, threads)


def layer_against_peers(
    section: str, name: str, data: Data, goals: dict[str, Goal], setting: Setting, threads: int
) -> list[Comparison]:
    """One layer: the requantized one against LiteRT and convolutions, its bare sums against matrix products to int32."""
    ours, sums = (Ours(data, setting.isa, scheme, threads) for scheme in ("single_round", None))
    candidates = [Candidate("ours", ours.call()), litert_candidate(data, setting, threads)]
    integers = {kind: peer(data, kind, threads) for kind, shown in KINDS.items() if shown in goals}
    check_ort(data, integers, setting.isa)
    if data.layer.is_product and integers:
        candidates.append(Candidate(SUMS, sums.call()))
    candidates += [Candidate(KINDS[kind], made.run, spins=threads > 1) for kind, made in integers.items()]
    times = interleaved(candidates, setting.pace)
    return [
        one
        for shown, goal in goals.items()
        for one in compared(section, name, times, ours_beside(shown, times), {shown: goal}, threads, ours.macs)
    ]


def ours_beside(peer: str, times: Times) -> str:
    """Which of ours does the same work as a peer."""
    return SUMS if SUMS in times and peer != LITERT else "ours"


def litert_candidate(data: Data, setting: Setting, threads: int) -> Candidate:
    """LiteRT on a layer, checked: its delegate's arithmetic on our kernels gives the same integers."""
    made = LiteRT(layer_model(data), threads=threads)
    made.fill([data.x])
    made.invoke()
    checked = Ours(data, setting.isa, "float32")
    checked.run()
    same(made.read()[0], checked.y, f"{LITERT} on {data.layer}")
    return Candidate(LITERT, made.invoke, spins=threads > 1)


def check_ort(data: Data, made: dict[str, Ort], isa: str) -> None:
    """Signed operands are exact in ONNX Runtime on every machine: the same integers as ours."""
    if "s8s8" not in made:
        return
    checked = Ours(data, isa, None if data.layer.is_product else "float32")
    checked.run()
    made["s8s8"].run()
    same(made["s8s8"].y - TYPES["s8s8"][1], checked.y, f"{KINDS['s8s8']} on {data.layer}")


def threads(setting: Setting) -> Iterator[Comparison]:
    """Two samples on two threads against the same on one: matrix products, and what the machine itself gives."""
    for name in ("1024×1024×1024", "49×512×4608"):
        data = Data(PRODUCTS[name], samples=2)
        two, one = (Ours(data, setting.isa, threads=count) for count in (2, 1))
        times = interleaved([Candidate("ours", two.call()), Candidate("one thread", one.call())], setting.pace)
        yield from compared("threads", name, times, "ours", {"one thread": Goal(each=1.85)}, 2, two.macs)
    try:
        yield from _limit_threads(setting)
    except NoLimitError as error:
        setting.say(f"threads: no loop, {error}")


def _limit_threads(setting: Setting) -> Iterator[Comparison]:
    loop, made = limit(setting.isa)
    pool = ThreadPoolExecutor(2)

    def together() -> None:
        for done in [pool.submit(loop), pool.submit(loop)]:
            done.result()

    def alone() -> None:
        loop()
        loop()

    times = interleaved([Candidate("ours", together), Candidate("one thread", alone)], setting.pace)
    yield from compared("threads: the machine itself", LIMIT, times, "ours", {"one thread": Goal()}, 2, 2 * made)


WIDTH_LAYERS = ("1024×1024×1024", "49×512×4608", "3×3 28×28×128→128", "3×3 14×14×256→256")
WIDTHS = {  # type of the activations, bits of the weights, requantization, goal
    "4-bit weights": ("int8", 4, "single_round", Goal(each=1.3)),
    "2-bit weights": ("int8", 2, "single_round", Goal()),
    "16-bit activations, 64-bit sums": ("int16", 8, "q16", Goal(each=0.85)),
}


def widths(setting: Setting) -> Iterator[Comparison]:
    """Other widths of operands against our own 8-bit kernel, on layers whose 16-bit sums need 64 bits."""
    layers = {name: {**PRODUCTS, **CONVOLUTIONS}[name] for name in WIDTH_LAYERS}
    for name, layer in setting.some(layers).items():
        eight = Ours(Data(layer), setting.isa)
        others = {
            what: Ours(Data(layer, dtype, bits), setting.isa, scheme)
            for what, (dtype, bits, scheme, _) in WIDTHS.items()
        }
        candidates = [Candidate("8-bit", eight.call()), *(Candidate(w, o.call()) for w, o in others.items())]
        times = interleaved(candidates, setting.pace)
        for what, (*_, goal) in WIDTHS.items():
            named = {"ours at 8 bits": times["8-bit"], "ours": times[what]}
            goals = {"ours at 8 bits": goal}
            yield from compared(f"widths: {what}", name, named, "ours", goals, 1, eight.macs)


LEVELS = {1: Goal(each=1 / 1.08), 2: Goal()}
COUNTED = {1: "counting saturations (the default)", 2: "and extremes of sums (trace ranges)"}


def statistics(setting: Setting) -> Iterator[Comparison]:
    """What counting costs: the same kernel without counting against it with each level of statistics."""
    layers = {**CONVOLUTIONS, **DEPTHWISE, "256×256×256": PRODUCTS["256×256×256"]}
    for name, layer in setting.some(layers).items():
        ours = Ours(Data(layer), setting.isa)
        times = interleaved([Candidate(str(level), ours.call(level)) for level in (0, 1, 2)], setting.pace)
        for level, goal in LEVELS.items():
            named = {"without counting": times["0"], "ours": times[str(level)]}
            goals = {"without counting": goal}
            yield from compared(f"statistics: {COUNTED[level]}", name, named, "ours", goals, 1, ours.macs)
