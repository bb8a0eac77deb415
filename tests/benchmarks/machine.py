"""The machine a comparison ran on, and the versions of what took part."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from limits import compiler

PACKAGES = ("hwblocks", "numpy", "onnxruntime", "onnx", "ai-edge-litert", "tflite-micro", "matplotlib")
FLAGS = ("avx2", "fma", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16", "amx_int8",
         "asimd", "asimddp", "i8mm", "sve")  # fmt: skip


def processor() -> tuple[str, list[str]]:
    """The processor's name, and which of FLAGS it has."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine(), []
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    flags = (named.get("flags") or named.get("Features") or "").split()
    family = ", ".join(f"{k} {named[k]}" for k in ("cpu family", "model") if k in named)
    name = named.get("model name", platform.machine())
    return f"{name} ({family})" if family else name, [flag for flag in FLAGS if flag in flags]


def machine() -> dict[str, Any]:
    """Processor, flags that matter, processors this process may use, caches, system."""
    name, flags = processor()
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": name, "flags": flags, "processors": count, "caches": caches(), "architecture": platform.machine(),
        "kernel": f"{platform.system()} {platform.release()}",
    }  # fmt: skip


def caches() -> dict[str, str]:
    """Sizes of the first processor's caches, by level and kind."""
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = ((folder / n).read_text(encoding="ascii").strip() for n in ("level", "type", "size"))
        except OSError:
            continue
        found[f"L{level} {kind.lower()}"] = size
    return found


def load() -> float:
    """Processes that ran or waited to, on average over the last minute: what else the machine does."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0


def versions() -> dict[str, str]:
    """Versions of Python, the C compiler and the packages."""
    found = {"python": platform.python_version(), "compiler": compiler_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def compiler_version() -> str:
    """The first line of what the system's compiler says of itself."""
    try:
        done = subprocess.run([*compiler(), "--version"], capture_output=True, text=True)
    except OSError:
        return "none"
    return (done.stdout.splitlines() or ["unknown"])[0]


def command() -> str:
    """The command line, by the names a reader would type at the top of the checkout."""
    script = Path(sys.argv[0])
    chosen = {k: v for k, v in os.environ.items() if k in ("HWBLOCKS_ISA", "CC")}
    leading = [f"{name}={value}" for name, value in chosen.items()]
    return " ".join([*leading, "python", f"tests/benchmarks/{script.name}", *sys.argv[1:]])
