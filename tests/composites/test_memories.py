"""Memories against plain Python ones: addressed, by content, ring buffers; states, counts, every instruction set."""

from __future__ import annotations

import numpy as np
import pytest

import hwblocks as hb
import quantize as qz

STEPS, BANKS, SIZE, WIDTH = 24, 2, 5, (2, 3)


def traffic(seed=1):
    """(read, write, data, enable) of every sample."""
    rng = np.random.default_rng(seed)
    return {
        "read": rng.integers(0, SIZE, (STEPS, BANKS, 3)).astype(np.float32),
        "write": rng.integers(0, SIZE, (STEPS, BANKS, 2)).astype(np.float32),
        "data": rng.normal(size=(STEPS, BANKS, 2, *WIDTH)).astype(np.float32),
        "enable": rng.random((STEPS, BANKS, 2)) < 0.6,
    }


def replayed(given, data, write_first):
    """What is read from lists of rows, sample after sample; and how many rows were written."""
    memory = [[np.zeros(WIDTH, data.dtype) for _ in range(SIZE)] for _ in range(BANKS)]
    made, count = [], 0
    for t in range(STEPS):
        read = [[memory[b][int(a)].copy() for a in given["read"][t, b]] for b in range(BANKS)]
        for b in range(BANKS):
            for port, address in enumerate(given["write"][t, b]):
                if given["enable"][t, b, port]:
                    memory[b][int(address)] = data[t, b, port]
                    count += 1
        if write_first:
            read = [[memory[b][int(a)].copy() for a in given["read"][t, b]] for b in range(BANKS)]
        made.append(read)
    return np.array(made), count


@pytest.mark.parametrize("write_first", [False, True])
def test_an_addressed_memory_is_lists_of_rows(write_first):
    given = traffic()
    block = hb.Memory(SIZE, WIDTH, BANKS, write_first)
    graph = block.graph(*(a[:1] for a in given.values()))
    x = dict(zip(graph.inputs, given.values(), strict=True))
    wanted, count = replayed(given, given["data"], write_first)
    run = hb.run(graph, x, state="carry")
    np.testing.assert_array_equal(run.outputs[graph.outputs[0]], wanted)
    assert run.events["memory/write"].active == count
    q = qz.convert(graph, qz.calibrate(graph, x), "int8")
    format = q.tensors["memory/read"].format
    codes = np.clip(np.rint(given["data"] / format.scale) + format.zero_point, format.lo, format.hi)
    run = hb.run(q, x, state="carry")
    centred, _ = replayed(given, codes - format.zero_point, write_first)
    np.testing.assert_array_equal(run.outputs["memory/read"], centred + format.zero_point)
    assert run.events["memory/write"].active == count


def test_everything_is_read_and_written():
    block = hb.Memory(SIZE, 3, BANKS)
    graph = block.graph(None, None, (1, BANKS, SIZE, 3))
    data = np.random.default_rng(2).normal(size=(4, BANKS, SIZE, 3)).astype(np.float32)
    run = hb.run(graph, data, state="carry")
    np.testing.assert_array_equal(
        next(iter(run.outputs.values())), np.concatenate([np.zeros_like(data[:1]), data[:-1]])
    )
    q = qz.convert(graph, qz.calibrate(graph, data), "int8")
    assert hb.Simulator(q).plan.unserved == {}
    definition = hb.Simulator(q, engine="definition").run(data, state="carry")
    for name, array in hb.Simulator(q).run(data, state="carry").outputs.items():
        np.testing.assert_array_equal(array, definition.outputs[name])


def test_words_and_bytes_are_counted():
    given = traffic()
    graph = hb.Memory(SIZE, WIDTH, BANKS).graph(*(a[:1] for a in given.values()))
    q = qz.convert(graph, qz.calibrate(graph, dict(zip(graph.inputs, given.values(), strict=True))), "int16x8")
    for model, bits in ((graph, 32), (q, 16)):
        rows = {row["layer"]: row for row in hb.profile(model).layers}
        assert (rows["memory/read"]["reads"], rows["memory/write"]["writes"]) == (BANKS * 3 * 6, BANKS * 2 * 6)
        assert rows["memory/read"]["memory_bytes"] == BANKS * 3 * 6 * bits // 8


@pytest.mark.parametrize("ordered", [True, False])
def test_a_ring_buffer_keeps_the_last_rows(ordered):
    x = np.arange(7 * 3 * 2, dtype=np.float32).reshape(7, 3, 2)
    graph = hb.RingBuffer(4, 2, ordered=ordered).graph((1, 3, 2))
    ring, position, wanted, positions = [np.zeros(2)] * 4, 0, [], []
    for rows in x:
        for row in rows:
            ring[position] = row
            position = (position + 1) % 4
        wanted.append([ring[(position + i) % 4] for i in range(4)] if ordered else list(ring))
        positions.append(position)
    q = qz.convert(graph, qz.calibrate(graph, x), "int8")
    for run in (hb.run(graph, x, state="carry"), hb.run(q, x, state="carry")):
        step = 0 if run.graph is graph else q.tensors[q.outputs[0]].format.scale / 2
        shown, *rest = run.real.values()
        assert np.abs(shown - np.array(wanted)).max() <= step * 1.001
        if rest:
            assert rest[0].ravel().tolist() == positions


def softmax(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def turing(keys, writes, erases, adds, rows, unit=False):
    """A neural Turing machine's memory, sample after sample and head after head."""
    rows, made = rows.copy(), []

    def weigh(key):
        other = rows / np.linalg.norm(rows, axis=1, keepdims=True) if unit else rows
        return softmax(2.0 * np.array([r @ (key / np.linalg.norm(key) if unit else key) for r in other]))

    for t in range(len(keys)):
        made.append([weigh(key) @ rows for key in keys[t]])
        weights = [weigh(key) for key in writes[t]]
        for w, e in zip(weights, erases[t]):
            rows = rows * (1 - np.outer(w, e))
        for w, a in zip(weights, adds[t]):
            rows = rows + np.outer(w, a)
    return np.array(made)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_a_memory_by_content_is_a_turing_machine(isa, similarity):
    rng = np.random.default_rng(5)
    start = rng.normal(size=(6, 4))
    block = hb.ContentMemory(6, 4, similarity, 2.0, initial=start)
    graph = block.graph(*((1, 2, 4),) * 4)
    x = {name: rng.random((9, 2, 4)).astype(np.float32) for name in graph.inputs}
    wanted = turing(*x.values(), np.float32(start), similarity == "cosine")
    read = graph.outputs[0]
    run = hb.run(graph, x, state="carry")
    np.testing.assert_allclose(run.outputs[read], wanted, rtol=1e-4, atol=1e-5)
    q = qz.convert(graph, qz.calibrate(graph, x), "int8")
    simulator = hb.Simulator(q, isa=isa)
    fast = simulator.run(x, state="carry")
    slow = hb.Simulator(q, engine="definition").run(x, state="carry")
    np.testing.assert_array_equal(fast.outputs[read], slow.outputs[read])
    assert np.abs(fast.real[read] - wanted).max() < 0.08 * np.abs(wanted).max()
    assert all("unit" in name for name in simulator.plan.unserved)


BAD = [
    (lambda: hb.Memory(4, 2)(np.array([[[4.0]]])), "no row from 0 to 3"),
    (lambda: hb.Memory(4, 2)(np.array([[[0.5]]])), "no row from 0 to 3"),
    (lambda: hb.Memory(4, 2, initial=np.zeros((4, 2)))(np.zeros((1, 1, 1))), "must be (1, 4, 2)"),
    (lambda: hb.Memory(4, 2)(np.zeros((1, 1, 1)), None, np.zeros((1, 1, 3, 2))), "data must be"),
    (lambda: hb.ContentMemory(4, 2, "taxicab"), "'taxicab'"),
    (lambda: hb.ContentMemory(4, 2)(np.zeros((1, 1, 2)), None, np.zeros((1, 1, 2))), "write_key"),
]


@pytest.mark.parametrize(("make", "words"), BAD, ids=range(len(BAD)))
def test_errors(make, words):
    with pytest.raises(hb.HwblocksError) as error:
        make()
    assert words in error.value.message
