"""User-written multiply-accumulates: compiled runs equal the definition, and both equal plain nested loops."""

from __future__ import annotations

import pickle
from itertools import product

import numpy as np
import pytest

import hwblocks as hb
from hwblocks.errors import FormatError, InputError, SimulationError
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic

RNG = np.random.default_rng(8)
TABLE = RNG.integers(-(1 << 15), 1 << 15, (256, 256))  # no structure at all: any wrong index shows


def plain(acc, a, w):
    return acc + a * w


def saturating(acc, a, w):
    s = acc + a * w
    if s > 32767:
        return 32767
    return -32768 if s < -32768 else s


def truncating(acc, a, w):
    return acc + ((a * w) & ~15)


def leading_ones(acc, a, w):
    """Each operand cut to its two leading bits: loops and branches."""
    sign = 1
    if a < 0:
        a, sign = -a, -sign
    if w < 0:
        w, sign = -w, -sign
    cut = 0
    while (a >> cut) > 3:
        cut += 1
    return acc + sign * ((a >> cut) << cut) * w


def order_matters(acc, a, w):
    return (3 * acc + 5 * a - 7 * w) ^ (a & w)


FUNCTIONS = (plain, saturating, truncating, leading_ones, order_matters)

# name: block, x shape of one sample, w shape
LAYERS = {
    "conv": (hb.Conv2d(stride=2, padding=1), (7, 6, 5), (9, 3, 3, 5)),
    "wide": (hb.Conv2d(padding=(1, 0), dilation=2), (8, 7, 3), (33, 3, 2, 3)),
    "narrow": (hb.Conv2d(), (6, 6, 4), (2, 3, 3, 4)),
    "groups": (hb.Conv2d(padding=1, groups=2), (5, 5, 6), (8, 3, 3, 3)),
    "depthwise": (hb.Conv2d(padding=1, groups=5), (6, 7, 5), (1, 3, 3, 10)),
    "pad code": (hb.Conv2d(padding=1, pad_code=0), (4, 4, 3), (5, 3, 3, 3)),
    "conv1d": (hb.Conv1d(padding=2), (11, 3), (7, 4, 3)),
    "conv3d": (hb.Conv3d(padding=1), (3, 4, 3, 2), (4, 2, 3, 2, 2)),
    "transposed": (hb.ConvTranspose2d(stride=2, padding=1), (4, 3, 3), (5, 3, 3, 3)),
    "linear": (hb.Linear(), (37,), (19, 37)),
    "rows": (hb.Linear(), (4, 12), (10, 12)),
    "weight": (hb.Weight(), (3, 4, 6), (6,)),
}


def layer(name, x_format, w_format, target="int8", bias=True, requantize="single_round"):
    block, x_shape, w_shape = LAYERS[name]
    rng = np.random.default_rng(len(name))
    build = GraphBuilder("g")
    x = build.input("x", (1, *x_shape), x_format)
    w = build.constant("w", rng.integers(w_format.lo, w_format.hi + 1, w_shape), w_format)
    outputs = block.shape((1, *x_shape), w_shape)[0][-1]
    b = build.constant("b", rng.integers(-3000, 3000, outputs), hb.Format("int32")) if bias else None
    arithmetic = Arithmetic(requantize=hb.Requantize.preset(requantize))
    out = hb.Format(target, scale=40.0, zero_point=3)
    given = (x, w) if b is None else (x, w, b)
    return build.build(build.add(block, *given, name="n", formats=[out], arithmetic=arithmetic))


def codes(format, shape, count=3, seed=1):
    return np.random.default_rng(seed).integers(format.lo, format.hi + 1, (count, *shape)).astype(format.dtype)


def both(graph, x, user, **more):
    """The outputs of the compiled run, which must equal the definition's; its events too."""
    fast = hb.Simulator(graph, accumulator=user, **more)
    exact = hb.Simulator(graph, accumulator=user, engine="definition")
    assert not fast.plan.unserved
    made, wanted = fast.run(x, trace="ranges"), exact.run(x, trace="ranges")
    (name,) = wanted.outputs
    np.testing.assert_array_equal(made.outputs[name], wanted.outputs[name])
    ours, theirs = made.events["n"], wanted.events["n"]
    for field in ("saturated", "final", "lowest", "highest", "outputs", "decided_by"):
        assert getattr(ours, field) == getattr(theirs, field), field
    return made.outputs[name]


U8, S8 = hb.Format("uint8", scale=0.5, zero_point=7), hb.Format("int8", scale=0.25)
ODD = hb.Format("int8", scale=0.25, zero_point=-3)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_equal_the_definition(function, name):
    zero_point, bias = ("correct", "subtract", "ignore")[len(name) % 3], ("last", "first", "step")[len(name) // 2 % 3]
    user = hb.mac(function, zero_point=zero_point, bias=bias, start=-11)
    x_format, w_format = ((U8, S8), (S8, ODD), (ODD, U8))[len(function.__name__) % 3]
    if "pad" in name:
        x_format = U8  # 0 is a code of it
    both(layer(name, x_format, w_format), codes(x_format, LAYERS[name][1]), user)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("formats", [(S8, S8), (U8, S8), (ODD, U8)])
def test_tables_equal_the_definition(name, formats):
    user = hb.mac(table=TABLE, operands=[f.name for f in formats], zero_point=("correct", "ignore")[len(name) % 2])
    both(layer(name, *formats), codes(formats[0], LAYERS[name][1]), user)


@pytest.mark.parametrize(
    "formats",
    [
        (hb.Format("int16", scale=0.1), S8),
        (hb.Format("uint16", scale=0.1, zero_point=40000), hb.Format("int16", scale=0.2)),
        (hb.Format("int32", scale=0.1), hb.Format("int32", scale=0.1)),
        (hb.Format("int4", scale=0.1, zero_point=2), hb.Format("uint2", scale=0.5, zero_point=1)),
    ],
)
@pytest.mark.parametrize("name", ["conv", "depthwise", "linear"])
def test_other_widths(name, formats):
    for function in (plain, saturating, order_matters):
        both(layer(name, *formats, target="int16"), codes(formats[0], LAYERS[name][1]), hb.mac(function))


@pytest.mark.parametrize("name", ["conv", "narrow", "linear"])
def test_zero_points_of_channels(name):
    outputs = LAYERS[name][2][0]
    zeros = tuple(int(v) for v in np.random.default_rng(3).integers(-20, 20, outputs))
    w_format = hb.Format("int8", scale=tuple([0.25] * outputs), zero_point=zeros, axis=0)
    graph = layer(name, U8, w_format)
    for user in (
        hb.mac(plain),
        hb.mac(saturating, zero_point="subtract"),
        hb.mac(table=TABLE, operands=("uint8", "int8")),
    ):
        both(graph, codes(U8, LAYERS[name][1]), user)
    exact = hb.Simulator(graph, engine="definition").run(codes(U8, LAYERS[name][1])).outputs
    np.testing.assert_array_equal(both(graph, codes(U8, LAYERS[name][1]), hb.mac(plain)), next(iter(exact.values())))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("zero_point", ["correct", "subtract"])
def test_exact_products_give_the_layer_itself(name, zero_point):
    x = codes(U8, LAYERS[name][1])
    graph = layer(name, U8, ODD)
    wanted = next(iter(hb.run(graph, x).outputs.values()))
    np.testing.assert_array_equal(both(graph, x, hb.mac(plain, zero_point=zero_point)), wanted)


def test_the_exact_table_gives_the_layer_itself():
    signed, unsigned = np.arange(-128, 128), np.arange(256)
    table = np.zeros((256, 256), np.int64)
    table[np.ix_(unsigned, signed)] = np.outer(unsigned, signed)
    for name in LAYERS:
        graph, x = layer(name, U8, ODD), codes(U8, LAYERS[name][1])
        made = both(graph, x, hb.mac(table=table, operands=("uint8", "int8")))
        np.testing.assert_array_equal(made, next(iter(hb.run(graph, x).outputs.values())))


def nested_loops(x, w, b, function, stride, pad, start, stored_pad, kind, zx, zw):
    """A convolution [H, W, C] by plain loops over stored codes, from the text of the documentation."""
    h, v, c = x.shape
    o, kh, kw, _ = w.shape
    rows, columns = (h + 2 * pad - kh) // stride + 1, (v + 2 * pad - kw) // stride + 1
    y = np.zeros((rows, columns, o), object)
    for i, j, n in product(range(rows), range(columns), range(o)):
        acc, exact, seen = start, 0, 0
        for r, s, k in product(range(kh), range(kw), range(c)):
            p, q = i * stride - pad + r, j * stride - pad + s
            a = int(x[p, q, k]) if 0 <= p < h and 0 <= q < v else stored_pad
            t = int(w[n, r, s, k])
            exact += (a - zx) * (t - zw)
            seen += a * t
            acc = function(acc, a - zx, t - zw) if kind == "subtract" else function(acc, a, t)
        y[i, j, n] = acc + (exact - seen if kind == "correct" else 0) + int(b[n])
    return y


@pytest.mark.parametrize("kind", ["correct", "subtract", "ignore"])
@pytest.mark.parametrize("function", [truncating, order_matters, saturating])
def test_sums_by_nested_loops(kind, function):
    rng = np.random.default_rng(4)
    x_format, w_format = hb.Format("uint8", scale=1.0, zero_point=7), hb.Format("int8", scale=1.0, zero_point=-3)
    x, w = rng.integers(0, 256, (5, 4, 2)).astype(np.uint8), rng.integers(-128, 128, (3, 2, 2, 2))
    b = rng.integers(-99, 99, 3)
    build = GraphBuilder("g")
    given = (
        build.input("x", (1, 5, 4, 2), x_format),
        build.constant("w", w, w_format),
        build.constant("b", b, hb.Format("int32")),
    )
    block, out = hb.Conv2d(stride=2, padding=1), hb.Format("int32", scale=1.0)
    arithmetic = Arithmetic(requantize=hb.Requantize.preset("exact"))
    graph = build.build(build.add(block, *given, name="n", formats=[out], arithmetic=arithmetic))
    if function is order_matters:
        out = hb.Format("int32", scale=1.0)
    made = both(graph, x[None], hb.mac(function, zero_point=kind, start=5))
    wanted = nested_loops(x, w, b, function, 2, 1, 5, 7, kind, 7, -3)
    np.testing.assert_array_equal(made[0], np.clip(wanted, -(1 << 31), (1 << 31) - 1).astype(np.int64))


@pytest.mark.parametrize("axes", ["hwc", "chw"])
def test_the_order_of_k(axes):
    x, w = RNG.integers(-99, 99, (1, 2, 2, 3)), RNG.integers(-99, 99, (1, 2, 2, 3))
    acc, order = 0, "ijk" if axes == "hwc" else "kij"
    ranges = {"i": range(2), "j": range(2), "k": range(3)}
    for index in product(*(ranges[letter] for letter in order)):
        i, j, k = (index[order.index(letter)] for letter in "ijk")
        acc = order_matters(acc, int(x[0, i, j, k]), int(w[0, i, j, k]))
    assert hb.Conv2d()(x, w=w, accumulator=hb.mac(order_matters, axes=axes)).ravel().tolist() == [acc]
    graph = layer("conv", U8, S8)
    both(graph, codes(U8, LAYERS["conv"][1]), hb.mac(order_matters, axes=axes))


def matmul_graph(a_shape, b_shape):
    build = GraphBuilder("g")
    a, b = build.input("a", a_shape, U8), build.input("b", b_shape, ODD)
    arithmetic = Arithmetic(requantize=hb.Requantize.preset("single_round"))
    out = hb.Format("int16", scale=20.0)
    return build.build(build.add(hb.MatMul(), a, b, name="n", formats=[out], arithmetic=arithmetic))


@pytest.mark.parametrize(
    "shapes",
    [((1, 5, 7), (1, 7, 9)), ((1, 2, 5, 7), (1, 2, 7, 3)), ((1, 2, 5, 7), (7, 3)), ((1, 3, 4, 4), (1, 1, 4, 2))],
)
@pytest.mark.parametrize(
    "user",
    [hb.mac(order_matters), hb.mac(saturating, zero_point="subtract"), hb.mac(table=TABLE, operands=("uint8", "int8"))],
)
def test_products_of_two_inputs(shapes, user):
    graph = matmul_graph(*shapes)
    count = 3 if graph.batched else 1
    data = {n: codes(f, s[1:] if s[0] == 1 else s, count, 5) for n, s, f in zip("ab", shapes, (U8, ODD))}
    if not graph.batched:
        data = {n: v.reshape(1, *s) for (n, v), s in zip(data.items(), shapes)}
    both(graph, data, user)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 4, 21])
def test_batches_and_threads(batch, threads):
    graph, x = layer("conv", U8, S8), codes(U8, LAYERS["conv"][1], 21)
    for user in (hb.mac(order_matters), hb.mac(table=TABLE, operands=("uint8", "int8"))):
        whole = next(iter(hb.run(graph, x, accumulator=user, threads=1).outputs.values()))
        made = hb.Simulator(graph, accumulator={"n*": user}, threads=threads).run(x[:batch]).outputs
        np.testing.assert_array_equal(next(iter(made.values())), whole[:batch])


@pytest.mark.parametrize("count", [512, 513, 700])
def test_many_rows_of_a_table(count):
    """More rows than codes: products are laid out once; every remainder of the blocks of k and of results."""
    for inner, outputs in ((8, 32), (9, 40), (23, 8), (1, 65)):
        x, w = RNG.integers(-128, 128, (count, inner)), RNG.integers(-128, 128, (outputs, inner))
        wanted = sum(TABLE[x[:, None, k], w[None, :, k]] for k in range(inner))
        made = hb.Linear()(x[None], w=w, accumulator=hb.mac(table=TABLE))
        np.testing.assert_array_equal(made[0], wanted)


@pytest.mark.parametrize("largest", [1 << 31, (1 << 62) - 1])
def test_wide_tables_wrap_in_64_bits(largest):
    table = np.array([[largest, -largest - 1], [largest - 5, 3]])
    x, w = RNG.integers(0, 2, (600, 9)), RNG.integers(0, 2, (11, 9))
    made = hb.Linear()(x[None], w=w, accumulator=hb.mac(table=table, operands=("uint1", "uint1")))[0]
    wide = table.astype(object)
    wanted = [[sum(wide[a, b] for a, b in zip(row, column)) for column in w] for row in x]
    wrapped = (np.array(wanted, object) + (1 << 63)) % (1 << 64) - (1 << 63)
    np.testing.assert_array_equal(made, wrapped.astype(np.int64))


def test_functions_wrap_in_64_bits():
    user = hb.mac(lambda acc, a, w: acc * 3 + a * w * (1 << 40), name="huge")
    both(layer("conv", U8, S8, requantize="float32"), codes(U8, LAYERS["conv"][1]), user)


@pytest.mark.parametrize("bias", ["first", "last"])
def test_a_saturating_function_equals_the_accumulator(bias):
    for name in LAYERS:
        graph, x = layer(name, U8, S8), codes(U8, LAYERS[name][1])
        user = hb.mac(saturating, zero_point="subtract", bias="step" if bias == "last" else "first")
        wanted = hb.run(graph, x, accumulator=f"int16 saturate bias={bias}").outputs
        np.testing.assert_array_equal(both(graph, x, user), next(iter(wanted.values())))


def test_blocks_by_themselves():
    x, w, b = RNG.integers(-128, 128, (2, 5, 5, 3)), RNG.integers(-128, 128, (4, 3, 3, 3)), RNG.integers(-9, 9, 4)
    block = hb.Conv2d(padding=1)
    exact = block(x.astype(float), w=w.astype(float), b=b.astype(float)).astype(np.int64)
    for register in (hb.mac(plain), "int32 wrap", hb.Accumulator(24)):
        np.testing.assert_array_equal(block(x, w=w, b=b, accumulator=register), exact)
    narrow = block(x, w=w, b=b, accumulator="int16 saturate bias=first")
    np.testing.assert_array_equal(block(x, w=w, b=b, accumulator=hb.mac(saturating, bias="first")), narrow)
    with pytest.raises(InputError, match="sums integers, not float64"):
        block(x.astype(float), w=w, accumulator=hb.mac(plain))
    with pytest.raises(FormatError, match=r"a is codes, .*the table takes int8, -128 to 127"):
        block(x + 200, w=w, accumulator=hb.mac(table=TABLE))


def test_chosen_by_pattern_and_not_saved(tmp_path):
    graph, x = layer("conv", U8, S8), codes(U8, LAYERS["conv"][1])
    user = hb.mac(order_matters)
    simulator = hb.Simulator(graph, accumulator={"*": "int24 saturate", "n": user})
    assert simulator.run(x).events["n"].decided_by == "argument 'n'"
    with pytest.raises(SimulationError, match="mac 'order_matters' lives in this process only"):
        hb.save(simulator.graph, tmp_path / "q.hwb")
    with pytest.raises(SimulationError, match="lives in this process only"):
        pickle.dumps(simulator.graph)
    hb.save(simulator.source, tmp_path / "q.hwb")
    back = hb.Simulator(graph, accumulator={"n": user, "*": "int32 wrap"}).run(x).outputs
    np.testing.assert_array_equal(next(iter(back.values())), next(iter(hb.run(graph, x).outputs.values())))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"function": lambda acc, a: acc}, r"needs the arguments \(acc, a, w\), but takes \(acc, a\)"),
        ({"function": 3}, "needs a Python function"),
        ({"function": plain, "table": TABLE}, "not both"),
        ({"function": plain, "bias": "never"}, "bias='never'; use last, first, step"),
        ({"function": plain, "start": 1 << 63}, "does not fit 64 bits"),
        ({"function": plain, "operands": ("int8", "int8")}, "belongs to a table"),
        ({"table": TABLE[:100]}, r"needs shape \(2\*\*bits of a, 2\*\*bits of w\).*not \(100, 256\)"),
        ({"table": TABLE[0]}, r"not \(256,\)"),
        ({"table": TABLE * 1.0}, "holds integers, not float64"),
        ({"table": [[1 << 63, 0], [0, 0]]}, "must fit 64 bits"),
        ({"table": TABLE, "zero_point": "subtract"}, "indexed by stored codes"),
        ({"table": TABLE, "bias": "step"}, "no product of the bias"),
        ({"table": TABLE, "operands": ("int8", "int4")}, r"int8 and int4 do not index a table of \(256, 256\)"),
        ({"table": TABLE, "operands": "int8"}, "give two formats"),
    ],
)
def test_records_are_checked(arguments, message):
    with pytest.raises(FormatError, match=message):
        hb.mac(**arguments)


def test_a_bare_function_is_refused():
    with pytest.raises(FormatError, match="decorate it with @hb.mac"):
        hb.Simulator(layer("conv", U8, S8), accumulator=plain)


def by_length(acc, a, w):
    size = int(a).bit_length()
    return acc + a * w + (size > 99)


def divides(acc, a, w):
    return acc + a * w / 2


def raises(acc, a, w):
    return acc + a // (w - w)


def test_functions_that_numba_refuses():
    graph, x = layer("linear", U8, S8), codes(U8, (37,))
    line = by_length.__code__.co_firstlineno
    with pytest.raises(SimulationError, match=rf"test_user_macs.py, line {line + 1}.*engine=\"definition\" runs it"):
        hb.run(graph, x, accumulator=hb.mac(by_length))
    exact = hb.Simulator(graph, accumulator=hb.mac(by_length), engine="definition").run(x).outputs
    np.testing.assert_array_equal(next(iter(exact.values())), next(iter(hb.run(graph, x).outputs.values())))
    with pytest.raises(SimulationError, match="returns float64, needs an integer"):
        hb.run(graph, x, accumulator=hb.mac(divides))
    with pytest.raises(SimulationError, match="TypeError: 'float' object cannot be interpreted as an integer"):
        hb.Simulator(graph, accumulator=hb.mac(divides), engine="definition").run(x)
    for engine in ("fast", "definition"):
        with pytest.raises(SimulationError, match="mac 'raises': the function raised ZeroDivisionError"):
            hb.Simulator(graph, accumulator=hb.mac(raises), engine=engine).run(x)


@pytest.mark.parametrize("engine", ["fast", "definition"])
def test_nodes_that_do_not_suit(engine):
    graph = layer("conv", U8, S8)
    with pytest.raises(SimulationError, match="Conv2d 'n': mac 'table': a is uint8, 0 to 255; the table takes int8"):
        hb.Simulator(graph, accumulator=hb.mac(table=TABLE), engine=engine).run(codes(U8, (7, 6, 5)))
    chain = hb.Sequential(hb.Linear(weight=np.ones((2, 3))), input_shape=(3,))
    with pytest.raises(SimulationError, match="Linear 'linear0': mac 'plain' works on stored codes"):
        hb.Simulator(chain, accumulator=hb.mac(plain), engine=engine).run(np.ones((1, 3)))


def test_a_whole_model(shared):
    """A table of exact products in every layer changes nothing; every node stays compiled."""
    table, span = np.zeros((256, 256), np.int64), np.arange(-128, 128)
    table[np.ix_(span, span)] = np.outer(span, span)
    graph = hb.load(shared / "models/tflite/mlperf_kws_dscnn_int8.tflite")
    x = np.random.default_rng(0).integers(-128, 128, (3, *graph.tensors[graph.inputs[0]].shape[1:])).astype(np.int8)
    simulator = hb.Simulator(graph, accumulator=hb.mac(table=table))
    assert simulator.plan.unserved == hb.Simulator(graph).plan.unserved
    made = simulator.run(x).outputs
    for name, wanted in hb.run(graph, x).outputs.items():
        np.testing.assert_array_equal(made[name], wanted)
