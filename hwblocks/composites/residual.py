"""Residual and other joins around branches: Residual, Bottleneck, SqueezeExcite, InvertedResidual, SeparableConv."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwblocks.blocks.activation import ReLU, ReLU6, Sigmoid
from hwblocks.blocks.elementwise import Add, Mul, Sub
from hwblocks.blocks.linear import Linear
from hwblocks.blocks.pooling import GlobalAvgPool
from hwblocks.blocks.shape import Concat
from hwblocks.composites.chains import Weights, blocks_of, convolution, follow, linear, needed
from hwblocks.errors import GraphError
from hwblocks.graph.block import Block, parameter
from hwblocks.graph.builder import GraphBuilder, Value
from hwblocks.graph.composite import Composite
from hwblocks.graph.contraction import Array
from hwblocks.graph.quant_rule import Preference

WIDE, GATES = Preference(16), Preference(16, 2.0**-15)
MODES = ("add", "gate", "concat")


@dataclass(frozen=True)
class Residual(Composite):
    """A branch and a shortcut around it, joined: x [N, …, C] → [N, …, C].

    branch, shortcut: a block, blocks in a row, or a Sequential; shortcut None: x itself. activation: a block after the
    join. mode: "add": f(x) + s(x); "concat": both along the last axis; "gate": g ∘ f(x) + (1 − g) ∘ s(x) with
    g = σ(x · gate_weightᵀ + gate_bias), gate_weight [O, C]. Source: He et al. 2015; gate: Srivastava et al. 2015.

    >>> Residual(ReLU())(np.array([[1.0, -2.0]])).tolist()
    [[2.0, -2.0]]
    """

    branch: Any = ()
    shortcut: Any = None
    mode: str = "add"
    activation: Block | None = None
    gate_weight: Array | None = parameter()
    gate_bias: Array | None = parameter()

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise GraphError(f"Residual: mode {self.mode!r} is none of {', '.join(MODES)}")
        if (self.gate_weight is None) == (self.mode == "gate"):
            raise GraphError('Residual: gate_weight [O, C] and mode="gate" go together')

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value:
        (x,) = inputs
        made = follow(build, x, blocks_of(self.branch), "branch")
        other = follow(build, x, blocks_of(self.shortcut), "shortcut")
        if self.mode != "concat" and made.shape != other.shape:
            raise self.fail(f"the branch makes {made.shape}, the shortcut {other.shape}; both need one shape", x.shape)
        joined = getattr(self, f"_{self.mode}")(build, x, made, other)
        return follow(build, joined, blocks_of(self.activation), "activation")

    def _add(self, build: GraphBuilder, x: Value, made: Value, other: Value) -> Value:
        return build.add(Add(), made, other, name="joined")

    def _concat(self, build: GraphBuilder, x: Value, made: Value, other: Value) -> Value:
        return build.add(Concat(-1), made, other, name="joined")

    def _gate(self, build: GraphBuilder, x: Value, made: Value, other: Value) -> Value:
        block = Linear(weight=self.gate_weight, bias=self.gate_bias)
        gate = build.add(
            Sigmoid(), build.add(block, x, name="gate_sum", preference=WIDE), name="gate", preference=GATES
        )
        one = build.constant("one", np.ones(()))
        rest = build.add(Sub(), one, gate, name="gate_rest", preference=GATES)
        first = build.add(Mul(), gate, made, name="gated", preference=WIDE)
        second = build.add(Mul(), rest, other, name="carried", preference=WIDE)
        return build.add(Add(), first, second, name="joined")


@dataclass(frozen=True)
class Bottleneck(Composite):
    """relu(conv3(relu(conv2(relu(conv1(x))))) + shortcut): 1×1, 3×3 with stride, 1×1; x [N, H, W, C].

    weights by PyTorch's names: conv1.weight, conv2.weight, conv3.weight [O, C, kH, kW], biases, batch norms bn1 … bn3
    where they are given; downsample.0.weight (1×1, the same stride) and downsample.1 where the shortcut is a layer.
    Source: torchvision.models.resnet.Bottleneck.

    >>> one = {f"conv{i}.weight": np.eye(2).reshape(2, 2, 1, 1) for i in (1, 3)}
    >>> block = Bottleneck(weights={**one, "conv2.weight": np.zeros((2, 2, 3, 3))})
    >>> block(np.full((1, 2, 2, 2), 3.0))[0, 0, 0].tolist()
    [3.0, 3.0]
    """

    stride: int = 1
    dilation: int = 1
    groups: int = 1
    eps: float = 1e-5
    weights: Weights | None = parameter()

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value:
        (x,) = inputs
        given, eps = self.weights, self.eps
        y = build.add(ReLU(), convolution(build, x, given, "conv1", "bn1", eps), name="relu1")
        y = convolution(build, y, given, "conv2", "bn2", eps, stride=self.stride, padding=self.dilation,
                        dilation=self.dilation, groups=self.groups)  # fmt: skip
        y = build.add(ReLU(), y, name="relu2")
        y = convolution(build, y, given, "conv3", "bn3", eps)
        if given and "downsample.0.weight" in given:
            x = convolution(build, x, given, "downsample.0", "downsample.1", eps, stride=self.stride)
        if x.shape != y.shape:
            raise self.fail(f"the branch makes {y.shape}; weights downsample.0.weight must fit the shortcut", x.shape)
        return build.add(ReLU(), build.add(Add(), y, x, name="joined"), name="relu3")


@dataclass(frozen=True)
class SqueezeExcite(Composite):
    """x ∘ σ(fc2(relu(fc1(mean over space of x)))): x [N, *spatial, C].

    weights: fc1.weight [S, C] and fc2.weight [C, S] (or with trailing axes of 1, as of 1×1 convolutions), biases.
    activation, gate: the blocks in place of ReLU and Sigmoid. Source: Hu et al. 2018; torchvision SqueezeExcitation.

    >>> block = SqueezeExcite(weights={"fc1.weight": np.zeros((1, 2)), "fc2.weight": np.zeros((2, 1))})
    >>> block(np.full((1, 1, 1, 2), 3.0)).ravel().tolist()
    [1.5, 1.5]
    """

    activation: Block = ReLU()
    gate: Block = Sigmoid()
    weights: Weights | None = parameter()

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value:
        (x,) = inputs
        mean = build.add(GlobalAvgPool(), x, name="squeezed")
        inner = build.add(self.activation, linear(build, mean, self.weights, "fc1"), name="inner")
        gate = build.add(self.gate, linear(build, inner, self.weights, "fc2"), name="gate")
        return build.add(Mul(), x, gate, name="excited")


@dataclass(frozen=True)
class InvertedResidual(Composite):
    """1×1 expansion, depthwise, 1×1 projection; plus x where stride is 1 and the channels fit: x [N, *spatial, C].

    weights: expand.weight [E, C, 1, 1] (absent: no expansion), depthwise.weight [E, 1, *kernel], project.weight
    [O, E, 1, 1], biases; batch norms expand_bn, depthwise_bn, project_bn. squeeze: weights with the prefix "se." make a
    SqueezeExcite after the depthwise layer. Source: Sandler et al. 2018 (MobileNetV2); squeeze: Howard et al. 2019.

    >>> zeros = {"depthwise.weight": np.zeros((2, 1, 3, 3)), "project.weight": np.zeros((2, 2, 1, 1))}
    >>> InvertedResidual(weights=zeros)(np.full((1, 1, 1, 2), 3.0)).ravel().tolist()
    [3.0, 3.0]
    """

    stride: int = 1
    activation: Block = ReLU6()
    residual: bool = True
    eps: float = 1e-5
    weights: Weights | None = parameter()

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value:
        (x,) = inputs
        given, y = self.weights, x
        if given and "expand.weight" in given:
            y = convolution(build, y, given, "expand", "expand_bn", self.eps)
            y = build.add(self.activation, y, name="expand_activation")
        kernel = needed(given, "depthwise.weight").shape[2:]
        y = convolution(build, y, given, "depthwise", "depthwise_bn", self.eps, stride=self.stride,
                        padding=tuple((k - 1) // 2 for k in kernel), groups=y.shape[-1])  # fmt: skip
        y = build.add(self.activation, y, name="depthwise_activation")
        squeeze = {n.removeprefix("se."): a for n, a in (given or {}).items() if n.startswith("se.")}
        if squeeze:
            y = build.add(SqueezeExcite(weights=squeeze), y, name="squeeze_excite")
        y = convolution(build, y, given, "project", "project_bn", self.eps)
        return build.add(Add(), y, x, name="joined") if self.residual and x.shape == y.shape else y


@dataclass(frozen=True)
class Separable(Composite, abstract=True):
    """A depthwise convolution, then a 1×1 one: x [N, *spatial, C] → [N, *output, O].

    weights: depthwise.weight [M·C, 1, *kernel], pointwise.weight [O, M·C, 1 …], biases.
    """

    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    weights: Weights | None = parameter()

    axes: ClassVar[int] = 2

    def expand(self, build: GraphBuilder, *inputs: Any) -> Value:
        (x,) = inputs
        if len(x.shape) != self.axes + 2:
            raise self.fail(f"x needs {self.axes} spatial axes", x.shape)
        y = convolution(build, x, self.weights, "depthwise", stride=self.stride, padding=self.padding,
                        dilation=self.dilation, groups=x.shape[-1])  # fmt: skip
        return convolution(build, y, self.weights, "pointwise")


@dataclass(frozen=True)
class SeparableConv2d(Separable):
    """Depthwise and pointwise over two axes, see Separable. Source: Chollet 2017; tf.keras SeparableConv2D.

    >>> ones = {"depthwise.weight": np.ones((2, 1, 1, 1)), "pointwise.weight": np.ones((1, 2, 1, 1))}
    >>> SeparableConv2d(weights=ones)(np.full((1, 1, 1, 2), 3.0)).ravel().tolist()
    [6.0]
    """


@dataclass(frozen=True)
class SeparableConv1d(Separable):
    """Depthwise and pointwise over one axis, see Separable. Source: tf.keras SeparableConv1D.

    >>> ones = {"depthwise.weight": np.ones((2, 1, 1)), "pointwise.weight": np.ones((1, 2, 1))}
    >>> SeparableConv1d(weights=ones)(np.full((1, 1, 2), 3.0)).ravel().tolist()
    [6.0]
    """

    axes: ClassVar[int] = 1
