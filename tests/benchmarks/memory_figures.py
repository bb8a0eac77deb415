"""The figures of docs/memory.md: arenas of the MLPerf Tiny networks, and the minimalloc sets.

    python tests/benchmarks/memory_figures.py [folder of more minimalloc sets] > figures.md

Other tools' figures are measured ones (TensorFlow Lite Micro 0.dev20261023182759 on x86-64, its activations alone; Vela
5.2.0, whose graph differs); ours are planned here from the activations of the networks.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from hwblocks.costs.memory.buffer_file import read_buffers
from hwblocks.graph.arena_plan import turns
from hwblocks.graph.memory import MemoryPlan, plan_memory
from hwblocks.numerics.kernels.arena import Placer, lives_of

SHARED = Path(os.environ.get("HWBLOCKS_SHARED", Path(__file__).parents[2].parent / "shared"))
CAPACITY = 1_048_576

AUTOENCODER = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]  # bytes of each layer's int8 output, input first
TFLM = {"ad": 768, "vww": 73_728, "kws": 16_000, "ic": 49_152}
VELA = {"ad": 768, "vww": 74_475, "kws": 22_190, "ic": 51_845}  # from KiB to two places


def mobilenet() -> list[int]:
    """Bytes of the activations of MobileNetV1, width 1/4, on 96 × 96 × 3 images in int8."""
    side, channels = 48, 8
    made = [96 * 96 * 3, side * side * channels]
    outputs = (16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256)
    for stride, after in zip((1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1), outputs, strict=True):
        side //= stride
        made += [side * side * channels, side * side * after]
        channels = after
    return [*made, channels, 2, 2]


def chain(made: list[int]) -> list[tuple[str, int, int, int]]:
    """Buffers of layers one after the other: each lives until the next is made."""
    return [(f"t{i}", max(i - 1, 0), i + 1 if i + 1 < len(made) else i, size) for i, size in enumerate(made)]


def networks() -> dict[str, list[tuple[str, int, int, int]]]:
    """Buffers of each network; those of model files only where the files are."""
    found = {"ad": chain(AUTOENCODER), "vww": chain(mobilenet())}
    models = {"kws": "mlperf_kws_dscnn_int8", "ic": "mlperf_resnet8_int8"}
    for name, file in models.items():
        path = SHARED / "models" / "tflite" / f"{file}.tflite"
        if path.exists():
            import hwblocks as hb
            from hwblocks.graph.memory import live_ranges

            found[name] = [tuple(b) for b in live_ranges(hb.load(path))]
    return found


def network_row(name: str, buffers: list[tuple[str, int, int, int]]) -> str:
    """One line of the table of networks."""
    full, vela = plan_memory(buffers), f"{VELA[name]:,}" if name in VELA else ""
    first = by_size(buffers)
    return f"| {name} | {TFLM[name]:,} | {vela} | {first:,} | {full.size:,} | {full.bound:,} | {said(full)} |"


def by_size(buffers: list[tuple[str, int, int, int]]) -> int:
    """Bytes of a first fit, the largest buffers first."""
    lower, upper, size = (np.array(column) for column in zip(*(b[1:] for b in buffers if b[3]), strict=True))
    placer = Placer(lives_of(lower, upper, size)[0])
    return placer.height(placer.first_fit(turns(placer.lives, "size")))


def said(plan: MemoryPlan) -> str:
    """Whether a plan is proven."""
    return "yes" if plan.optimal else f"no, at least {plan.proven:,}"


def set_row(path: Path) -> str:
    """One line of the table of minimalloc sets."""
    buffers = read_buffers(path)
    start = time.perf_counter()
    fitted = plan_memory(buffers, capacity=CAPACITY)
    seconds = time.perf_counter() - start
    least = plan_memory(buffers)
    return (
        f"| {path.name.split('.')[0]} | {len(buffers)} | {by_size(buffers):,} | {fitted.size:,} | {1e3 * seconds:.0f} | "
        f"{least.size:,} | {least.bound:,} | {said(least)} |"
    )


def main(folders: list[Path]) -> None:
    """Print both tables."""
    print("| network | TFLM (B) | Vela (B) | first fit by size (B) | planned (B) | bound (B) | proven |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for name, buffers in networks().items():
        print(network_row(name, buffers))
    paths = {p.name: p for folder in folders for p in folder.glob("*.1048576.csv")}
    print(
        "\n| set | buffers | first fit by size (B) | within 1,048,576 (B) | ms | smallest found (B) | bound (B) | proven |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---|")
    for name in sorted(paths):
        print(set_row(paths[name]))


if __name__ == "__main__":
    main([Path(a) for a in sys.argv[1:]] or [SHARED / "reference" / "minimalloc"])
