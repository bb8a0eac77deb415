"""Keras models with random weights: one or more for each layer that hb.from_keras reads, in every setting."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers as L

PLAIN = [
    *("celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu"),
    *("hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu"),
    *("relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus"),
    *("softsign", "sparse_plus", "sparse_sigmoid", "squareplus", "swish", "tanh", "tanh_shrink"),
    "glu",
]
VECTOR, SEQUENCE, IMAGE, VOLUME = (6,), (7, 4), (6, 5, 4), (4, 5, 6, 2)


def randomized(model, seed=0):
    """The model with weights drawn anew, variances positive; small where many are summed, so that states stay tame."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        drawn = rng.uniform(-0.6, 0.6, weight.shape) * min(1.0, 2 / max(weight.shape[:-1] or (1,)) ** 0.5)
        weight.assign(np.abs(drawn) + 0.3 if "variance" in weight.path else drawn)
    return model


def one(make, shape, dtype="float32"):
    """A functional model of one layer."""

    def model():
        x = keras.Input(shape, dtype=dtype, name="x")
        return keras.Model(x, make()(x))

    return model


def chain(shape, *makes):
    return lambda: keras.Sequential([keras.Input(shape), *(make() for make in makes)])


def merge(make, *shapes):
    def model():
        xs = [keras.Input(s, name=f"x{i}") for i, s in enumerate(shapes)]
        return keras.Model(xs, make()(xs))

    return model


def windows():
    """Convolutions and poolings over one to three axes."""
    shapes = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}
    for n, shape in shapes.items():
        conv, up = getattr(L, f"Conv{n}D"), getattr(L, f"Conv{n}DTranspose")
        for i, more in enumerate(({}, {"padding": "same", "strides": 2}, {"padding": "same", "dilation_rate": 2})):
            yield f"conv{n}d_{i}", one(lambda conv=conv, more=more: conv(3, 3, activation="relu", **more), shape)
        yield f"conv{n}d_groups", one(lambda conv=conv: conv(4, 2, groups=2, use_bias=False), shape)
        for i, more in enumerate(({}, {"padding": "same", "strides": 3}, {"strides": 2, "output_padding": 1},
                                  {"padding": "same", "strides": 2, "output_padding": 1})):  # fmt: skip
            yield f"conv{n}d_transpose_{i}", one(lambda up=up, more=more: up(3, 3, **more), shape)
        yield f"conv{n}d_transpose_dilated", one(lambda up=up: up(2, 2, dilation_rate=2, padding="same"), shape)
        for kind in ("Max", "Average"):
            pool, whole = getattr(L, f"{kind}Pooling{n}D"), getattr(L, f"Global{kind}Pooling{n}D")
            yield f"{kind.lower()}_pool{n}d", one(lambda pool=pool: pool(2), shape)
            more = {"padding": "same", "strides": 2}
            yield f"{kind.lower()}_pool{n}d_same", one(lambda pool=pool, more=more: pool(3, **more), shape)
            yield f"global_{kind.lower()}_pool{n}d", one(lambda whole=whole: whole(), shape)
            yield f"global_{kind.lower()}_pool{n}d_kept", one(lambda whole=whole: whole(keepdims=True), shape)
            adaptive = getattr(L, f"Adaptive{kind}Pooling{n}D", None)
            if adaptive is not None:
                yield f"adaptive_{kind.lower()}_pool{n}d", one(lambda a=adaptive: a(3), shape)
        size = 2 if n == 1 else tuple(range(2, 2 + n))
        yield f"up_sampling{n}d", one(lambda n=n, size=size: getattr(L, f"UpSampling{n}D")(size), shape)
        pads = (1, 2) if n == 1 else tuple((i, i + 1) for i in range(n))
        yield f"zero_padding{n}d", one(lambda n=n, pads=pads: getattr(L, f"ZeroPadding{n}D")(pads), shape)
        yield f"cropping{n}d", one(lambda n=n, pads=pads: getattr(L, f"Cropping{n}D")(pads), shape)
        yield f"spatial_dropout{n}d", one(lambda n=n: getattr(L, f"SpatialDropout{n}D")(0.3), shape)
    yield "conv1d_causal", one(lambda: L.Conv1D(3, 3, padding="causal", dilation_rate=2), SEQUENCE)
    for n, shape in ((1, SEQUENCE), (2, IMAGE)):
        deep, separable = getattr(L, f"DepthwiseConv{n}D"), getattr(L, f"SeparableConv{n}D")
        yield f"depthwise_conv{n}d", one(lambda d=deep: d(3, depth_multiplier=2, padding="same"), shape)
        yield f"depthwise_conv{n}d_strides", one(lambda d=deep: d(2, strides=2, activation="tanh"), shape)
        yield f"depthwise_conv{n}d_one", one(lambda d=deep: d(2, depth_multiplier=3), (*shape[:-1], 1))
        yield f"separable_conv{n}d", one(lambda s=separable: s(3, 2, depth_multiplier=2, activation="relu"), shape)
    yield "up_sampling2d_bilinear", one(lambda: L.UpSampling2D((2, 3), interpolation="bilinear"), IMAGE)


def elements():
    """Activations, normalizations, moves, merging."""
    for name in PLAIN:
        yield f"activation_{name}", one(lambda name=name: L.Activation(name), VECTOR)
    yield "dense", one(lambda: L.Dense(5, activation="softmax"), VECTOR)
    yield "dense_sequence", one(lambda: L.Dense(5, activation="selu", use_bias=False), SEQUENCE)
    yield "dense_layer_activation", one(lambda: L.Dense(5, activation=L.LeakyReLU(0.3)), VECTOR)
    yield "einsum_dense", one(lambda: L.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d"), SEQUENCE)
    for i, more in enumerate(({}, {"max_value": 6.0}, {"max_value": 0.5}, {"negative_slope": 0.2},
                              {"negative_slope": 0.2, "max_value": 0.4, "threshold": 0.1}, {"threshold": 0.3})):  # fmt: skip
        yield f"relu_{i}", one(lambda more=more: L.ReLU(**more), VECTOR)
    yield "leaky_relu", one(lambda: L.LeakyReLU(0.15), VECTOR)
    yield "elu", one(lambda: L.ELU(0.7), VECTOR)
    yield "prelu", one(lambda: L.PReLU(), SEQUENCE)
    yield "prelu_shared", one(lambda: L.PReLU(shared_axes=[1, 2]), IMAGE)
    yield "softmax_axis", one(lambda: L.Softmax(axis=1), SEQUENCE)
    yield "batch_norm", one(lambda: L.BatchNormalization(), IMAGE)
    yield "batch_norm_axis", one(lambda: L.BatchNormalization(axis=1, scale=False), IMAGE)
    yield "layer_norm", one(lambda: L.LayerNormalization(), SEQUENCE)
    yield "layer_norm_axes", one(lambda: L.LayerNormalization(axis=[1, 2], center=False), SEQUENCE)
    yield "layer_norm_axis", one(lambda: L.LayerNormalization(axis=1), IMAGE)
    yield "group_norm", one(lambda: L.GroupNormalization(2), IMAGE)
    yield "instance_norm", one(lambda: L.GroupNormalization(-1, scale=False), IMAGE)
    if hasattr(L, "RMSNormalization"):
        yield "rms_norm", one(lambda: L.RMSNormalization(), SEQUENCE)
    yield "unit_norm", one(lambda: L.UnitNormalization(), SEQUENCE)
    yield "normalization", one(lambda: L.Normalization(mean=[1.0, 2, 3, 4], variance=[1.0, 4, 9, 2]), SEQUENCE)
    yield "normalization_inverse", one(lambda: L.Normalization(axis=None, mean=1.0, variance=4.0, invert=True), VECTOR)
    yield "rescaling", one(lambda: L.Rescaling(1 / 127.5, -1.0), IMAGE)
    yield "rescaling_scale", one(lambda: L.Rescaling([0.5, 2.0, 1.0, 3.0]), SEQUENCE)
    for name, layer in (("dropout", L.Dropout(0.4)), ("noise", L.GaussianNoise(1.0)), ("identity", L.Identity())):
        yield name, one(lambda layer=layer: layer, VECTOR)
    yield "flatten", one(lambda: L.Flatten(), IMAGE)
    yield "reshape", one(lambda: L.Reshape((-1, 8)), IMAGE)
    yield "permute", one(lambda: L.Permute((3, 1, 2)), IMAGE)
    yield "repeat_vector", one(lambda: L.RepeatVector(3), VECTOR)
    yield "embedding", one(lambda: L.Embedding(9, 3), (5,), "int32")
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
        count = 2 if name == "Subtract" else 3
        yield f"merge_{name.lower()}", merge(lambda name=name: getattr(L, name)(), *([SEQUENCE] * count))
    yield "merge_ranks", merge(lambda: L.Add(), (4,), SEQUENCE)
    yield "concatenate_axis", merge(lambda: L.Concatenate(axis=1), SEQUENCE, SEQUENCE)
    for i, (axes, a, b) in enumerate(
        ((1, VECTOR, VECTOR), (2, SEQUENCE, (5, 4)), ((2, 1), (3, 4), (4, 2)), ((1, 2), (4,), (3, 4)))
    ):
        yield f"dot_{i}", merge(lambda axes=axes: L.Dot(axes), a, b)
    yield "dot_normalized", merge(lambda: L.Dot(-1, normalize=True), VECTOR, VECTOR)


def recurrent():
    """SimpleRNN, LSTM, GRU and their wrappers."""
    for name in ("SimpleRNN", "LSTM", "GRU"):
        cls = getattr(L, name)
        for i, more in enumerate(({}, {"return_sequences": True}, {"return_state": True, "use_bias": False},
                                  {"go_backwards": True}, {"go_backwards": True, "return_sequences": True},
                                  {"activation": "relu", "unroll": True})):  # fmt: skip
            yield f"{name.lower()}_{i}", one(lambda cls=cls, more=more: cls(5, **more), SEQUENCE)
        for mode in ("concat", "sum", "mul", "ave", None):
            for sequences in (False, True):
                label = f"bidirectional_{name.lower()}_{mode}_{sequences}".lower()
                yield label, one(lambda c=cls, m=mode, s=sequences:
                                 L.Bidirectional(c(3, return_sequences=s), merge_mode=m), SEQUENCE)  # fmt: skip
        yield f"bidirectional_{name.lower()}_state", one(
            lambda c=cls: L.Bidirectional(c(3, return_state=True)), SEQUENCE)  # fmt: skip
        yield f"stacked_{name.lower()}", one(
            lambda n=name: L.RNN([getattr(L, {"SimpleRNN": "SimpleRNNCell"}.get(n, f"{n}Cell"))(k) for k in (3, 4)]),
            SEQUENCE)  # fmt: skip
    yield "gru_reset_before", one(lambda: L.GRU(5, reset_after=False), SEQUENCE)
    yield "gru_hard_sigmoid", one(lambda: L.GRU(5, recurrent_activation="hard_sigmoid"), SEQUENCE)
    yield "lstm_initial", initial
    for i, more in enumerate(({}, {"causal": True}, {"apart": True}, {"masked": True})):
        yield f"attention_{i}", lambda more=more: attention(**more)
    yield "time_distributed_dense", one(lambda: L.TimeDistributed(L.Dense(3, activation="relu")), SEQUENCE)
    yield "time_distributed_conv", one(lambda: L.TimeDistributed(L.Conv2D(3, 2)), (3, *IMAGE))
    yield "time_distributed_model", one(
        lambda: L.TimeDistributed(keras.Sequential([keras.Input(IMAGE), L.Conv2D(2, 2), L.Flatten(), L.Dense(3)])),
        (3, *IMAGE))  # fmt: skip


def channels_first():
    """An image with its channels first through convolutions, poolings, and layers that keep to no layout."""
    x = keras.Input((4, 9, 8))
    first = {"data_format": "channels_first"}
    y = L.Conv2D(6, 3, padding="same", activation="relu", **first)(x)
    y = L.BatchNormalization(axis=1)(y)
    y = L.MaxPooling2D(2, **first)(L.DepthwiseConv2D(2, **first)(y))
    y = L.ZeroPadding2D(1, **first)(L.Cropping2D(((0, 1), (1, 0)), **first)(y))
    means = L.GlobalAveragePooling2D(**first)(y)
    whole = L.GlobalMaxPooling2D(keepdims=True, **first)(y)
    return keras.Model(x, [y, means, whole, L.Flatten(**first)(y), L.UpSampling2D(2, **first)(y)])


def initial():
    x, h, c = keras.Input(SEQUENCE), keras.Input((5,)), keras.Input((5,))
    return keras.Model([x, h, c], L.LSTM(5, return_state=True)(x, initial_state=[h, c]))


def attention(causal=False, apart=False, masked=False):
    x, y = keras.Input(SEQUENCE, name="x"), keras.Input((5, 3), name="y")
    mask = keras.Input((7, 5 if apart else 7), dtype="bool", name="mask")
    layer = L.MultiHeadAttention(2, 3, use_bias=not causal)
    more = {"attention_mask": mask} if masked else {}
    made = layer(x, y if apart else x, use_causal_mask=causal, **more)
    return keras.Model([x, *([y] if apart else []), *([mask] if masked else [])], made)


def nested():
    inner = keras.Sequential([keras.Input(VECTOR), L.Dense(4, activation="relu"), L.Dense(3)], name="inner")
    a, b = keras.Input(VECTOR, name="a"), keras.Input(VECTOR, name="b")
    shared = L.Dense(6, name="shared")
    y = inner(shared(a))
    z = keras.ops.relu(shared(b) * 2.0 - 0.5)
    return keras.Model([a, b], {"y": y, "z": L.Add()([z, a]), "a": shared(a)})


def operations():
    x = keras.Input(SEQUENCE)
    ops = keras.ops
    y = ops.mean(x, axis=1) + ops.max(x, axis=1) - ops.sum(x, axis=-2)
    z = ops.matmul(x, ops.transpose(x, (0, 2, 1)))[:, 1:, ::2]
    w = ops.reshape(ops.concatenate([x, ops.square(x)], axis=-1), (-1, 56)) / 2.0
    return keras.Model(x, [y, z, w, x[:, -1], ops.stack([y, y], axis=1)])


def feed_forward():
    return keras.Sequential([keras.Input((784,)), L.Dense(128, activation="relu"), L.Dense(10, activation="softmax")])


def cnn():
    return keras.Sequential(
        [keras.Input((28, 28, 1)), L.Conv2D(32, (3, 3), activation="relu"), L.MaxPooling2D((2, 2)), L.Flatten(),
         L.Dense(10, activation="softmax")])  # fmt: skip


def rnn():
    return keras.Sequential([keras.Input((20, 1)), L.SimpleRNN(64), L.Dense(1)])


EXAMPLES = {"feed_forward": feed_forward, "cnn": cnn, "rnn": rnn, "nested": nested, "operations": operations,
            "channels_first": channels_first}  # fmt: skip
MODELS = {**EXAMPLES, **dict(windows()), **dict(elements()), **dict(recurrent())}
