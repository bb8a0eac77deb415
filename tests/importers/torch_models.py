"""PyTorch modules with random weights: one or more for each operator that hb.from_torch reads."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

VECTOR, SEQUENCE, IMAGE, VOLUME = (1, 6), (1, 7, 4), (1, 4, 9, 8), (1, 2, 5, 6, 4)


class Own(nn.Module):
    """A module of one function, with parts of its own."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *given):
        return self.function(self, *given)


def of(function, *shapes, **parts):
    """(module, example) of a function of the module and its inputs."""
    return lambda: (Own(function, **parts), tuple(torch.randn(s) for s in shapes))


def single(make, *shapes):
    return lambda: (make(), tuple(torch.randn(s) for s in shapes))


def call(function, *shapes):
    return lambda: (Own(lambda module, *given: function(*given)), tuple(torch.randn(s) for s in shapes))


ACTIVATIONS = {
    **{name.lower(): getattr(nn, name) for name in (
        *("CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid"),
        *("Mish", "PReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softshrink", "Softsign"),
        *("Tanh", "Tanhshrink", "Dropout", "Identity", "Flatten"),
    )},
    "relu_in_place": lambda: nn.ReLU(inplace=True), "gelu_tanh": lambda: nn.GELU("tanh"),
    "softplus_beta": lambda: nn.Softplus(2.0), "softmax": lambda: nn.Softmax(1),
    "log_softmax": lambda: nn.LogSoftmax(1), "glu": lambda: nn.GLU(1), "softmax2d": lambda: nn.Softmax2d(),
}  # fmt: skip

LAYERS = {
    "linear": single(lambda: nn.Linear(6, 3), VECTOR),
    "linear_sequence": single(lambda: nn.Linear(4, 3, bias=False), SEQUENCE),
    "conv1d": single(lambda: nn.Conv1d(7, 5, 3, padding=1, stride=2), (1, 7, 9)),
    "conv2d": single(lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)), IMAGE),
    "conv2d_same": single(lambda: nn.Conv2d(4, 6, 3, padding="same", dilation=2), IMAGE),
    "conv2d_groups": single(lambda: nn.Conv2d(4, 6, 3, groups=2, bias=False), IMAGE),
    "conv2d_depthwise": single(lambda: nn.Conv2d(4, 8, 3, groups=4), IMAGE),
    "conv3d": single(lambda: nn.Conv3d(2, 3, 2), VOLUME),
    "conv_transpose1d": single(lambda: nn.ConvTranspose1d(7, 4, 3, stride=2, padding=1, output_padding=1), (1, 7, 5)),
    "conv_transpose2d": single(lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2, dilation=2), IMAGE),
    "conv_transpose3d": single(lambda: nn.ConvTranspose3d(2, 3, 2, 2), VOLUME),
    "batch_norm1d": single(lambda: nn.BatchNorm1d(6), VECTOR),
    "batch_norm2d": single(lambda: nn.BatchNorm2d(4, affine=False), IMAGE),
    "layer_norm": single(lambda: nn.LayerNorm(4), SEQUENCE),
    "layer_norm_axes": single(lambda: nn.LayerNorm((7, 4), bias=False), SEQUENCE),
    "group_norm": single(lambda: nn.GroupNorm(2, 4), IMAGE),
    "instance_norm": single(lambda: nn.InstanceNorm2d(4, affine=True), IMAGE),
    "rms_norm": single(lambda: nn.RMSNorm(4), SEQUENCE),
    "max_pool1d": single(lambda: nn.MaxPool1d(2), (1, 3, 9)),
    "max_pool2d": single(lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True), IMAGE),
    "max_pool3d": single(lambda: nn.MaxPool3d(2), VOLUME),
    "avg_pool1d": single(lambda: nn.AvgPool1d(3, 2, 1), (1, 3, 9)),
    "avg_pool2d": single(lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGE),
    "avg_pool3d": single(lambda: nn.AvgPool3d(2), VOLUME),
    "adaptive_avg_pool2d": single(lambda: nn.AdaptiveAvgPool2d(1), IMAGE),
    "adaptive_avg_pool2d_even": single(lambda: nn.AdaptiveAvgPool2d((3, 4)), IMAGE),
    "adaptive_avg_pool2d_uneven": single(lambda: nn.AdaptiveAvgPool2d((4, 3)), IMAGE),
    "adaptive_max_pool2d": single(lambda: nn.AdaptiveMaxPool2d((3, 2)), IMAGE),
    "upsample_nearest": single(lambda: nn.Upsample(scale_factor=2), IMAGE),
    "upsample_size": single(lambda: nn.Upsample(size=(13, 5)), IMAGE),
    "upsample_bilinear": single(lambda: nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE),
    "upsample_corners": single(lambda: nn.Upsample(size=(12, 11), mode="bilinear", align_corners=True), IMAGE),
    "upsample_bicubic": single(lambda: nn.Upsample(scale_factor=2, mode="bicubic"), IMAGE),
    "pixel_shuffle": single(lambda: nn.PixelShuffle(2), IMAGE),
    "zero_pad": single(lambda: nn.ZeroPad2d((1, 2, 0, -1)), IMAGE),
    "reflection_pad": single(lambda: nn.ReflectionPad2d((1, 2, 0, 3)), IMAGE),
}  # fmt: skip

CALLS = {
    "add_alpha": call(lambda a, b: torch.add(a, b, alpha=0.5) - torch.sub(a, b, alpha=2), SEQUENCE, SEQUENCE),
    "arithmetic": call(lambda a, b: (1 - a) * 2 / (b * b + 1) + a**2 + (a.abs() + 1) ** 1.5 + b / 3, SEQUENCE, SEQUENCE),
    "broadcast": call(lambda a, b: a + b[:, None], SEQUENCE, (1, 4)),
    "clamp": call(lambda a: a.clamp(-0.5, 0.7) + a.clamp(min=0.1), VECTOR),
    "unary": call(lambda a: a.exp() + (a.abs() + 1).log() + (a * a + 1).rsqrt() + a.sin() * a.cos() + a.floor(), VECTOR),
    "where": call(lambda a, b: torch.where(a > b, a, b * 2) + a.masked_fill(a < 0, 3.0), SEQUENCE, SEQUENCE),
    "extremes": call(lambda a, b: torch.maximum(a, b) - torch.minimum(a, b), SEQUENCE, SEQUENCE),
    "matmul": call(lambda a, b: a @ b.transpose(1, 2), SEQUENCE, (1, 5, 4)),
    "bmm": call(lambda a, b: torch.bmm(a, b), SEQUENCE, (1, 4, 3)),
    "matmul_heads": call(lambda a: a.view(1, 7, 2, 2).permute(0, 2, 1, 3) @ a.view(1, 7, 2, 2).permute(0, 2, 3, 1), SEQUENCE),
    "einsum": call(lambda a, b: torch.einsum("ntc,nsc->nts", a, b), SEQUENCE, (1, 5, 4)),
    "reductions": call(lambda a: (a.mean(1), a.sum((1, 2)), a.amax(2), a.amin(1, keepdim=True), a.max(1).values), SEQUENCE),
    "image_reductions": call(lambda a: (a.mean((2, 3)), a.mean((2, 3), keepdim=True), a.sum(1), a.amax((2, 3))), IMAGE),
    "argmax": call(lambda a: a.argmax(1), VECTOR),
    "cumsum": call(lambda a: a.cumsum(1), SEQUENCE),
    "shapes": call(lambda a: (a.flatten(1), a.view(1, -1, 2), a.unsqueeze(1).squeeze(1).permute(0, 2, 1), a.mT, a.reshape(1, 28)), SEQUENCE),
    "unflatten": call(lambda a: a.unflatten(1, (2, 3)), VECTOR),
    "cat_chunk": call(lambda a, b: torch.cat([*reversed(a.chunk(2, 1)), b], 1), IMAGE, IMAGE),
    "split": call(lambda a: [torch.stack(a.split(2, 2), 1), *a.split([3, 4], 1)], SEQUENCE),
    "slices": call(lambda a: (a[:, 1:6:2], a[:, -1], a[..., 0], a[:, [2, 0]]), SEQUENCE),
    "unbind": call(lambda a: torch.stack(a.unbind(1)[::-1], 1), SEQUENCE),
    "expand_repeat": call(lambda a: (a.expand(1, 3, 4), a.repeat(1, 2, 3)), (1, 1, 4)),
    "flip_roll": call(lambda a: a.flip(1) + a.roll(2, 1), SEQUENCE),
    "attention": call(lambda q, k, v: F.scaled_dot_product_attention(q, k, v), (1, 2, 5, 4), (1, 2, 6, 4), (1, 2, 6, 3)),
    "attention_causal": call(lambda q: F.scaled_dot_product_attention(q, q, q, is_causal=True, scale=0.3), (1, 2, 5, 4)),
    "attention_mask": call(lambda q, m: F.scaled_dot_product_attention(q, q, q, attn_mask=m), (1, 2, 5, 4), (1, 1, 5, 5)),
}  # fmt: skip


def recurrent():
    for name in ("RNN", "LSTM", "GRU"):
        cls = getattr(nn, name)
        for i, more in enumerate(({}, {"num_layers": 2, "bidirectional": True}, {"bias": False})):
            yield f"{name.lower()}_{i}", single(lambda c=cls, m=more: c(4, 5, batch_first=True, **m), SEQUENCE)
        yield f"{name.lower()}_steps_first", single(lambda c=cls: c(4, 5), (7, 1, 4))
        yield f"{name.lower()}_output", of(lambda m, x: m.part(x)[0][:, -1], SEQUENCE, part=cls(4, 5, batch_first=True))
        yield f"{name.lower()}_stepped", of(lambda m, x: m.part(x)[0], (7, 3, 4), part=cls(4, 5))
    yield "rnn_relu", single(lambda: nn.RNN(4, 5, nonlinearity="relu", batch_first=True), SEQUENCE)
    yield "lstm_projection", single(lambda: nn.LSTM(4, 5, proj_size=3, batch_first=True), SEQUENCE)
    yield "gru_state", of(lambda m, x, h: m.part(x, h), SEQUENCE, (1, 1, 5), part=nn.GRU(4, 5, batch_first=True))
    yield "lstm_state", of(
        lambda m, x, h, c: m.part(x, (h, c)), SEQUENCE, (1, 1, 5), (1, 1, 5), part=nn.LSTM(4, 5, batch_first=True))  # fmt: skip


def cnn():
    parts = [nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3, groups=4),
             nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(12, 10), nn.Softmax(-1)]  # fmt: skip
    return nn.Sequential(*parts), (torch.randn(1, 1, 14, 14),)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.head = nn.BatchNorm2d(4), nn.Linear(4 * 9 * 8, 5)

    def forward(self, x):
        y = self.second(F.relu(self.norm(self.first(x)))) + x
        return self.head(torch.flatten(F.silu(y), 1))


def transformer():
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (torch.randn(1, 6, 8),)


def attention():
    part = nn.MultiheadAttention(8, 2, batch_first=True)
    return Own(lambda m, x: m.part(x, x, x), part=part), (torch.randn(1, 6, 8),)


def tokens():
    table = nn.Embedding(9, 4)
    return nn.Sequential(table, nn.Flatten(), nn.Linear(20, 3)), (torch.randint(0, 9, (1, 5)),)


MODELS = {
    "cnn": cnn, "residual": lambda: (Residual(), (torch.randn(IMAGE),)), "transformer": transformer,
    "multi_head_attention": attention, "tokens": tokens,
    **{f"activation_{name}": single(make, (1, 4, 6, 2)) for name, make in ACTIVATIONS.items()},
    **LAYERS, **CALLS, **dict(recurrent()),
}  # fmt: skip


def seeded(name):
    """(module in evaluation mode with statistics of its own, example)."""
    torch.manual_seed(3)
    module, example = MODELS[name]()
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
            part.running_mean.uniform_(-1, 1)
            part.running_var.uniform_(0.5, 2)
    return module.eval(), example
