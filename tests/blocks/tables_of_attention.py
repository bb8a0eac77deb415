"""Cases of attention, gates, memories, positions and residual blocks: every element by scalars, as formulas are written."""

from __future__ import annotations

import itertools
import math

import numpy as np

import hwblocks as hb

RNG = np.random.default_rng(41)


def normal(*shape):
    """Numbers that float32 holds exactly."""
    return np.round(RNG.normal(size=shape) * 64) / 64


def dot(a, b):
    return math.fsum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def soft(scores, seen):
    """Weights of a row of scores; what is not seen has 0, a row that sees nothing 0 throughout."""
    kept = [s for s, k in zip(scores, seen, strict=True) if k]
    if not kept:
        return [0.0] * len(scores)
    powers = [math.exp(s - max(kept)) if k else 0.0 for s, k in zip(scores, seen, strict=True)]
    return [p / math.fsum(powers) for p in powers]


def hard(scores, seen, threshold=None, average=True):
    if threshold is None:
        best = max((s for s, k in zip(scores, seen, strict=True) if k), default=None)
        first = next((i for i, (s, k) in enumerate(zip(scores, seen, strict=True)) if k and s == best), None)
        return [float(i == first) for i in range(len(scores))]
    gates = [float(k and s >= threshold) for s, k in zip(scores, seen, strict=True)]
    return [g / max(sum(gates), 1) for g in gates] if average else gates


def attention(q, k, v, scale=None, seen=lambda n, i, j: True, bias=lambda n, h, i, j: 0.0, cap=0.0, weigh=soft):
    """[N, H, L, V], one query of one head at a time; query head h reads key head h // (H / G)."""
    n, heads, length, size = q.shape
    made = np.zeros((n, heads, length, v.shape[3]))
    for s, h, i in itertools.product(range(n), range(heads), range(length)):
        g = h // (heads // k.shape[1])
        row = [dot(q[s, h, i], key) * (size**-0.5 if scale is None else scale) for key in k[s, g]]
        row = [cap * math.tanh(r / cap) for r in row] if cap else row
        row = [r + bias(s, h, i, j) for j, r in enumerate(row)]
        weights = weigh(row, [seen(s, i, j) for j in range(len(row))])
        made[s, h, i] = [dot(weights, column) for column in v[s, g].T]
    return made


N, H, G, L, S, D, V = 2, 4, 2, 3, 5, 4, 2
Q, K, VALUES = normal(N, H, L, D), normal(N, G, S, D), normal(N, G, S, V)
ADDED, LENGTHS = normal(N, L, S), np.array([[2.0], [5.0]])
TRUTHS = RNG.random((N, H, L, S)) < 0.5
TRUTHS[1, 2, 1] = False
ATTEND = hb.ScaledDotProductAttention


def masked(q, k, v, truths):
    """Each head has a mask of its own."""
    parts = [
        attention(q[:, h : h + 1], k[:, h // 2 : h // 2 + 1], v[:, h // 2 : h // 2 + 1],
                  seen=lambda n, i, j, h=h: truths[n, h, i, j])
        for h in range(q.shape[1])
    ]  # fmt: skip
    return np.concatenate(parts, axis=1)


CASES = {
    "MaskedSoftmax": [
        (
            hb.MaskedSoftmax(0.5),
            (Q, TRUTHS[..., :4]),
            np.array(
                [
                    soft([0.5 * x for x in row], seen)
                    for row, seen in zip(Q.reshape(-1, 4), TRUTHS[..., :4].reshape(-1, 4))
                ]
            ).reshape(Q.shape),
        )
    ],
    "HardGate": [
        (
            hb.HardGate(),
            (Q, TRUTHS[..., :4]),
            np.array(
                [hard(r, s) for r, s in zip(Q.reshape(-1, 4), TRUTHS[..., :4].reshape(-1, 4), strict=True)]
            ).reshape(Q.shape),
        ),
        (
            hb.HardGate(0.25, True),
            (Q,),
            np.array([hard(r, [1] * 4, 0.25) for r in Q.reshape(-1, 4)]).reshape(Q.shape),
        ),
    ],
    "SoftCap": [(hb.SoftCap(2.0, 0.5), (Q,), np.vectorize(lambda x: 2 * math.tanh(0.25 * x))(Q))],
    "EluPlusOne": [(hb.EluPlusOne(), (Q,), np.vectorize(lambda x: x + 1 if x >= 0 else math.exp(x))(Q))],
    "Inverse": [(hb.Inverse(0.5), (Q,), np.vectorize(lambda x: 1 / x if x >= 0.5 else 0.0)(Q))],
    "Push": [
        (hb.Push(2), (Q, Q[:, :, :2] + 9), np.array([[[h[2], h[0] + 9, h[1] + 9] for h in s] for s in Q])),
        (hb.Push(1), (Q[:, :1], Q), Q[:, 3:]),
    ],
    "ScaledDotProductAttention": [
        (ATTEND(), (Q, K, VALUES), attention(Q, K, VALUES)),
        (ATTEND(0.25, True), (Q, K, VALUES), attention(Q, K, VALUES, 0.25, lambda n, i, j: j <= i)),
        (
            ATTEND(softcap=0.5, window=(1, 2)),
            (Q, K, VALUES, ADDED),
            attention(
                Q, K, VALUES, seen=lambda n, i, j: i - 1 <= j <= i + 2, bias=lambda n, h, i, j: ADDED[n, i, j], cap=0.5
            ),
        ),
        (ATTEND(), (Q, K, VALUES, TRUTHS), masked(Q, K, VALUES, TRUTHS)),
        (
            ATTEND(),
            (Q, K, VALUES, ADDED[0], LENGTHS),
            attention(
                Q, K, VALUES, seen=lambda n, i, j: j < LENGTHS[n, 0], bias=lambda n, h, i, j: ADDED[0, i, j]
            ),
        ),
        (ATTEND(mode="hard", is_causal=True), (Q, K, VALUES),
         attention(Q, K, VALUES, seen=lambda n, i, j: j <= i, weigh=hard)),
        (ATTEND(mode="hard", threshold=0.25), (Q, K, VALUES),
         attention(Q, K, VALUES, weigh=lambda r, s: hard(r, s, 0.25))),
        (ATTEND(mode="hard", threshold=0.25, reduce="sum"), (Q, K, VALUES),
         attention(Q, K, VALUES, weigh=lambda r, s: hard(r, s, 0.25, False))),
    ],
}  # fmt: skip


def linear(w, b, x):
    """x [N, T, K] by w [O, K]."""
    return np.array([[[dot(row, step) + b[o] for o, row in enumerate(w)] for step in sample] for sample in x])


def heads_of(x, count):
    """[N, T, H · D] as [N, H, T, D]."""
    size = x.shape[2] // count
    return np.array([[[step[h * size : (h + 1) * size] for step in s] for h in range(count)] for s in x])


def joined(x):
    return np.array([[np.concatenate([s[h][t] for h in range(x.shape[1])]) for t in range(x.shape[2])] for s in x])


E = 8
MHA = {
    "in_proj_weight": normal(3 * E, E) / 2,
    "in_proj_bias": normal(3 * E),
    "out_proj.weight": normal(E, E) / 2,
    "out_proj.bias": normal(E),
}
SHARED = {
    "q_proj_weight": normal(E, E) / 2,
    "k_proj_weight": normal(4, 3) / 2,
    "v_proj_weight": normal(4, 5) / 2,
    "out_proj.weight": normal(E, E) / 2,
    "bias_k": normal(1, 1, 4),
    "bias_v": normal(1, 1, 4),
}
X, FIRST, SECOND = normal(N, L, E), normal(N, S, 3), normal(N, S, 5)


def parts(w):
    """(weights, biases) of q, k, v."""
    none = [np.zeros(len(w[f"{p}_proj_weight"])) for p in "qkv"] if "q_proj_weight" in w else None
    if none:
        return [w[f"{p}_proj_weight"] for p in "qkv"], none
    return np.split(w["in_proj_weight"], 3), np.split(w["in_proj_bias"], 3)


def multihead(w, heads, groups, query, key, value, turn=lambda x: x, rows=(), **more):
    weights, biases = parts(w)
    q, k, v = (linear(a, b, x) for a, b, x in zip(weights, biases, (query, key, value), strict=True))
    for extra_k, extra_v in rows:
        k = np.concatenate([k, np.broadcast_to(extra_k, (len(k), 1, k.shape[2]))], axis=1)
        v = np.concatenate([v, np.broadcast_to(extra_v, (len(v), 1, v.shape[2]))], axis=1)
    made = attention(turn(heads_of(q, heads)), turn(heads_of(k, groups)), heads_of(v, groups), **more)
    return linear(w["out_proj.weight"], w.get("out_proj.bias", np.zeros(E)), joined(made))


def turned(x, base=10000.0, rotary=None, interleaved=False):
    """[N, H, T, D], pair by pair."""
    made, size = x.copy(), rotary or x.shape[3]
    for n, h, t, i in itertools.product(*map(range, (*x.shape[:3], size // 2))):
        a, b = (2 * i, 2 * i + 1) if interleaved else (i, i + size // 2)
        angle = t / base ** (2 * i / size)
        cos, sin = (float(np.float32(f(angle))) for f in (math.cos, math.sin))  # as a table of floats holds them
        made[n, h, t, a] = x[n, h, t, a] * cos - x[n, h, t, b] * sin
        made[n, h, t, b] = x[n, h, t, a] * sin + x[n, h, t, b] * cos
    return made


def mean_weights(w, x):
    """The first head's and the second's weights, averaged."""
    identity = {**w, "in_proj_weight": np.concatenate([*np.split(w["in_proj_weight"], 3)[:2], np.zeros((E, E))])}
    weights, biases = parts(identity)
    q, k = (heads_of(linear(a, b, x), 2) for a, b in zip(weights[:2], biases[:2]))
    eye = np.broadcast_to(np.eye(x.shape[1]), (len(x), 2, x.shape[1], x.shape[1]))
    return attention(q, k, eye).mean(axis=1)


CASES["MultiheadAttention"] = [
    (hb.MultiheadAttention(E, 2, weights=MHA), (X,), multihead(MHA, 2, 2, X, X, X)),
    (
        hb.MultiheadAttention(E, 2, is_causal=True, rotary=hb.RotaryEmbedding(8), weights=MHA),
        (X,),
        multihead(MHA, 2, 2, X, X, X, turned, seen=lambda n, i, j: j <= i),
    ),
    (
        hb.MultiheadAttention(E, 4, num_kv_heads=2, kdim=3, vdim=5, add_zero_attn=True, is_causal=True, weights=SHARED),
        (X, FIRST, SECOND),
        multihead(
            SHARED, 4, 2, X, FIRST, SECOND, rows=[(SHARED["bias_k"], SHARED["bias_v"]), (0.0, 0.0)],
            seen=lambda n, i, j: j <= i or j >= S,
        ),
    ),
    (
        hb.MultiheadAttention(E, 2, need_weights=True, weights=MHA),
        (X,),
        (multihead(MHA, 2, 2, X, X, X), mean_weights(MHA, X)),
    ),
    (
        hb.MultiheadAttention(E, 2, batch_first=False, weights=MHA),
        (np.swapaxes(X, 0, 1),),
        np.swapaxes(multihead(MHA, 2, 2, X, X, X), 0, 1),
    ),
    (
        hb.MultiheadAttention(E, 2, is_causal=True, streaming=True, max_length=4, weights=MHA),
        (X[:1],),
        multihead(MHA, 2, 2, X[:1], X[:1], X[:1], seen=lambda n, i, j: j <= i),
    ),
]  # fmt: skip
CASES["RotaryEmbedding"] = [
    (hb.RotaryEmbedding(8), (np.swapaxes(Q, 1, 2),), np.swapaxes(turned(Q), 1, 2)),
    (
        hb.RotaryEmbedding(8, 100.0, 2, True, 2),
        (X,),
        joined(turned(heads_of(X, 2), 100.0, 2, True)),
    ),
    (hb.RotaryEmbedding(8, streaming=True), (np.swapaxes(Q[:1], 1, 2),), np.swapaxes(turned(Q[:1]), 1, 2)),
]
PLACED = np.array(
    [
        [
            [X[n, t, c] + np.float32((math.sin, math.cos)[c % 2](t / 10000 ** (c // 2 * 2 / E))) for c in range(E)]
            for t in range(L)
        ]
        for n in range(N)
    ]
)
CASES["PositionalEncoding"] = [
    (hb.PositionalEncoding(6), (X,), PLACED),
    (hb.PositionalEncoding(weight=normal(1, 6, E)[0] * 0 + 1.5), (X,), X + 1.5),
]
CASES["Gate"] = [
    (
        hb.Gate(weight=MHA["out_proj.weight"], bias=MHA["out_proj.bias"]),
        (X, X * 2),
        X * 2 / (1 + np.exp(-linear(MHA["out_proj.weight"], MHA["out_proj.bias"], X))),
    )
]


def summed(q, k, v, features, causal, normalize=True):
    """Linear attention as it is defined: all pairs of a query and a key."""
    made = np.zeros((*q.shape[:3], v.shape[3]))
    for n, h, i in itertools.product(*map(range, q.shape[:3])):
        g = h // (q.shape[1] // k.shape[1])
        weights = [
            dot(map(features, q[n, h, i]), map(features, k[n, g, j])) if j <= i or not causal else 0.0
            for j in range(k.shape[2])
        ]
        total = math.fsum(weights) if normalize else 1.0
        made[n, h, i] = [dot(weights, column) / total if total >= 1e-6 else 0.0 for column in v[n, g].T]
    return made


def plus_one(x):
    return x + 1 if x >= 0 else math.exp(x)


CASES["LinearAttention"] = [
    (
        hb.LinearAttention(),
        (Q, K[:, :, :L], VALUES[:, :, :L]),
        summed(Q, K[:, :, :L], VALUES[:, :, :L], plus_one, True),
    ),
    (hb.LinearAttention(is_causal=False), (Q, K, VALUES), summed(Q, K, VALUES, plus_one, False)),
    (
        hb.LinearAttention("relu", normalize=False, streaming=True),
        (Q[:1], K[:1, :, :L], VALUES[:1, :, :L]),
        summed(Q[:1], K[:1, :, :L], VALUES[:1, :, :L], lambda x: max(x, 0.0), True, False),
    ),
]

ROWS = normal(1, 2, 5, 3)
ADDRESS, DATA = np.array([[[4, 0, 4], [1, 1, 2]]]), normal(1, 2, 3, 3)
ENABLE = np.array([[[True, True, False], [True, True, True]]])


def stored(memory, address, data, enable=None):
    """The memory after port by port has written."""
    made = memory.copy()
    for b, p in itertools.product(range(address.shape[1]), range(address.shape[2])):
        if enable is None or enable[0, b, p]:
            made[0, b, int(address[0, b, p])] = data[0, b, p]
    return made


def fetched(memory, address):
    return np.array([[[memory[0, b, int(a)] for a in address[0, b]] for b in range(memory.shape[1])]])


def contents(key, rows, strength):
    """(what each key reads, its weights)."""
    weights = np.array([[soft([strength * dot(k, r) for r in rows], [True] * len(rows)) for k in key[0]]])
    return np.array([[[dot(w, column) for column in rows.T] for w in weights[0]]]), weights


CASES |= {
    "MemoryRead": [(hb.MemoryRead(), (ROWS, ADDRESS), fetched(ROWS, ADDRESS))],
    "MemoryWrite": [
        (hb.MemoryWrite(), (ROWS, ADDRESS, DATA), stored(ROWS, ADDRESS, DATA)),
        (hb.MemoryWrite(), (ROWS, ADDRESS, DATA, ENABLE), stored(ROWS, ADDRESS, DATA, ENABLE)),
    ],
    "Memory": [
        (hb.Memory(5, 3, 2, initial=ROWS[0]), (ADDRESS,), fetched(ROWS, ADDRESS)),
        (
            hb.Memory(5, 3, 2, True, initial=ROWS[0]),
            (ADDRESS, ADDRESS, DATA, ENABLE),
            fetched(stored(ROWS, ADDRESS, DATA, ENABLE), ADDRESS),
        ),
        (hb.Memory(5, 3, 2, initial=ROWS[0]), (ADDRESS, ADDRESS, DATA), fetched(ROWS, ADDRESS)),
    ],
    "RingBuffer": [
        (hb.RingBuffer(5, 3, initial=ROWS[0, :1]), (DATA[:, 0],), np.array([[*ROWS[0, 0, 3:], *DATA[0, 0]]])),
        (
            hb.RingBuffer(5, 3, ordered=False, initial=ROWS[0, :1]),
            (DATA[:, 0],),
            (np.array([[*DATA[0, 0], *ROWS[0, 0, 3:]]]), np.array([[3]])),
        ),
    ],
    "ContentMemory": [
        (
            hb.ContentMemory(5, 3, strength=0.5, initial=ROWS[0, 0]),
            (DATA[:, 0], DATA[:, 1], DATA[:, 0], DATA[:, 0]),
            contents(DATA[:, 0], ROWS[0, 0], 0.5),
        )
    ],
}  # fmt: skip


def norm(x, w, name, centred=True):
    made = x.copy()
    for at in np.ndindex(x.shape[:-1]):
        row = [float(v) for v in x[at]]
        mean = math.fsum(row) / len(row) if centred else 0.0
        spread = math.sqrt(math.fsum((v - mean) ** 2 for v in row) / len(row) + 1e-5)
        made[at] = [(v - mean) / spread * w[f"{name}.weight"][c] + w.get(f"{name}.bias", [0] * len(row))[c]
                    for c, v in enumerate(row)]  # fmt: skip
    return made


def layer_weights(*parts, inner=6):
    made = {f"{p}.{name}": array for p in parts for name, array in MHA.items()}
    made |= {"linear1.weight": normal(inner, E), "linear1.bias": normal(inner), "linear3.weight": normal(inner, E)}
    made |= {"linear2.weight": normal(E, inner), "linear2.bias": normal(E)}
    return (
        made | {f"norm{i}.weight": normal(E) + 2 for i in (1, 2, 3)} | {f"norm{i}.bias": normal(E) for i in (1, 2, 3)}
    )


def forward(w, x, curve):
    return linear(w["linear2.weight"], w["linear2.bias"], curve(linear(w["linear1.weight"], w["linear1.bias"], x)))


def relu(x):
    return np.where(x > 0, x, 0.0)


def encoder(w, x):
    x = norm(x + multihead(MHA, 2, 2, x, x, x), w, "norm1")
    return norm(x + forward(w, x, relu), w, "norm2")


def encoder_first(w, x):
    y = norm(x, w, "norm1", False)
    x = x + multihead(MHA, 2, 2, y, y, y, turned, seen=lambda n, i, j: j <= i)
    y = norm(x, w, "norm2", False)
    gate = linear(w["linear3.weight"], np.zeros(6), y)
    return x + forward(w, y, lambda v: v / (1 + np.exp(-v)) * gate)


def decoder(w, x, memory):
    x = norm(x + multihead(MHA, 2, 2, x, x, x, seen=lambda n, i, j: j <= i), w, "norm1")
    x = norm(x + multihead(MHA, 2, 2, x, memory, memory), w, "norm2")
    gelu = np.vectorize(lambda v: v * 0.5 * math.erfc(-v / math.sqrt(2)))
    return norm(x + forward(w, x, gelu), w, "norm3")


WE, WD = layer_weights("self_attn"), layer_weights("self_attn", "multihead_attn")
WR = {name: a for name, a in WE.items() if not (name.startswith("norm") and name.endswith("bias"))}
MEMORY = normal(N, S, E)
CASES["TransformerEncoderLayer"] = [
    (hb.TransformerEncoderLayer(E, 2, weights=WE), (X,), encoder(WE, X)),
    (
        hb.TransformerEncoderLayer(
            E, 2, True, "swiglu", "rms", is_causal=True, rotary=hb.RotaryEmbedding(8), weights=WR
        ),
        (X,),
        encoder_first(WR, X),
    ),
]
CASES["TransformerDecoderLayer"] = [
    (
        hb.TransformerDecoderLayer(E, 2, activation="gelu", is_causal=True, weights=WD),
        (X, MEMORY),
        decoder(WD, X, MEMORY),
    ),
]

IMAGE = normal(N, 4, 5, 3)


def convolved(x, w, stride=1, pad=0, depthwise=False, bias=None):
    """x [N, H, W, C] by w [O, C or 1, kH, kW], one product at a time."""
    outputs, inner, kh, kw = w.shape
    sizes = [(s + 2 * pad - k) // stride + 1 for s, k in zip(x.shape[1:3], (kh, kw))]
    y = np.zeros((len(x), *sizes, outputs))
    for n, i, j, o in itertools.product(*map(range, y.shape)):
        total = [0.0 if bias is None else float(bias[o])]
        for a, b, c in itertools.product(range(kh), range(kw), range(inner)):
            r, s = i * stride + a - pad, j * stride + b - pad
            if 0 <= r < x.shape[1] and 0 <= s < x.shape[2]:
                total.append(float(x[n, r, s, o if depthwise else c]) * float(w[o, c, a, b]))
        y[n, i, j, o] = math.fsum(total)
    return y


def excited(x, w):
    made = x.copy()
    for n in range(len(x)):
        mean = [math.fsum(x[n, ..., c].ravel()) / x[n, ..., c].size for c in range(x.shape[3])]
        inner = [max(dot(row, mean), 0.0) for row in w["fc1.weight"][..., 0, 0]]
        gates = [1 / (1 + math.exp(-dot(row, inner) - b)) for row, b in zip(w["fc2.weight"][..., 0, 0], w["fc2.bias"])]
        made[n] = x[n] * np.array(gates)
    return made


def batch_norm(x, w, name):
    spread = np.sqrt(np.float32(w[f"{name}.running_var"]) + np.float32(1e-5))  # of constants in float32
    gain = np.float32(w[f"{name}.weight"]) / spread
    return (x - w[f"{name}.running_mean"]) * gain + w[f"{name}.bias"]


SE = {"fc1.weight": normal(2, 3, 1, 1), "fc2.weight": normal(3, 2, 1, 1), "fc2.bias": normal(3)}
BOTTLENECK = {
    "conv1.weight": normal(2, 3, 1, 1),
    "conv2.weight": normal(2, 2, 3, 3),
    "conv3.weight": normal(4, 2, 1, 1),
    "downsample.0.weight": normal(4, 3, 1, 1),
    **{f"bn2.{part}": normal(2) + 2 for part in ("weight", "bias", "running_mean", "running_var")},
}
INVERTED = {
    "expand.weight": normal(6, 3, 1, 1),
    "depthwise.weight": normal(6, 1, 3, 3),
    "project.weight": normal(3, 6, 1, 1),
    "se.fc1.weight": normal(2, 6, 1, 1),
    "se.fc2.weight": normal(6, 2, 1, 1),
    "se.fc2.bias": normal(6),
}
SEPARABLE = {
    "depthwise.weight": normal(6, 1, 3, 3),
    "pointwise.weight": normal(2, 6, 1, 1),
    "pointwise.bias": normal(2),
}


def bottleneck(w, x):
    y = relu(convolved(x, w["conv1.weight"]))
    y = convolved(relu(batch_norm(convolved(y, w["conv2.weight"], 2, 1), w, "bn2")), w["conv3.weight"])
    return relu(y + convolved(x, w["downsample.0.weight"], 2))


def inverted(w, x):
    y = np.minimum(relu(convolved(x, w["expand.weight"])), 6)
    y = np.minimum(relu(convolved(y, w["depthwise.weight"], 1, 1, True)), 6)
    y = excited(y, {name.removeprefix("se."): a for name, a in w.items()})
    return x + convolved(y, w["project.weight"])


def separable(w, x):
    """Two outputs of the depthwise layer for every channel."""
    y = convolved(np.repeat(x, 2, axis=3), w["depthwise.weight"], 2, 1, True)
    return convolved(y, w["pointwise.weight"], bias=w["pointwise.bias"])


FLAT, GATE = normal(3, 4), normal(4, 4)
SIGMOIDS = 1 / (1 + np.exp(-np.array([[dot(row, x) + 0.25 for row in GATE] for x in FLAT])))
LINE = {
    "depthwise.weight": SEPARABLE["depthwise.weight"][..., 1],
    "pointwise.weight": SEPARABLE["pointwise.weight"][..., 0],
}
FLAT_KERNEL = np.zeros((6, 1, 3, 3))
FLAT_KERNEL[:, :, 1] = LINE["depthwise.weight"]
CASES |= {
    "Residual": [
        (hb.Residual((hb.ReLU(), hb.Neg()), hb.Abs()), (FLAT,), abs(FLAT) - relu(FLAT)),
        (hb.Residual(hb.ReLU(), mode="concat", activation=hb.Neg()), (FLAT,), -np.hstack([relu(FLAT), FLAT])),
        (
            hb.Residual(hb.Abs(), mode="gate", gate_weight=GATE, gate_bias=np.full(4, 0.25)),
            (FLAT,),
            SIGMOIDS * abs(FLAT) + (1 - SIGMOIDS) * FLAT,
        ),
    ],
    "Bottleneck": [(hb.Bottleneck(2, weights=BOTTLENECK), (IMAGE,), bottleneck(BOTTLENECK, IMAGE))],
    "SqueezeExcite": [(hb.SqueezeExcite(weights=SE), (IMAGE,), excited(IMAGE, SE))],
    "InvertedResidual": [(hb.InvertedResidual(weights=INVERTED), (IMAGE,), inverted(INVERTED, IMAGE))],
    "SeparableConv2d": [
        (hb.SeparableConv2d(2, 1, weights=SEPARABLE), (IMAGE,), separable(SEPARABLE, IMAGE)),
    ],
    "SeparableConv1d": [
        (
            hb.SeparableConv1d(padding=1, weights=LINE),
            (IMAGE[:, 0],),
            convolved(
                convolved(np.repeat(IMAGE[:, :1], 2, axis=3), FLAT_KERNEL, 1, 1, True), SEPARABLE["pointwise.weight"]
            )[:, 0],
        )
    ],
}  # fmt: skip

BAD = [
    (hb.MaskedSoftmax(), ((2, 3), (2, 2)), "must broadcast"),
    (hb.HardGate(), ((2, 3), (4, 2, 3)), "must broadcast"),
    (hb.Push(1), ((2, 3), (3, 1)), "may differ only"),
    (hb.Push(2), ((2, 3), (2, 1)), "dim=2"),
    (hb.ScaledDotProductAttention(), ((1, 2, 3), (1, 2, 3), (1, 2, 3)), "are needed"),
    (hb.MultiheadAttention(4), ((2, 3),), "must be [N, L, E]"),
    (hb.RotaryEmbedding(8), ((1, 2, 3),), "num_heads"),
    (hb.RotaryEmbedding(8), ((1, 2, 1, 3),), "even"),
    (hb.PositionalEncoding(), ((2, 3),), "must be [N, T, C]"),
    (hb.LinearAttention(), ((1, 3, 2, 2), (1, 2, 2, 2), (1, 2, 2, 2)), "multiple of G"),
    (hb.LinearAttention(), ((1, 2, 2, 2), (1, 2, 3, 2), (1, 2, 3, 2)), "as many keys"),
    (hb.MemoryRead(), ((1, 2, 3, 4), (1, 3, 1)), "do not fit"),
    (hb.MemoryWrite(), ((1, 2, 3, 4), (1, 2, 1), (1, 2, 1, 3)), "do not fit"),
    (hb.RingBuffer(2), ((1, 3, 1),), "must be"),
    (hb.ContentMemory(3, 2), ((1, 2, 3),), "must be"),
    (hb.Residual(hb.GlobalAvgPool()), ((1, 2, 2, 2),), "one shape"),
    (hb.SeparableConv1d(), ((1, 2, 2, 2),), "spatial axes"),
]
