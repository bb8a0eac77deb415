"""Random models with WHILE and IF: integer and float bodies, nested loops, branches, variables read and assigned inside."""

from __future__ import annotations

import numpy as np
from control_cases import numbers
from control_models import Sub, T, build
from flatbuffers import flexbuffers

LOOP = ("WhileOptions", {"condSubgraphIndex": 1, "bodySubgraphIndex": 2})
WIDTH = 6


def codes(rng):
    """Quantization of int8 tensors that all have one scale, so that they can be carried."""
    return {"scale": np.float32(rng.uniform(0.02, 0.1)), "zero": int(rng.integers(-40, 40))}


def layer(rng, sub, x, q, kind):
    """A random operator from x to a tensor of the same kind."""
    name = str(
        rng.choice(("ADD", "MUL", "FULLY_CONNECTED", "MAXIMUM") if kind == "int8" else ("ADD", "MUL", "MAXIMUM"))
    )
    y = sub.add(T((1, WIDTH), kind, **q))
    if name == "FULLY_CONNECTED":
        scale = np.float32(rng.uniform(0.002, 0.02))
        w = sub.const(rng.integers(-127, 128, (WIDTH, WIDTH)), "int8", scale=scale)
        b = sub.const(rng.integers(-900, 900, WIDTH), "int32", scale=np.float32(scale * q["scale"]))
        return sub.op(name, [x, w, b], [y], ("FullyConnectedOptions", {}))
    other = q if name == "MAXIMUM" else {**q, "scale": np.float32(rng.uniform(0.01, 0.05))} if q else {}
    k = sub.const(numbers(rng, kind, (1, WIDTH)), kind, **other)
    table = {"ADD": "AddOptions", "MUL": "MulOptions", "MAXIMUM": "MaximumMinimumOptions"}[name]
    return sub.op(name, [x, k], [y], (table, {}))


def counted(sub, i):
    """i + 1."""
    one, j = sub.const(np.int32(1), "int32"), sub.add((), "int32")
    return sub.op("ADD", [i, one], [j], ("AddOptions", {}))


def below(sub, i, limit):
    """i < limit."""
    n, o = sub.const(np.int32(limit), "int32"), sub.add((), "bool")
    return sub.op("LESS", [i, n], [o], ("LessOptions", {}))


def chain(rng, sub, x, q, kind):
    """One to three operators."""
    for _ in range(int(rng.integers(1, 4))):
        x = layer(rng, sub, x, q, kind)
    return x


def carried(sub, q, kind):
    """The two values that a loop carries: a counter and a row."""
    return sub.input((), "int32"), sub.input((1, WIDTH), kind, **q)


def loop_of(sub, q, kind, i, x, options=LOOP):
    """A WHILE on a counter and a row."""
    made = sub.add((), "int32"), sub.add(T((1, WIDTH), kind, **q))
    sub.op("WHILE", [i, x], list(made), options)
    return made


def samples(rng, kind):
    return [[np.array(rng.integers(-2, 6), np.int32), numbers(rng, kind, (1, WIDTH))] for _ in range(3)]


def loop(rng, kind):
    """A counted loop; operators before and after it."""
    q = codes(rng) if kind == "int8" else {}
    main, cond, body = Sub(), Sub(), Sub()
    i, x = carried(main, q, kind)
    main.outputs = list(loop_of(main, q, kind, i, chain(rng, main, x, q, kind)))
    main.outputs[1] = layer(rng, main, main.outputs[1], q, kind)
    i, x = carried(cond, q, kind)
    cond.outputs = [below(cond, i, int(rng.integers(0, 7)))]
    i, x = carried(body, q, kind)
    body.outputs = [counted(body, i), chain(rng, body, x, q, kind)]
    return build(main, cond, body), samples(rng, kind)


def integer_loop(rng):
    return loop(rng, "int8")


def float_loop(rng):
    return loop(rng, "float32")


def searching_loop(rng):
    """A loop that ends when the row's sum passes a limit, or after a number of trips."""
    main, cond, body = Sub(), Sub(), Sub()
    i, x = carried(main, {}, "float32")
    main.outputs = list(loop_of(main, {}, "float32", i, x))
    i, x = carried(cond, {}, "float32")
    total, small, both = cond.add((1,), "float32"), cond.add((1,), "bool"), cond.add((1,), "bool")
    cond.op("REDUCE_MAX", [x, cond.const(np.array([1]), "int32")], [total], ("ReducerOptions", {}))
    limit = cond.const(np.array([rng.uniform(2, 40)], np.float32), "float32")
    cond.op("LESS", [total, limit], [small], ("LessOptions", {}))
    cond.op("LOGICAL_AND", [small, below(cond, i, 12)], [both], ("LogicalAndOptions", {}))
    cond.outputs = [both]
    i, x = carried(body, {}, "float32")
    y, k = body.add((1, WIDTH), "float32"), body.const(np.array([rng.uniform(1.1, 3)], np.float32), "float32")
    body.op("MUL", [x, k], [y], ("MulOptions", {}))
    body.outputs = [counted(body, i), y]
    given = [[np.array(r, np.int32), rng.uniform(0.1, 3, (1, WIDTH)).astype(np.float32)] for r in (0, 3, 20)]
    return build(main, cond, body), given


def nested_loop(rng):
    """A loop in a loop; the inner one starts anew each time."""
    q, inner = codes(rng), ("WhileOptions", {"condSubgraphIndex": 3, "bodySubgraphIndex": 4})
    subs = main, cond, body, inner_cond, inner_body = [Sub() for _ in range(5)]
    i, x = carried(main, q, "int8")
    main.outputs = list(loop_of(main, q, "int8", i, x))
    for sub, limit in ((cond, 3), (inner_cond, int(rng.integers(1, 4)))):
        i, x = carried(sub, q, "int8")
        sub.outputs = [below(sub, i, limit)]
    i, x = carried(body, q, "int8")
    start = body.const(np.int32(0), "int32")
    body.outputs = [counted(body, i), loop_of(body, q, "int8", start, layer(rng, body, x, q, "int8"), inner)[1]]
    i, x = carried(inner_body, q, "int8")
    inner_body.outputs = [counted(inner_body, i), layer(rng, inner_body, x, q, "int8")]
    return build(*subs), samples(rng, "int8")


def branch(rng):
    """IF on a comparison of the counter."""
    kind = str(rng.choice(("int8", "float32")))
    q = codes(rng) if kind == "int8" else {}
    main, first, second = Sub(), Sub(), Sub()
    i, x = carried(main, q, kind)
    y = main.add(T((1, WIDTH), kind, **q))
    main.op("IF", [below(main, i, 2), x], [y], ("IfOptions", {"thenSubgraphIndex": 1, "elseSubgraphIndex": 2}))
    main.outputs = [y]
    for sub in (first, second):
        x = sub.input((1, WIDTH), kind, **q)
        sub.outputs = [chain(rng, sub, x, q, kind)]
    return build(main, first, second), samples(rng, kind)


def handle(sub):
    made = sub.add((), "resource")
    return sub.op("VAR_HANDLE", [], [made], ("VarHandleOptions", {"container": "", "sharedName": "kept"}))


def read(sub, q, kind):
    made = sub.add(T((1, WIDTH), kind, **q))
    return sub.op("READ_VARIABLE", [handle(sub)], [made], ("ReadVariableOptions", {}))


def assign(sub, value):
    sub.op("ASSIGN_VARIABLE", [handle(sub), value], [], ("AssignVariableOptions", {}))


def loop_with_variable(rng):
    """A body that adds its row to a variable; the model's samples are a sequence."""
    q = {"scale": np.float32(0.05), "zero": 4}
    main, cond, body, initial = [Sub() for _ in range(4)]
    main.op("CALL_ONCE", [], [], ("CallOnceOptions", {"initSubgraphIndex": 3}))
    i, x = carried(main, q, "int8")
    count, row = loop_of(main, q, "int8", i, x)
    main.outputs = [count, row, read(main, q, "int8")]
    i, x = carried(cond, q, "int8")
    cond.outputs = [below(cond, i, int(rng.integers(1, 5)))]
    i, x = carried(body, q, "int8")
    total = body.add(T((1, WIDTH), "int8", **q))
    body.op("ADD", [read(body, q, "int8"), x], [total], ("AddOptions", {}))
    assign(body, total)
    body.outputs = [counted(body, i), layer(rng, body, x, q, "int8")]
    assign(initial, initial.const(rng.integers(-20, 20, (1, WIDTH)), "int8", **q))
    return build(main, cond, body, initial), samples(rng, "int8")


def branch_with_variable(rng):
    """Only one branch assigns the variable."""
    q = {"scale": np.float32(0.05), "zero": -7}
    main, first, second, initial = [Sub() for _ in range(4)]
    main.op("CALL_ONCE", [], [], ("CallOnceOptions", {"initSubgraphIndex": 3}))
    i, x = carried(main, q, "int8")
    y = main.add(T((1, WIDTH), "int8", **q))
    main.op("IF", [below(main, i, 2), x], [y], ("IfOptions", {"thenSubgraphIndex": 1, "elseSubgraphIndex": 2}))
    main.outputs = [y, read(main, q, "int8")]
    x = first.input((1, WIDTH), "int8", **q)
    made = layer(rng, first, x, q, "int8")
    assign(first, made)
    first.outputs = [made]
    x = second.input((1, WIDTH), "int8", **q)
    total = second.add(T((1, WIDTH), "int8", **q))
    second.op("ADD", [read(second, q, "int8"), x], [total], ("AddOptions", {}))
    second.outputs = [total]
    assign(initial, initial.const(rng.integers(-20, 20, (1, WIDTH)), "int8", **q))
    return build(main, first, second, initial), samples(rng, "int8")


def rows_in_turn(rng):
    """A loop that takes one row of a table in each trip and writes it, changed, into another."""
    q, rows = codes(rng), int(rng.integers(2, 5))
    main, cond, body = Sub(), Sub(), Sub()
    shapes = [((), "int32", {}), ((rows, WIDTH), "int8", q), ((rows, WIDTH), "int8", q)]
    given = [main.input(shape, kind, **more) for shape, kind, more in shapes]
    main.outputs = [main.add(shape, kind, **more) for shape, kind, more in shapes]
    main.op("WHILE", given, main.outputs, LOOP)
    i, _, _ = (cond.input(shape, kind, **more) for shape, kind, more in shapes)
    cond.outputs = [below(cond, i, rows)]
    i, table, made = (body.input(shape, kind, **more) for shape, kind, more in shapes)
    at, zero = body.add((1,), "int32"), body.const(np.array([0]), "int32")
    body.op("RESHAPE", [i, body.const(np.array([1]), "int32")], [at], ("ReshapeOptions", {"newShape": [1]}))
    places = body.add((2,), "int32")
    body.op("CONCATENATION", [at, zero], [places], ("ConcatenationOptions", {"axis": 0}))
    row = body.add((1, WIDTH), "int8", **q)
    body.op("SLICE", [table, places, body.const(np.array([1, WIDTH]), "int32")], [row], ("SliceOptions", {}))
    updated = body.add((rows, WIDTH), "int8", **q)
    changed = layer(rng, body, row, q, "int8")
    body.op("DYNAMIC_UPDATE_SLICE", [made, changed, places], [updated], ("DynamicUpdateSliceOptions", {}))
    body.outputs = [counted(body, i), table, updated]
    tables = [numbers(rng, "int8", (2, rows, WIDTH)) for _ in range(2)]
    return build(main, cond, body), [[np.array(k, np.int32), *tables[k]] for k in range(2)]


def loop_with_memory(rng):
    """A body whose SVDF keeps a state from trip to trip, and starts anew with each loop."""
    steps = int(rng.integers(2, 5))
    main, cond, body = Sub(), Sub(), Sub()
    i, x = carried(main, {}, "float32")
    main.outputs = list(loop_of(main, {}, "float32", i, x))
    i, x = carried(cond, {}, "float32")
    cond.outputs = [below(cond, i, int(rng.integers(1, 5)))]
    i, x = carried(body, {}, "float32")
    weights = (
        body.const((rng.normal(size=shape) / 2).astype(np.float32), "float32")
        for shape in ((WIDTH,) * 2, (WIDTH, steps))
    )
    state, y = body.add((1, WIDTH * steps), "float32", variable=True), body.add((1, WIDTH), "float32")
    body.op("SVDF", [x, *weights, -1, state], [y], ("SVDFOptions", {"rank": 1}))
    body.outputs = [counted(body, i), y]
    given = [
        [np.array(rng.integers(-2, 4), np.int32), rng.normal(size=(1, WIDTH)).astype(np.float32)] for _ in range(3)
    ]
    return build(main, cond, body), given


def buffered(rng, sub, x, q):
    """The oldest but one of the time slices that a circular buffer keeps."""
    slots = int(rng.integers(2, 4))
    kept, y = sub.add((1, slots, 1, WIDTH), "int8", variable=True, **q), sub.add((1, 1, 1, WIDTH), "int8", **q)
    options = flexbuffers.Builder()
    with options.Map():
        options.Int("cycles_max", 1)
    sub.op("CIRCULAR_BUFFER", [x], [kept], None, bytes(options.Finish()))
    begin, size = (sub.const(np.array(v), "int32") for v in ([0, slots - 2, 0, 0], [1, 1, 1, WIDTH]))
    return sub.op("SLICE", [kept, begin, size], [y], ("SliceOptions", {}))


def buffer_in_body(rng):
    """A circular buffer in a loop, or one in each branch; it is kept from sample to sample."""
    q, shape = codes(rng), (1, 1, 1, WIDTH)
    main, first, second = Sub(), Sub(), Sub()
    i, x = main.input((), "int32"), main.input(shape, "int8", **q)
    if rng.random() < 0.5:
        main.outputs = [main.add((), "int32"), main.add(T(shape, "int8", **q))]
        main.op("WHILE", [i, x], main.outputs, LOOP)
        i, x = first.input((), "int32"), first.input(shape, "int8", **q)
        first.outputs = [below(first, i, 3)]
        i, x = second.input((), "int32"), second.input(shape, "int8", **q)
        second.outputs = [counted(second, i), buffered(rng, second, x, q)]
    else:
        main.outputs = [main.add(T(shape, "int8", **q))]
        options = ("IfOptions", {"thenSubgraphIndex": 1, "elseSubgraphIndex": 2})
        main.op("IF", [below(main, i, 2), x], main.outputs, options)
        for sub in (first, second):
            sub.outputs = [buffered(rng, sub, sub.input(shape, "int8", **q), q)]
    given = [[np.array(rng.integers(-2, 4), np.int32), numbers(rng, "int8", shape)] for _ in range(5)]
    return build(main, first, second), given


LOOPS = {
    "branch": branch,
    "branch_with_variable": branch_with_variable,
    "buffer_in_body": buffer_in_body,
    "float_loop": float_loop,
    "integer_loop": integer_loop,
    "loop_with_memory": loop_with_memory,
    "loop_with_variable": loop_with_variable,
    "nested_loop": nested_loop,
    "rows_in_turn": rows_in_turn,
    "searching_loop": searching_loop,
}
