"""Cases of attention, gates, positions and transformer layers: every element by scalars, as formulas are written."""

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
        (ATTEND(scale=0.25, is_causal=True), (Q, K, VALUES), attention(Q, K, VALUES, 0.25, lambda n, i, j: j <= i)),
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
]
