"""Cases of causal convolutions, Einstein sums, embeddings and bilinear forms, one product at a time."""

from __future__ import annotations

import itertools
import math

import numpy as np

import hwblocks as hb

RNG = np.random.default_rng(47)


def normal(*shape):
    return RNG.normal(size=shape)


def causal(x, w, b=None, stride=1, dilation=1, groups=1):
    """y[n, t, o] from x at t, t − dilation, ...; w [O, k, C / groups]."""
    outputs, taps, per = w.shape
    y = np.zeros((x.shape[0], -(-x.shape[1] // stride), outputs))
    for n, i, o in np.ndindex(y.shape):
        total = 0.0 if b is None else float(b[o])
        for tap, c in itertools.product(range(taps), range(per)):
            t = i * stride - (taps - 1 - tap) * dilation
            if t >= 0:
                total += x[n, t, o // (outputs // groups) * per + c] * w[o, tap, c]
        y[n, i, o] = total
    return y


def einstein(terms, output, *operands):
    """Σ of products over all values of all letters; `terms` without dots."""
    sizes = {}
    for term, operand in zip(terms, operands):
        for letter, length in zip(term, operand.shape):
            sizes[letter] = max(length, sizes.get(letter, 1))
    y = np.zeros([sizes[c] for c in output])
    for values in itertools.product(*(range(n) for n in sizes.values())):
        at = dict(zip(sizes, values))
        product = 1.0
        for term, operand in zip(terms, operands):
            product *= operand[tuple(at[c] if n > 1 else 0 for c, n in zip(term, operand.shape))]
        y[tuple(at[c] for c in output)] += product
    return y


def bilinear(a, b, w, bias):
    y = np.zeros((*a.shape[:-1], w.shape[0]))
    for *lead, o in np.ndindex(y.shape):
        pairs = itertools.product(range(w.shape[1]), range(w.shape[2]))
        y[(*lead, o)] = math.fsum(a[(*lead, i)] * w[o, i, j] * b[(*lead, j)] for i, j in pairs) + bias[o]
    return y


def bags(rows, weight, formula):
    return np.array(
        [[formula([weight[r, d] for r in bag]) if len(bag) else 0.0 for d in range(weight.shape[1])] for bag in rows]
    )


def mean(values):
    return math.fsum(values) / len(values)


X3, W, B, WG, WD = normal(2, 7, 4), normal(6, 3, 4), normal(6), normal(6, 2, 2), normal(1, 3, 8)
IJ, JK, BIJ, BJK, II = normal(3, 4), normal(4, 5), normal(2, 3, 4), normal(2, 4, 5), normal(4, 4)
ONE_BIJ = normal(1, 3, 4)
TABLE, ROWS, LIST, STARTS = (
    normal(6, 3),
    np.array([[0, 5, 2], [3, 3, 1]]),
    np.array([4, 0, 0, 2, 5]),
    np.array([0, 2, 2, 3]),
)
BAGS = [LIST[0:2], LIST[2:2], LIST[2:3], LIST[3:5]]
X1, X2, WB, BB = normal(2, 3, 4), normal(2, 3, 2), normal(5, 4, 2), normal(5)

CASES = {
    "CausalConv1d": [
        (hb.CausalConv1d(), (X3, W, B), causal(X3, W, B)),
        (hb.CausalConv1d(dilation=3), (X3, W), causal(X3, W, dilation=3)),
        (hb.CausalConv1d(stride=2, groups=2), (X3, WG), causal(X3, WG, stride=2, groups=2)),
        (hb.CausalConv1d(groups=4), (X3, WD), causal(X3, np.moveaxis(WD[0], -1, 0)[..., None], groups=4)),
        (hb.CausalConv1d(streaming=True), (X3, W, B), causal(X3, W, B)),
    ],
    "Einsum": [
        (hb.Einsum("ij,jk->ik"), (IJ, JK), einstein(("ij", "jk"), "ik", IJ, JK)),
        (hb.Einsum("ij, jk"), (IJ, JK), einstein(("ij", "jk"), "ik", IJ, JK)),
        (hb.Einsum("bij,bjk->kbi"), (BIJ, BJK), einstein(("bij", "bjk"), "kbi", BIJ, BJK)),
        (hb.Einsum("...ij,...jk->...ik"), (ONE_BIJ, BJK), einstein(("bij", "bjk"), "bik", ONE_BIJ, BJK)),
        (hb.Einsum("...ij,jk"), (BIJ, JK), einstein(("bij", "jk"), "bik", BIJ, JK)),
        (hb.Einsum("ii,ij->ji"), (II, II), einstein(("ii", "ij"), "ji", II, II)),
        (hb.Einsum("ij,ik->i"), (IJ, normal(3, 2)), None),
        (hb.Einsum("i,j->ij"), (IJ[0], JK[0]), einstein(("i", "j"), "ij", IJ[0], JK[0])),
        (hb.Einsum("bij,bij->"), (BIJ, BIJ), einstein(("bij", "bij"), "", BIJ, BIJ)),
    ],
    "Diagonal": [
        (hb.Diagonal("ii"), (II,), np.array([II[i, i] for i in range(4)])),
        (
            hb.Diagonal("...ijij"),
            (normal(2, 3, 2, 3, 2),),
            None,
        ),
    ],
    "Embedding": [
        (hb.Embedding(), (ROWS, TABLE), np.array([[[*TABLE[r]] for r in row] for row in ROWS])),
        (hb.Embedding(), (np.array(2), TABLE), np.array([*TABLE[2]])),
    ],
    "EmbeddingBag": [
        (hb.EmbeddingBag("sum"), (ROWS, TABLE), bags(ROWS, TABLE, math.fsum)),
        (hb.EmbeddingBag(), (LIST, TABLE, STARTS), bags(BAGS, TABLE, mean)),
        (hb.EmbeddingBag("max"), (LIST, TABLE, STARTS), bags(BAGS, TABLE, max)),
    ],
    "Bilinear": [
        (hb.Bilinear(), (X1, X2, WB, BB), bilinear(X1, X2, WB, BB)),
        (hb.Bilinear(), (X1, X2, WB), bilinear(X1, X2, WB, [0.0] * 5)),
    ],
}
block, inputs, _ = CASES["Einsum"][6]
CASES["Einsum"][6] = (block, inputs, einstein(("ij", "ik"), "i", *inputs))
block, (x,), _ = CASES["Diagonal"][1]
CASES["Diagonal"][1] = (
    block,
    (x,),
    np.array([[[x[b, i, j, i, j] for j in range(2)] for i in range(3)] for b in range(2)]),
)

BAD = [
    (hb.CausalConv1d(padding=1), ((1, 4, 2), (3, 2, 2)), "padding=1 must be 0"),
    (hb.CausalConv1d(stride=2, streaming=True), ((1, 5, 2), (3, 2, 2)), "multiple of stride=2"),
    (hb.CausalConv1d(), ((1, 5, 2), (3, 2, 3)), "check groups=1"),
    (hb.Einsum("ij,jk->ik"), ((2, 3), (4, 5)), "'j' has the sizes 3 and 4"),
    (hb.Einsum("ij,jk->il"), ((2, 3), (3, 5)), "names ['l']"),
    (hb.Einsum("ij,jk->ii"), ((2, 3), (3, 5)), "twice"),
    (hb.Einsum("ij->i"), ((2, 3), (3, 5)), "1 operands"),
    (hb.Einsum("i1,jk->i"), ((2, 3), (3, 5)), "more than letters"),
    (hb.Einsum("ijk,jk->i"), ((2, 3), (3, 5)), "do not fit 2 axes"),
    (hb.Diagonal("ii"), ((2, 3),), "'i' has the sizes"),
    (hb.Embedding(), ((2,), (3,)), "two axes"),
    (hb.EmbeddingBag("first"), ((2, 3), (4, 5)), "mode='first'"),
    (hb.EmbeddingBag(), ((3,), (4, 5)), "offsets"),
    (hb.Bilinear(), ((2, 3), (2, 4), (5, 3, 3)), "do not fit"),
    (hb.Bilinear(), ((2, 3), (2, 4), (5, 3, 4), (4,)), "bias"),
]
