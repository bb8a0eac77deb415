"""Records what FINN estimates for engines and buffers of windows. Run once, with numpy and a clone of Xilinx/finn:

python tests/golden/record_finn.py PATH/TO/finn    # writes finn_estimates.csv beside this file

Only the estimating methods of FINN's operators are run, on stand-ins that answer `get_nodeattr`; the rest of FINN is not
needed. The first line of the file names the commit and the command. Widths are of signed integers, accumulators INT32.
"""

from __future__ import annotations

import ast
import csv
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

OPERATORS = "src/finn/custom_op/fpgadataflow/"
FIELDS = ("unit", "attributes", "cycles", "luts", "dsps", "bram18", "uram")
# MW, MH, PE, SIMD, weight bits, activation bits, vectors
ENGINES = (
    *((4, 4, 1, 1, 2, 2, 1), (784, 64, 16, 49, 1, 1, 1), (64, 64, 8, 8, 1, 1, 1), (27, 64, 16, 3, 8, 8, 900)),
    *(
        (576, 64, 32, 32, 1, 1, 784),
        (1152, 128, 16, 32, 4, 4, 100),
        (512, 10, 5, 1, 8, 8, 1),
        (640, 128, 4, 20, 4, 8, 7),
    ),
    *((2304, 256, 1, 32, 2, 2, 1), (2048, 1000, 1, 1, 8, 8, 1), (96, 36, 3, 6, 6, 3, 5), (4608, 512, 64, 18, 3, 4, 49)),
)
# height, width, kernel, stride, dilation, channels, SIMD, activation bits, depthwise
WINDOWS = (
    *((32, 32, 3, 1, 1, 8, 4, 8, 0), (30, 17, 5, 2, 1, 16, 2, 4, 0), (224, 224, 7, 2, 1, 3, 3, 8, 0)),
    *((14, 14, 3, 1, 2, 64, 8, 4, 0), (56, 56, 3, 2, 1, 128, 16, 8, 0), (12, 20, 2, 2, 1, 6, 1, 2, 0)),
    *((28, 28, 3, 1, 1, 32, 4, 8, 1), (28, 30, 3, 2, 1, 32, 4, 8, 1), (112, 112, 3, 2, 1, 64, 1, 8, 1)),
)


def methods(finn: Path, file: str, cls: str) -> dict[str, object]:
    """The methods of a class as plain functions."""
    tree = ast.parse((finn / OPERATORS / file).read_text())
    found = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls)
    space: dict[str, object] = {"math": math, "np": np}
    kept = [n for n in found.body if isinstance(n, ast.FunctionDef)]
    exec(compile(ast.Module(body=kept, type_ignores=[]), file, "exec"), space)
    return space


def width(bits: int) -> SimpleNamespace:
    return SimpleNamespace(bitwidth=lambda: bits, signed=lambda: True)


class Operator:
    """A stand-in with attributes, on which FINN's methods run."""

    def __init__(self, spaces: list[dict[str, object]], types: dict[str, int], attributes: dict[str, object]) -> None:
        self.__dict__.update(attributes=attributes, spaces=spaces)
        for name, bits in types.items():
            self.__dict__[f"get_{name}_datatype"] = lambda bits=bits: width(bits)
        self.__dict__["get_number_input_values"] = lambda: 0

    def get_nodeattr(self, name: str) -> object:
        return self.attributes[name]

    def __getattr__(self, name: str) -> object:
        for space in self.spaces:
            if name in space:
                return lambda *given: space[name](self, *given)
        raise AttributeError(name)


def engines(finn: Path) -> list[tuple[object, ...]]:
    spaces = [
        methods(finn, "hls/matrixvectoractivation_hls.py", "MVAU_hls"),
        methods(finn, "matrixvectoractivation.py", "MVAU"),
    ]
    rows = []
    for mw, mh, pe, simd, w, a, vectors in ENGINES:
        for style in ("block", "distributed", "ultra"):
            for multiply in ("lut", "dsp"):
                made = Operator(spaces, {"weight": w, "input": a, "accumulator": 32, "output": 32}, {
                    "MW": mw, "MH": mh, "PE": pe, "SIMD": simd, "numInputVectors": [vectors], "resType": multiply,
                    "mem_mode": "internal_decoupled", "ram_style": style, "noActivation": 1,
                    "ram_style_thresholds": "auto"})  # fmt: skip
                text = f"mw={mw} mh={mh} pe={pe} simd={simd} w={w} a={a} vectors={vectors} {style} {multiply}"
                counts = (
                    made.lut_estimation(),
                    made.dsp_estimation(""),
                    made.bram_estimation(),
                    made.uram_estimation(),
                )
                rows.append(("engine", text, made.get_exp_cycles(), *counts))
    return rows


def windows(finn: Path) -> list[tuple[object, ...]]:
    spaces = [methods(finn, "rtl/convolutioninputgenerator_rtl.py", "ConvolutionInputGenerator_rtl")]
    rows = []
    for h, wide, k, s, d, channels, simd, a, depthwise in WINDOWS:
        out = [(size - d * (k - 1) - 1) // s + 1 for size in (h, wide)]
        made = Operator(spaces, {"input": a}, {
            "IFMChannels": channels, "ConvKernelDim": [k, k], "IFMDim": [h, wide], "OFMDim": out, "Stride": [s, s],
            "Dilation": [d, d], "SIMD": simd, "depthwise": depthwise, "M": 1, "parallel_window": 0,
            "ram_style": "block"})  # fmt: skip
        text = f"h={h} wide={wide} k={k} s={s} d={d} channels={channels} simd={simd} a={a} depthwise={depthwise}"
        rows.append(("window", text, made.get_exp_cycles(), made.lut_estimation(), 0, made.bram_estimation(), 0))
    return rows


def main(finn: Path) -> None:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=finn, capture_output=True, text=True, check=True).stdout
    with Path(__file__).with_name("finn_estimates.csv").open("w", newline="") as file:
        file.write(f"# Xilinx/finn @{commit.strip()}: python tests/golden/record_finn.py PATH/TO/finn\n")
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        writer.writerows(engines(finn) + windows(finn))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
