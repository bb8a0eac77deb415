"""The reference networks of operation counting as graphs: weights are zeros of the right shapes, which take no memory."""

from __future__ import annotations

import numpy as np

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder


def zeros(*shape):
    """Zeros that the operating system hands out when they are touched; counting never touches them."""
    return np.zeros(shape, np.float32)


class Layers:
    """Adds layers with their weights to a value, each behind the one before."""

    def __init__(self, name, *shape):
        self.build = GraphBuilder(name)
        self.value = self.build.input("x", (1, *shape))

    def then(self, block, *more):
        self.value = self.build.add(block, self.value, *more)
        return self

    def conv(self, outputs, kernel, stride=1, padding=0, groups=1, bias=True):
        """A convolution; depthwise where there are as many groups as input channels."""
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        channels = self.value.shape[-1]
        shape = (1, *kernel, outputs) if groups == channels > 1 else (outputs, *kernel, channels // groups)
        given = {"weight": zeros(*shape), "bias": zeros(outputs) if bias else None}
        return self.then(hb.Conv2d(stride=stride, padding=padding, groups=groups, **given))

    def norm(self):
        return self.then(hb.BatchNorm(), *(self.build.constant("norm", zeros(self.value.shape[-1])) for _ in range(4)))

    def linear(self, outputs):
        return self.then(hb.Linear(weight=zeros(outputs, self.value.shape[-1]), bias=zeros(outputs)))

    def graph(self):
        return self.build.build(self.value)


def same(sizes, kernel, stride):
    """Padding "same" of TensorFlow as pairs: ⌈size / stride⌉ outputs, the odd zero behind."""
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    total = [max((-(-n // stride) - 1) * stride + k - n, 0) for n, k in zip(sizes, kernel, strict=True)]
    return tuple((pad // 2, pad - pad // 2) for pad in total)


def residual(net, convs, shortcut):
    """Convolutions (outputs, kernel, stride, padding), normalized, ReLU between, added to x or its projection."""
    x = net.value
    for position, (outputs, kernel, stride, padding) in enumerate(convs):
        net = net.then(hb.ReLU()) if position else net
        net = net.conv(outputs, kernel, stride, padding, bias=False).norm()
    y, net.value = net.value, x
    if shortcut:
        net = net.conv(convs[-1][0], 1, shortcut, bias=False).norm()
    return net.then(hb.Add(), y).then(hb.ReLU())


def resnet(name, block, expansion, depths):
    """ResNet v1.5 of torchvision: stem 7 × 7, four stages, stride in the 3 × 3 convolution."""
    net = Layers(name, 224, 224, 3).conv(64, 7, 2, 3, bias=False).norm().then(hb.ReLU())
    net = net.then(hb.MaxPool2d(3, stride=2, padding=1))
    for stage, depth in enumerate(depths):
        width = 64 << stage
        for number in range(depth):
            stride = 2 if stage and not number else 1
            first = not number and (stride > 1 or expansion > 1)
            net = residual(net, block(width, stride), stride if first else 0)
    return net.then(hb.GlobalAvgPool()).then(hb.Flatten()).linear(1000).graph()


def resnet18():
    return resnet("resnet18", lambda w, s: [(w, 3, s, 1), (w, 3, 1, 1)], 1, (2, 2, 2, 2))


def resnet50():
    return resnet("resnet50", lambda w, s: [(w, 1, 1, 0), (w, 3, s, 1), (4 * w, 1, 1, 0)], 4, (3, 4, 6, 3))


INVERTED = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def mobilenet_v2():
    """Sandler et al. 2018, table 2, as torchvision.models.mobilenet_v2."""
    net = Layers("mobilenet_v2", 224, 224, 3).conv(32, 3, 2, 1, bias=False).norm().then(hb.ReLU6())
    for expansion, outputs, repeats, first in INVERTED:
        for number in range(repeats):
            x, inner = net.value, net.value.shape[-1] * expansion
            if expansion > 1:
                net = net.conv(inner, 1, bias=False).norm().then(hb.ReLU6())
            net = net.conv(inner, 3, 1 if number else first, 1, groups=inner, bias=False).norm().then(hb.ReLU6())
            net = net.conv(outputs, 1, bias=False).norm()
            net = net.then(hb.Add(), x) if number else net
    net = net.conv(1280, 1, bias=False).norm().then(hb.ReLU6()).then(hb.GlobalAvgPool()).then(hb.Flatten())
    return net.linear(1000).graph()


def classified(net):
    """The three dense layers of AlexNet and VGG."""
    net = net.then(hb.Flatten()).linear(4096).then(hb.ReLU()).linear(4096).then(hb.ReLU())
    return net.linear(1000).graph()


def alexnet():
    """One tower, as torchvision.models.alexnet (Krizhevsky 2014)."""
    net = Layers("alexnet", 224, 224, 3).conv(64, 11, 4, 2).then(hb.ReLU()).then(hb.MaxPool2d(3, stride=2))
    net = net.conv(192, 5, 1, 2).then(hb.ReLU()).then(hb.MaxPool2d(3, stride=2))
    for outputs in (384, 256, 256):
        net = net.conv(outputs, 3, 1, 1).then(hb.ReLU())
    return classified(net.then(hb.MaxPool2d(3, stride=2)))


def vgg16():
    net = Layers("vgg16", 224, 224, 3)
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            net = net.conv(width, 3, 1, 1).then(hb.ReLU())
        net = net.then(hb.MaxPool2d(2))
    return classified(net)


def recurrent(block, gates):
    shapes = {"weight_ih_l0": (gates * 64, 32), "weight_hh_l0": (gates * 64, 64)}
    shapes |= {"bias_ih_l0": (gates * 64,), "bias_hh_l0": (gates * 64,)}
    weights = {name: zeros(*shape) for name, shape in shapes.items()}
    net = Layers(block.__name__.lower(), 10, 32)
    y, *_ = block(32, 64, weights=weights)(net.value)
    return net.build.build(y)


def lstm():
    return recurrent(hb.LSTM, 4)


def gru():
    return recurrent(hb.GRU, 3)


def attention_fused():
    """The composite: projections, scores, softmax, context, projection."""
    weights = {"in_proj_weight": zeros(192, 64), "in_proj_bias": zeros(192)}
    weights |= {"out_proj.weight": zeros(64, 64), "out_proj.bias": zeros(64)}
    return Layers("attention", 16, 64).then(hb.MultiheadAttention(64, 4, weights=weights)).graph()


def attention_matmuls():
    """The same by Linear, Transpose and MatMul nodes."""
    net = Layers("attention", 16, 64)
    x, made = net.value, {}
    for part, perm in (("q", (0, 2, 1, 3)), ("k", (0, 2, 3, 1)), ("v", (0, 2, 1, 3))):
        net.value = x
        made[part] = net.linear(64).then(hb.Reshape((0, 0, 4, 16))).then(hb.Transpose(perm)).value
    net.value = made["q"]
    net = net.then(hb.MatMul(), made["k"]).then(hb.Softmax()).then(hb.MatMul(), made["v"])
    return net.then(hb.Transpose((0, 2, 1, 3))).then(hb.Reshape((0, 0, 64))).linear(64).graph()


def anomaly_detection():
    """MLPerf Tiny ad: the dense autoencoder of DCASE 2020 task 2."""
    net = Layers("ad", 640)
    for outputs in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        net = net.linear(outputs).norm().then(hb.ReLU())
    return net.linear(640).graph()


def tf_conv(net, outputs, kernel, stride=1, depthwise=False):
    """A convolution with padding "same", normalized."""
    groups = net.value.shape[-1] if depthwise else 1
    return net.conv(outputs, kernel, stride, same(net.value.shape[1:3], kernel, stride), groups).norm()


def image_classification():
    """MLPerf Tiny ic: ResNet-8 of EEMBC."""
    net = tf_conv(Layers("ic", 32, 32, 3), 16, 3).then(hb.ReLU())
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        x = net.value
        net = tf_conv(tf_conv(net, width, 3, stride).then(hb.ReLU()), width, 3)
        y, net.value = net.value, x
        net = net.conv(width, 1, stride) if stride > 1 else net
        net = net.then(hb.Add(), y).then(hb.ReLU())
    return net.then(hb.AvgPool2d(8)).then(hb.Flatten()).linear(10).then(hb.Softmax()).graph()


def keyword_spotting():
    """MLPerf Tiny kws: depthwise separable convolutions on 49 × 10 coefficients."""
    net = tf_conv(Layers("kws", 49, 10, 1), 64, (10, 4), 2).then(hb.ReLU())
    for _ in range(4):
        net = tf_conv(net, 64, 3, depthwise=True).then(hb.ReLU())
        net = tf_conv(net, 64, 1).then(hb.ReLU())
    return net.then(hb.AvgPool2d((25, 5))).then(hb.Flatten()).linear(12).then(hb.Softmax()).graph()


SEPARABLE = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1))


def visual_wake_words():
    """MLPerf Tiny vww: MobileNetV1, width 0.25, on 96 × 96."""
    net = tf_conv(Layers("vww", 96, 96, 3), 8, 3, 2).then(hb.ReLU())
    for outputs, stride in SEPARABLE:
        net = tf_conv(net, net.value.shape[-1], 3, stride, depthwise=True).then(hb.ReLU())
        net = tf_conv(net, outputs, 1).then(hb.ReLU())
    return net.then(hb.AvgPool2d(3)).then(hb.Flatten()).linear(2).then(hb.Softmax()).graph()


def streaming_wakeword():
    """MLPerf Tiny sww: "ds_tcn" on 30 frames of 40 features; filters and taps as in str_ww_ref_model.tflite."""
    net = Layers("sww", 30, 1, 40)
    for outputs, taps in ((128, 3), (128, 5), (128, 10), (32, 15)):
        net = net.conv(net.value.shape[-1], (taps, 1), groups=net.value.shape[-1], bias=False)
        net = net.conv(outputs, 1, bias=False).norm().then(hb.ReLU())
    return net.then(hb.Flatten()).linear(3).graph()
