"""Random operators with state: LSTM and SVDF, invoked several times so that the state is carried."""

from __future__ import annotations

import numpy as np
from operator_draws import activation, codes, data, near, scale, zero_point
from operator_models import Case, T, model

INVOKES = 3
FEATURES = ("coupled", "peephole", "projection", "projection bias", "layer norm", "cell clip", "projection clip")


def constant(rng, shape, kind, low, high):
    """A constant in one scale; floats near 0."""
    if kind == "float32":
        return T(shape, kind, data=rng.normal(0, 0.5, shape).astype(np.float32))
    return T(shape, kind, scale(rng, low, high), 0, 0, np.maximum(codes(rng, shape, kind), -127))


def bias_of(rng, count, x, w):
    if x.type == "float32":
        return T((count,), "float32", data=rng.normal(0, 0.5, count).astype(np.float32))
    step = float(np.float32(x.scale) * np.float32(w.scale))
    return T((count,), "int64" if x.type == "int16" else "int32", step, 0, 0, rng.integers(-3000, 3000, count))


def lstm_case(rng, kind, features):
    batch, time, given, units = (int(v) for v in rng.integers(1, [4, 5, 9, 10]))
    hidden = units
    if "projection" in features and "peephole" not in features:
        hidden = int(rng.integers(1, 10))
    major = bool(rng.integers(2))
    real = kind == "float32"
    narrower = 8 if kind == "int16" else 0
    x = activation(rng, (time, batch, given) if major else (batch, time, given), kind, -7 - narrower, -3 - narrower)
    h = activation(rng, (batch, hidden), kind, -8 - narrower, -6 - narrower)
    c = T((batch, units), "float32" if real else "int16", None if real else 2.0 ** int(rng.integers(-15, -8)))
    h.variable = c.variable = True
    gates = "fco" if "coupled" in features else "ifco"
    weights = "int8" if kind == "int16" else kind
    listed = {f"w{g}": constant(rng, (units, given), weights, -8, -5) for g in gates}
    listed |= {f"r{g}": constant(rng, (units, hidden), weights, -8, -5) for g in gates}
    listed |= {f"b{g}": bias_of(rng, units, x, listed[f"w{g}"]) for g in gates}
    wide = kind if real else "int16"
    if "peephole" in features:
        listed |= {f"p{g}": constant(rng, (units,), wide, -16, -13) for g in gates if g != "c"}
    if "layer norm" in features:
        listed |= {f"n{g}": constant(rng, (units,), wide, -16, -13) for g in gates}
        for g in gates if not real else ():
            listed[f"b{g}"].scale = float(np.float32(listed[f"n{g}"].scale / 1024))
    if "projection" in features:
        listed["wproj"] = constant(rng, (hidden, units), kind, -8, -5)
    inner = T((0,), kind, *((None, 0) if real else (scale(rng, -8, -6), zero_point(rng, kind))))
    if "projection bias" in features:
        listed["bproj"] = bias_of(rng, hidden, inner, listed["wproj"])
    if "projection" not in features and not real:  # the hidden value is the output state
        inner.scale, inner.zero = h.scale, h.zero
    names = [f"{part}{g}" for part in "wr" for g in "ifco"] + [f"p{g}" for g in "ifo"] + [f"b{g}" for g in "ifco"]
    inputs = [x, *(listed.get(name) for name in (*names, "wproj", "bproj"))]
    inputs += [h, c, *(listed.get(f"n{g}") for g in "ifco")]
    options = {
        "fusedActivationFunction": 4,  # TANH
        "cellClip": float(np.float32(rng.uniform(0.2, 2))) if "cell clip" in features else 0.0,
        "projClip": float(np.float32(rng.uniform(0.1, 1))) if "projection clip" in features else 0.0,
        "timeMajor": major,
    }
    y = T((*x.shape[:2], hidden), kind, h.scale, h.zero)
    between = [T((0,), wide, None if real else scale(rng, -13, -10)) for _ in range(4)]
    made = model(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        ("UnidirectionalSequenceLSTMOptions", options),
        inputs,
        [y],
        [*between, inner],
    )
    return Case(made, data(rng, x), later=[data(rng, x) for _ in range(INVOKES - 1)])


def lstm(kind, *features):
    return lambda rng: lstm_case(rng, kind, features)


def any_lstm(kind):
    """Any set of features but none; a projection's bias and clip need a projection."""

    def draw(rng):
        first = FEATURES[int(rng.choice([0, 1, 2, 4]))]
        chosen = [f for f in FEATURES if f == first or rng.random() < 0.5]
        if "projection" not in chosen:
            chosen = [f for f in chosen if not f.startswith("projection")]
        return lstm_case(rng, kind, chosen)

    return draw


def svdf(state, time, biased=True):
    """Memory and time weights of these kinds."""

    def draw(rng):
        batch, given, rank, units, memory = (int(v) for v in rng.integers(1, [3, 12, 4, 8, 9]))
        filters, kind = rank * units, "float32" if state == "float32" else "int8"
        x = activation(rng, (batch, given), kind, -7, -3)
        feature = constant(rng, (filters, given), kind, -8, -5)
        weights = constant(rng, (filters, memory), time, *((-15, -12) if time == "int16" else (-8, -5)))
        kept = T((batch, filters * memory), state, variable=True)
        y = T((batch, units), kind)
        b = T((units,), "float32", data=rng.uniform(0.5, 1.5, units).astype(np.float32))
        if state != "float32":
            reach = 32000 if state == "int16" else 120
            kept.scale = near(rng, x.scale * feature.scale * 6000 * np.sqrt(given) / reach, 1.5)
            kept.zero = zero_point(rng, state)
            b = T((units,), "int32", float(np.float32(kept.scale * weights.scale)), 0, 0)
            b.data = rng.integers(-20000, 20000, units)
            y.scale = near(rng, kept.scale * weights.scale * reach * {"int16": 60, "int8": 0.3}[time] * filters**0.5, 2)
            y.zero = zero_point(rng, "int8")
        inputs = [x, feature, weights, b if biased else None, kept]
        options = {"rank": rank, "fusedActivationFunction": 1}  # RELU: LiteRT's integer kernel asks for it
        made = model("SVDF", ("SVDFOptions", options), inputs, [y])
        return Case(made, data(rng, x), later=[data(rng, x) for _ in range(memory + 1)])

    return draw


LSTM_KINDS = {
    "int8": lstm("int8"),
    "int16": lstm("int16"),
    "int16 clipped": lstm("int16", "cell clip"),
    "clipped": lstm("int8", "cell clip"),
    "coupled": lstm("int8", "coupled"),
    "peephole": lstm("int8", "peephole"),
    "projection": lstm("int8", "projection", "projection clip"),
    "projection bias": lstm("int8", "projection", "projection bias"),
    "layer norm": lstm("int8", "layer norm"),
    "any": any_lstm("int8"),
    "float32": lstm("float32"),
    "float32 any": any_lstm("float32"),
}
RECURRENT_FAMILIES = {
    "lstm": LSTM_KINDS,
    "svdf": {
        "int16": svdf("int16", "int16"),
        "bare": svdf("int16", "int16", False),
        "int8": svdf("int8", "int8"),
        "float32": svdf("float32", "float32"),
    },
}
