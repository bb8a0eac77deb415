"""The networks of MLPerf Tiny as int8 graphs, normalization folded: weights that only say which channels live.

Layers, filters and strides as in mlcommons/tiny @1afd2c98, benchmark/training/*/trained_models. LIVE: output channels
with weights of the pointwise convolutions of vww_96_int8.tflite; the others of that file are all zero.
"""

from __future__ import annotations

import numpy as np
from mac_networks import SEPARABLE, same

import hwblocks as hb
from hwblocks.graph.builder import GraphBuilder
from hwblocks.numerics.arithmetic import Arithmetic

INT8 = hb.Format("int8")
AFFINE = Arithmetic(requantize=hb.Requantize.preset("single_round"), accumulator=hb.Accumulator(32))
LIVE = (16, 32, 32, 64, 60, 107, 57, 30, 19, 19, 27, 32, 22)


class Net:
    """Int8 layers, each behind the one before."""

    def __init__(self, name, *shape):
        self.build = GraphBuilder(name)
        self.value = self.build.input("x", (1, *shape), INT8)

    def then(self, block, *more, **options):
        self.value = self.build.add(block, self.value, *more, formats=[INT8], **options)
        return self

    def weights(self, *shape, live=None):
        """Ones; zeros in the output channels from `live` on."""
        codes = np.ones(shape)
        if live is not None:
            codes[live:] = 0
        return self.build.constant("w", codes, INT8)

    def conv(self, outputs, kernel, stride=1, live=None):
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        w = self.weights(outputs, *kernel, self.value.shape[-1], live=live)
        return self.then(
            hb.Conv2d(stride=stride, padding=same(self.value.shape[1:3], kernel, stride)), w, arithmetic=AFFINE
        )

    def depthwise(self, stride=1):
        channels = self.value.shape[-1]
        w = self.weights(1, 3, 3, channels)
        block = hb.Conv2d(stride=stride, padding=same(self.value.shape[1:3], 3, stride), groups=channels)
        return self.then(block, w, arithmetic=AFFINE)

    def dense(self, outputs):
        return self.then(hb.Linear(), self.weights(outputs, self.value.shape[-1]), arithmetic=AFFINE)

    def classified(self, outputs):
        return self.then(hb.AvgPool2d(self.value.shape[1:3])).then(hb.Flatten()).dense(outputs).then(hb.Softmax())

    def graph(self):
        return self.build.build(self.value)


def anomaly_detection():
    """ad: dense autoencoder, 264,192 MACs."""
    net = Net("ad", 640)
    for outputs in (128, 128, 128, 128, 8, 128, 128, 128, 128, 640):
        net = net.dense(outputs)
    return net.graph()


def image_classification():
    """ic: ResNet-8, 12,501,632 MACs."""
    net = Net("ic", 32, 32, 3).conv(16, 3)
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        x = net.value
        y = net.conv(width, 3, stride).conv(width, 3).value
        net.value = x
        net = net.conv(width, 1, stride) if stride > 1 else net
        net = net.then(hb.Add(), y)
    return net.classified(10).graph()


def keyword_spotting():
    """kws: depthwise separable convolutions, 2,656,768 MACs."""
    net = Net("kws", 49, 10, 1).conv(64, (10, 4), 2)
    for _ in range(4):
        net = net.depthwise().conv(64, 1)
    return net.classified(12).graph()


def visual_wake_words():
    """vww: MobileNetV1 of width 0.25 on 96 × 96, 7,489,664 MACs."""
    net = Net("vww", 96, 96, 3).conv(8, 3, 2)
    for (outputs, stride), live in zip(SEPARABLE, LIVE, strict=True):
        net = net.depthwise(stride).conv(outputs, 1, live=live)
    return net.classified(2).graph()


NETWORKS = {
    "ad": anomaly_detection,
    "ic": image_classification,
    "kws": keyword_spotting,
    "vww": visual_wake_words,
}
MACS = {"ad": 264_192, "ic": 12_501_632, "kws": 2_656_768, "vww": 7_489_664}
