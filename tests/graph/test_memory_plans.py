"""Plans of buffers: against trying every stacking, against the definition of first fit, and on known hard sets."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwblocks as hb
from hwblocks.errors import InputError
from hwblocks.graph.arena_plan import ORDERS, Placement, turns
from hwblocks.graph.memory import FIRST_FIT, live_ranges, plan_memory
from hwblocks.graph.plan_check import check_plan
from hwblocks.numerics.kernels.arena import Choice, Outcome, Placer, first_fit_definition, lives_of

LIVES = st.tuples(st.integers(0, 6), st.integers(1, 4), st.integers(0, 9))
# Above the bound, each found by trying all stackings of tight sets (as many bytes alive at every step).
ABOVE = [
    ([(0, 1, 4), (0, 2, 2), (2, 3, 1), (1, 3, 3), (2, 4, 1), (1, 4, 1), (3, 5, 4), (4, 5, 2)], 6, 7),
    ([(0, 1, 6), (0, 2, 2), (2, 3, 1), (1, 3, 5), (2, 4, 1), (1, 4, 1), (3, 5, 6), (4, 5, 2)], 8, 9),
    ([(0, 1, 3), (0, 2, 5), (2, 3, 1), (1, 3, 2), (2, 3, 3), (2, 4, 1), (1, 4, 1), (3, 5, 6), (4, 5, 2)], 8, 9),
]


def named(rows):
    return [(f"b{i}", lower, upper, size) for i, (lower, upper, size) in enumerate(rows)]


def smallest(buffers):
    """The smallest arena: buffers stacked in every order, each right above those alive with it that came before."""
    meets = [[a[1] < b[2] and b[1] < a[2] for b in buffers] for a in buffers]

    @cache
    def stacked(tops):
        waiting = [i for i, top in enumerate(tops) if top is None]
        if not waiting:
            return max(tops, default=0)
        found = []
        for i in waiting:
            below = [t for j, t in enumerate(tops) if t is not None and meets[i][j]]
            top = max(below, default=0) + buffers[i][3]
            found.append(stacked((*tops[:i], top, *tops[i + 1 :])))
        return min(found)

    return stacked((None,) * len(buffers))


def tight(seed, most):
    """Buffers of which as many bytes are alive at every step: what ends is cut into what begins."""
    draw = random.Random(seed)

    def cut(total, pieces):
        ends = sorted(draw.sample(range(1, total), min(pieces, total) - 1))
        return [b - a for a, b in zip([0, *ends], [*ends, total], strict=True)]

    alive, gone, step = [(0, s) for s in cut(draw.randint(3, 9), draw.randint(2, 4))], [], 0
    while True:
        step += 1
        ending = draw.sample(alive, draw.randint(1, max(1, len(alive) - 1)))
        begun = [(step, s) for s in cut(sum(s for _, s in ending), draw.randint(1, 3))]
        if len(gone) + len(alive) + len(begun) > most:
            return named([*gone, *((lower, step, s) for lower, s in alive)])
        gone += [(lower, step, s) for lower, s in ending]
        for item in ending:
            alive.remove(item)
        alive += begun


@settings(max_examples=150)
@given(st.lists(LIVES, max_size=6))
def test_small_plans_are_the_smallest_and_proven(rows):
    buffers = named([(lower, lower + length, size) for lower, length, size in rows])
    plan = plan_memory(buffers)
    check_plan(buffers, plan.offsets, plan.size)
    assert (plan.size, plan.optimal) == (smallest(buffers), True)


@pytest.mark.parametrize("seed", range(40))
def test_tight_plans_are_the_smallest_and_proven(seed):
    buffers = tight(seed, 8)
    plan = plan_memory(buffers)
    assert (plan.size, plan.optimal) == (smallest(buffers), True)


@pytest.mark.parametrize(("rows", "bound", "size"), ABOVE)
@pytest.mark.parametrize("factor", [1, 7, 4096])
def test_optima_above_the_bound_are_proven(rows, bound, size, factor):
    buffers = named([(lower, upper, bytes_ * factor) for lower, upper, bytes_ in rows])
    assert smallest(buffers) == size * factor
    plan = plan_memory(buffers)
    assert (plan.bound, plan.size, plan.proven) == (bound * factor, size * factor, size * factor)
    assert plan.optimal
    assert plan.gap == ((size - bound) * factor, (size - bound) / bound)
    assert "nothing smaller exists" in plan.proof
    with pytest.raises(InputError, match=rf"shown by a search: at least {size * factor:,} are needed"):
        plan_memory(buffers, capacity=size * factor - 1)


def planted(seed, most, size):
    """Buffers cut from a memory that is full at every step: a plan of exactly `size` bytes exists."""
    draw = random.Random(seed)

    def cut(start, end, step):
        ends = sorted(draw.sample(range(start + 1, end), min(draw.randint(0, 3), end - start - 1)))
        return [(a, b, step) for a, b in zip([start, *ends], [*ends, end], strict=True)]

    alive, gone, step = cut(0, size, 0), [], 0
    while len(gone) + len(alive) < most:
        step += 1
        ending = [block for block in alive if draw.random() < 0.3]
        gone += [(begun, step, end - start) for start, end, begun in ending]
        alive = sorted(set(alive) - set(ending))
        edges = [0, *(edge for start, end, _ in alive for edge in (start, end)), size]
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            alive += cut(start, end, step) if start < end else []
    return named(draw.sample(rows := [*gone, *((b, step + 1, end - start) for start, end, b in alive)], len(rows)))


@pytest.mark.parametrize("seed", range(20))
def test_full_memories_are_filled_again(seed):
    size = (16, 64, 1000)[seed % 3]
    buffers = planted(seed, 30, size)
    plan = plan_memory(buffers)
    assert (plan.bound, plan.size, plan.optimal) == (size, size, True)


@settings(max_examples=60)
@given(st.lists(LIVES.filter(lambda r: r[2] > 0), min_size=1, max_size=20), st.sampled_from(ORDERS))
def test_first_fit_is_its_definition(rows, name):
    lower, length, size = (np.array(column) for column in zip(*rows, strict=True))
    lives, _ = lives_of(lower, lower + length, size)
    order = turns(lives, name)
    assert Placer(lives).first_fit(order).tolist() == first_fit_definition(lives, order.tolist()).tolist()


@settings(max_examples=60)
@given(st.lists(LIVES, min_size=1, max_size=20))
def test_sections_keep_who_meets_whom_and_the_bound(rows):
    lower, length, size = (np.array(column) for column in zip(*rows, strict=True))
    lives, order = lives_of(lower, lower + length, size)
    low, high = lower[order], (lower + length)[order]
    meets = (low[:, None] < high) & (low < high[:, None])
    assert ((lives.first[:, None] < lives.past) & (lives.first < lives.past[:, None]) == meets).all()
    assert lives.bound == max(int(size[(lower <= t) & (t < lower + length)].sum()) for t in range(11))


def test_a_search_says_when_it_is_not_done():
    rows = [(i, i + 3 + i % 4, 5 + 3 * (i % 7)) for i in range(40)]
    lower, upper, size = (np.array(column) for column in zip(*rows, strict=True))
    lives, _ = lives_of(lower, upper, size)
    ranks = np.arange(40)
    outcome, _, nodes, work = Placer(lives).search(lives.bound - 1, Choice.FEWEST, ranks, 10**6)
    assert (outcome, nodes) == (Outcome.IMPOSSIBLE, 0)
    outcome, _, _, work = Placer(lives).search(lives.bound, Choice.FEWEST, ranks, 1)
    assert outcome == Outcome.SEARCHING
    assert work < 10_000


def test_plans_do_not_depend_on_the_order_of_rows_or_on_units():
    buffers = tight(5, 30)
    plan = plan_memory(buffers)
    for seed in range(3):
        shuffled = random.Random(seed).sample(buffers, len(buffers))
        again = plan_memory(shuffled)
        assert (again.size, again.proven) == (plan.size, plan.proven)
        check_plan(shuffled, again.offsets, again.size)
    scaled = plan_memory([(name, 3 * lower - 50, 3 * upper - 50, 77 * size) for name, lower, upper, size in buffers])
    assert scaled.size == 77 * plan.size
    assert plan_memory(buffers).offsets == plan.offsets


def test_spans_of_time_that_nothing_joins_are_planned_apart():
    rows = ABOVE[0][0]
    later = [(lower + 100, upper + 100, size) for lower, upper, size in rows]
    plan = plan_memory(named([*rows, *later, (50, 60, 7)]))
    assert (plan.bound, plan.size, plan.optimal) == (7, 7, True)
    plan = plan_memory(named([*rows, *later]))
    assert (plan.bound, plan.size, plan.optimal) == (6, 7, True)


@pytest.mark.parametrize("align", [1, 4, 16, 64])
def test_aligned_plans(align):
    buffers = named([(i, i + 2 + i % 3, 5 + 11 * (i % 4)) for i in range(12)])
    plan = plan_memory(buffers, align=align)
    check_plan(buffers, plan.offsets, plan.size, align)
    assert plan.optimal
    assert plan.size % align == 0
    assert [b.size for b in plan.buffers] == [-(-size // align) * align for _, _, _, size in buffers]


def test_effort_zero_is_first_fit_and_says_what_is_not_known():
    buffers = named(ABOVE[0][0])
    plan = plan_memory(buffers, effort=FIRST_FIT)
    assert (plan.bound, plan.proven, plan.optimal) == (6, 6, False)
    assert plan.proof == f"{plan.method}: not proven, at least 6 bytes are needed"


def test_empty_plans():
    assert plan_memory([]).size == 0
    plan = plan_memory([("a", 0, 3, 0)])
    assert (plan.offsets, plan.size, plan.optimal, plan.gap) == ((0,), 0, True, (0, 0.0))


def test_capacities():
    assert plan_memory(named(ABOVE[0][0]), capacity=7).size == 7
    with pytest.raises(
        InputError, match=r"step 1 alone needs 9 bytes, 2 more than the capacity of 7: alive are 'b' 5,"
    ):
        plan_memory([("a", 0, 2, 4), ("b", 1, 3, 5)], capacity=7)
    with pytest.raises(InputError, match=r"no plan within the capacity of 6 bytes was found .* larger effort="):
        plan_memory(named(ABOVE[0][0]), capacity=6, effort=FIRST_FIT)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("a", 2, 2, 4), r"lives in \[2, 2\)"),
        (("a", 0, 1, -4), "with -4 bytes"),
        (("a", 0, 1, 4.5), "the last three integers"),
        (("a", 0, 1), "the last three integers"),
        (("a", 0, 1, 1 << 62), "below 2\\^62"),
        (("a", 0, 1 << 62, 1), "below 2\\^62"),
    ],
)
def test_bad_buffers(row, words):
    with pytest.raises(InputError, match=words):
        plan_memory([row])
    for more in ({"align": 0}, {"align": 1.5}, {"capacity": -1}, {"capacity": "1"}, {"effort": -1}):
        ((name, value),) = more.items()
        with pytest.raises(InputError, match=rf"{name}={value!r}: an integer from"):
            plan_memory([("a", 0, 1, 4)], **more)


def test_tampered_plans_are_refused():
    buffers = [("a", 0, 4, 8), ("b", 1, 2, 8), ("c", 3, 6, 8), ("d", 2, 3, 8), ("none", 0, 9, 0)]
    check_plan(buffers, [0, 8, 8, 8, 3], 16)
    cases = [
        ([0, 7, 8, 8, 0], 1, r"'a' and 'b' are alive together in steps \[1, 2\) and share bytes \[7, 8\)"),
        ([0, 8, 15, 8, 0], 1, r"'c': bytes \[15, 23\) of an arena of 16"),
        ([4, 8, 8, 12, 0], 4, r"'d': bytes \[12, 20\)"),
        ([0, 8, 8, 9, 0], 4, r"'d': bytes \[9, 17\) of an arena of 16, aligned to 4"),
        ([0, -8, 8, 8, 0], 1, r"'b': bytes \[-8, 0\)"),
        ([0, 8, 4, 8, 0], 4, r"'a' and 'c' are alive together in steps \[3, 4\) and share bytes \[4, 8\)"),
        ([0, 8], 1, "2 offsets for 5 buffers"),
    ]
    for offsets, align, words in cases:
        with pytest.raises(InputError, match=words):
            check_plan(buffers, offsets, 16, align)


@settings(max_examples=150)
@given(st.lists(st.tuples(LIVES, st.integers(0, 12)), max_size=8))
def test_the_check_finds_what_comparing_all_pairs_finds(rows):
    buffers = named([(lower, lower + length, size) for (lower, length, size), _ in rows])
    offsets = [offset for _, offset in rows]
    cells = [
        (step, byte)
        for (_, lower, upper, size), offset in zip(buffers, offsets, strict=True)
        for step in range(lower, upper)
        for byte in range(offset, offset + size)
    ]
    if len(cells) == len(set(cells)):
        check_plan(buffers, offsets, 30)
    else:
        with pytest.raises(InputError, match="share bytes"):
            check_plan(buffers, offsets, 30)


def mobilenet_activations():
    """Bytes of the activations of MobileNetV1, width 1/4, on 96 × 96 × 3 images in int8 (the visual wake words net)."""
    side, channels = 48, 8
    made = [96 * 96 * 3, side * side * channels]
    outputs = (16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256)
    for stride, after in zip((1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1), outputs, strict=True):
        side //= stride
        made += [side * side * channels, side * side * after]
        channels = after
    return [*made, channels, 2, 2]


def test_visual_wake_words_reach_the_bound_where_first_fit_does_not():
    made = mobilenet_activations()
    buffers = named([(max(i - 1, 0), i + 1, size) for i, size in enumerate(made)])
    lower, upper, size = (np.array(column) for column in zip(*(b[1:] for b in buffers), strict=True))
    lives, _ = lives_of(lower, upper, size)
    placer = Placer(lives)
    assert placer.height(placer.first_fit(turns(lives, "size"))) == 64_512
    plan = plan_memory(buffers)
    assert (plan.size, plan.bound, plan.optimal) == (55_296, 55_296, True)


def read(path):
    lines = path.read_text().splitlines()[1:]
    return [(i, int(lower), int(upper), int(size)) for i, lower, upper, size in (line.split(",") for line in lines)]


@pytest.mark.parametrize(("name", "capacity"), [("A.1048576", 1_048_576), ("B.1048576", 1_048_576), ("input.12", 12)])
def test_minimalloc_sets_fit_their_capacity(shared, name, capacity):
    buffers = read(shared / "reference" / "minimalloc" / f"{name}.csv")
    for rows in (buffers, random.Random(1).sample(buffers, len(buffers))):
        plan = plan_memory(rows, capacity=capacity)
        assert (plan.size, plan.bound, plan.optimal) == (capacity, capacity, True)
        check_plan(rows, plan.offsets, capacity)
    odd = plan_memory([(i, lower, upper, 4095 * size) for i, lower, upper, size in buffers], capacity=4095 * capacity)
    assert odd.size == 4095 * capacity


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("mlperf_kws_dscnn_int8", 16_000),
        ("mlperf_resnet8_int8", 49_152),
        ("lyra_soundstream_encoder_16x8", 114_560),
        ("mww_v2_alexa", 7_200),
    ],
)
def test_arenas_of_models_are_proven(shared, name, size):
    plan = plan_memory(live_ranges(hb.load(shared / "models" / "tflite" / f"{name}.tflite")))
    assert (plan.size, plan.optimal) == (size, True)


def test_every_model_is_proven(shared):
    paths = [p for kind in ("tflite", "onnx") for p in sorted((shared / "models" / kind).glob(f"*.{kind}"))]
    assert len(paths) > 30
    unproven = [p.name for p in paths if not plan_memory(live_ranges(hb.load(p))).optimal]
    assert not unproven


def test_the_planner_refuses_its_own_wrong_plan(monkeypatch):
    def wrong(lower, upper, size, wanted, effort):
        return Placement((0,) * len(size), max(size), max(size), "everything at 0")

    monkeypatch.setattr("hwblocks.graph.memory.place", wrong)
    with pytest.raises(InputError, match=r"'a' and 'b' are alive together in steps \[1, 2\) and share bytes \[0, 4\)"):
        plan_memory([("a", 0, 2, 4), ("b", 1, 3, 4)])
