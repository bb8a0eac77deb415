"""Threads of the core: the same integers and events however samples are shared out; errors, fork, exit, interruption."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.cli.demo_data import demo_samples
from hwblocks.errors import InputError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.edge import EdgeRule
from hwblocks.numerics.formats import Format
from hwblocks.simulate.direct import Job, run_samples, smallest_part

COUNTS = (1, 2, 3, 13, 130)
THREADS = range(1, 9)


@pytest.fixture(scope="module")
def codes(model):
    images = model.tensors["image"].format.quantize(demo_samples()["images"])
    return images[:130]


@pytest.fixture(scope="module")
def exact(model, codes):
    """Outputs and events of the definition, by number of samples."""
    simulator = hb.Simulator(model, engine="definition", threads=1)
    return {count: simulator.run(codes[:count], trace="ranges") for count in COUNTS}


def counted(events):
    return {n: (e.saturated, e.final, e.outputs, e.lowest, e.highest) for n, e in events.items()}


def test_any_number_of_threads_and_samples(model, codes, exact, compiled_isa):
    for threads in THREADS:
        simulator = hb.Simulator(model, threads=threads, isa=compiled_isa)
        for count, wanted in exact.items():
            run = simulator.run(codes[:count], trace="ranges")
            np.testing.assert_array_equal(run.outputs["probabilities"], wanted.outputs["probabilities"])
            assert counted(run.events) == counted(wanted.events), (threads, count)


def test_any_size_of_parts(model, codes, exact, compiled_isa):
    simulator = hb.Simulator(model, isa=compiled_isa)
    direct, wanted = simulator._direct(simulator.plan, (), 2), exact[130]
    for threads in (1, 2, 5):
        for part, chunk in ((1, 1), (1, 128), (7, 7), (8, 27), (64, 64), (128, 128)):
            told = []
            some = replace(direct, part=part, chunk=chunk, call=chunk)
            arrays, _, events = some.run(Job({"image": codes}, 130, 2, {}, False, threads, told.append, True))
            np.testing.assert_array_equal(arrays["probabilities"], wanted.outputs["probabilities"])
            assert counted(events()) == counted(wanted.events), (threads, part, chunk)
            assert sum(told) == 130


def test_one_sample_shared_between_threads(model, codes, exact, compiled_isa):
    simulator = hb.Simulator(model, isa=compiled_isa)
    direct, wanted = simulator._direct(simulator.plan, (), 2), exact[1]
    for threads in THREADS:
        for split in (1, 50, 1000):
            for _ in range(5):
                job = Job({"image": codes[:1]}, 1, 2, {}, False, threads, None, True)
                arrays, _, events = replace(direct, split=split).run(job)
                np.testing.assert_array_equal(arrays["probabilities"], wanted.outputs["probabilities"])
                assert counted(events()) == counted(wanted.events), (threads, split)


@pytest.mark.parametrize("name", ["mlperf_kws_dscnn_int8", "mlperf_resnet8_int8"])
def test_one_sample_of_a_published_model(shared, name):
    rng = np.random.default_rng(3)
    graph = hb.load(shared / "models" / "tflite" / f"{name}.tflite")
    tensor = graph.tensors[graph.inputs[0]]
    x = rng.integers(-128, 128, (3, *tensor.shape)).astype(tensor.format.dtype)
    wanted = hb.Simulator(graph, threads=1).run(x, trace="ranges")
    for threads in (2, 3, 8):
        simulator = hb.Simulator(graph, threads=threads)
        direct = replace(simulator._direct(simulator.plan, (), 1), split=20_000)
        for sample in range(3):
            arrays, _, _ = direct.run(Job({tensor.name: x[sample : sample + 1]}, 1, 1, {}, False, threads))
            for output, array in arrays.items():
                np.testing.assert_array_equal(array[0], wanted.outputs[output][sample])


def test_bound_runs_share_their_samples(model, codes, exact, compiled_isa):
    for threads in (1, 2, 8):
        bound = hb.Simulator(model, threads=threads, isa=compiled_isa).bind(130)
        bound.inputs["image"][...] = codes.reshape(bound.inputs["image"].shape)
        for times in (1, 2, 3):
            bound.run()
            np.testing.assert_array_equal(
                bound.outputs["probabilities"].reshape(130, -1), exact[130].outputs["probabilities"].reshape(130, -1)
            )
            sums = {n: times * e.saturated for n, e in exact[130].events.items()}
            assert {n: e.saturated for n, e in bound.events.items()} == sums
            time.sleep(0.002)  # workers fall asleep


def test_several_threads_of_python_at_once(model, codes, exact):
    simulator, wrong = hb.Simulator(model, threads=3), []

    def work(count):
        for _ in range(30):
            run = simulator.run(codes[:count], trace="ranges")
            same = np.array_equal(run.outputs["probabilities"], exact[count].outputs["probabilities"])
            if not same or counted(run.events) != counted(exact[count].events):
                wrong.append(count)

    callers = [threading.Thread(target=work, args=(count,)) for count in (130, 13, 130, 3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def edges():
    """A graph of a float input that is quantized in the core."""
    build = GraphBuilder("g")
    x = build.input("x", (1, 5))
    codes = build.add(
        hb.Quantize(), x, formats=[Format("int8", scale=0.5)], arithmetic=Arithmetic(edge=EdgeRule.parse("half_away"))
    )
    return build.build(codes)


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("bad", [(0,), (99,), (17, 64, 98)])
def test_nan_stops_all_threads(compiled_isa, threads, bad):
    bound = hb.Simulator(edges(), threads=threads, isa=compiled_isa).bind(100)
    assert bound._direct is not None
    bound._call = replace(bound._direct, part=1).prepared(
        Job(bound.inputs, 100, 1, {}, False, threads), bound._slots
    )  # small parts: every thread takes some
    for sample in bad:
        bound.inputs["x"][sample] = np.nan
    with pytest.raises(InputError, match="NaN cannot be quantized"):
        bound.run()
    bound.inputs["x"][...] = 1.0
    bound.run()
    assert all(np.all(array == 2) for array in bound.outputs.values())


def test_a_caller_of_progress_is_told_in_its_own_thread(model, codes):
    told = []
    simulator = hb.Simulator(model, threads=4)
    simulator.run(np.concatenate([codes] * 9), progress=lambda count: told.append((count, threading.get_ident())))
    assert sum(count for count, _ in told) == 9 * len(codes)
    assert {thread for _, thread in told} == {threading.get_ident()}


class AlarmError(Exception):
    """What the handler of a signal raises."""


def test_a_signal_ends_a_long_run(model, codes, compiled_isa):
    simulator = hb.Simulator(model, threads=2, isa=compiled_isa)
    direct = replace(simulator._direct(simulator.plan, (), 1), call=64)
    many = np.concatenate([codes] * 8000)
    job = Job({"image": many}, len(many), 1, {}, False, 2)
    call = direct.prepared(job, direct.slots(job))

    def ring(*_):
        raise AlarmError

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(AlarmError):
            run_samples(call, 0, len(many))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert simulator.run(codes).outputs


def script(body):
    """Python text that runs `body` with a simulator on four threads, codes and the outputs that are right."""
    return (
        "import os, sys, threading, numpy as np, hwblocks as hb, quantize as qz\n"
        "from hwblocks.cli.demo_data import demo_graph, demo_samples\n"
        "samples = demo_samples()\n"
        "graph = demo_graph()\n"
        "model = qz.convert(graph, qz.calibrate(graph, samples['calibration'][:60]), recipe='int8')\n"
        "codes = model.tensors['image'].format.quantize(samples['images'])\n"
        "wanted = hb.Simulator(model, threads=1).run(codes).outputs['probabilities']\n"
        "simulator = hb.Simulator(model, threads=4)\n"
        "def right(): return np.array_equal(simulator.run(codes).outputs['probabilities'], wanted)\n"
    ) + body


FORK = """
assert right()
for _ in range(5):
    child = os.fork()
    if child == 0:
        os._exit(0 if all(right() for _ in range(5)) else 3)
    assert right()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""

FORK_BESIDE_A_RUN = """
ended = threading.Event()
def work():
    while not ended.is_set(): right()
beside = threading.Thread(target=work)
beside.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        os._exit(0 if right() else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
ended.set()
beside.join()
assert right()
"""

EXIT_AT_ONCE = "assert right()\n"

EXIT_BESIDE_A_RUN = """
def work():
    while True: right()
threading.Thread(target=work, daemon=True).start()
assert right()
"""


@pytest.mark.parametrize("body", [FORK, FORK_BESIDE_A_RUN, EXIT_AT_ONCE, EXIT_BESIDE_A_RUN])
def test_processes_fork_and_end(body):
    done = subprocess.run([sys.executable, "-c", script(body)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_an_idle_pool_uses_no_processor(model, codes):
    hb.Simulator(model, threads=4).run(codes)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.1


def test_smallest_parts_by_hand():
    assert smallest_part(1000, 800_000, 1, 128) == 1  # 4,000 + 1,000 ns
    assert smallest_part(100, 80_000, 1, 128) == 10
    assert smallest_part(100, 80_000, 8, 128) == 16
    assert smallest_part(0, 0, 1, 128) == 128
    assert smallest_part(100, 80_000, 6, 4) == 4
