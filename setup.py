"""Build of the compiled core; everything else about the package stands in pyproject.toml.

HWBLOCKS_NO_EXT=1 leaves the core out (the exact Python definitions remain).
HWBLOCKS_SANITIZE=1 builds it with address and undefined-behaviour sanitizers.
"""

import os
import platform
from glob import glob

from setuptools import Extension, setup

INCLUDE = "csrc/include"
HEADERS = sorted(glob("csrc/include/hwblocks/*.h") + glob("csrc/ops/*.h"))
# Of each processor family: its names, the macro that says so, and what each instruction set needs beyond the baseline.
# tests/c reads this literal.
FAMILIES = [
    (
        ("x86_64", "amd64"),
        "HWB_HAVE_X86",
        {
            "avx2": "avx2 fma popcnt",
            "avx512": "avx2 fma popcnt avx512f avx512bw avx512dq avx512vl avx512vbmi avx512vnni",
        },
    ),
    (("aarch64", "arm64"), "HWB_HAVE_NEON", {"neon": ""}),
]
MACHINE = platform.machine().lower()
STABLE_ABI = ("Py_LIMITED_API", "0x030B0000")


def flags(*more: str) -> list[str]:
    """Compiler flags of plain C11 whose float arithmetic is never contracted."""
    base = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-strict-aliasing", *more]
    if os.environ.get("HWBLOCKS_SANITIZE") == "1":
        base += ["-g", "-fno-wrapv", "-fsanitize=address,undefined"]
    return base


def library(name: str, sources: list[str], macros: list[tuple[str, str]], *more: str) -> tuple[str, dict[str, object]]:
    """A static library of one instruction set."""
    build = {
        "sources": sorted(sources),
        "depends": HEADERS,
        "include_dirs": [INCLUDE],
        "cflags": flags(*more),
        "macros": macros,
    }
    return name, build


def libraries() -> list[tuple[str, dict[str, object]]]:
    """The plain core, and one library for each instruction set of this processor family."""
    family = next((f for f in FAMILIES if MACHINE in f[0]), None)
    macros = [(family[1], "1")] if family else []
    plain = ["csrc/dispatch.c", *glob("csrc/ops/*.c"), *glob("csrc/kernels/*/*__ref.c")]
    made = [library("hwb_core", plain, macros)]
    for isa, parts in family[2].items() if family else ():
        options = [f"-m{part}" for part in parts.split()]
        made.append(library(f"hwb_{isa}", glob(f"csrc/kernels/*/*__{isa}.c"), macros, *options))
    return made


def core() -> Extension:
    """hwblocks._core, on the stable ABI."""
    link = ["-fsanitize=address,undefined"] if os.environ.get("HWBLOCKS_SANITIZE") == "1" else []
    return Extension(
        "hwblocks._core",
        ["hwblocks/_core.pyx"],
        include_dirs=[INCLUDE],
        depends=[*HEADERS, *sorted(glob("csrc/**/*.c", recursive=True))],  # so that it is linked again
        define_macros=[STABLE_ABI],
        py_limited_api=True,
        extra_compile_args=["-O2", "-ffp-contract=off"],
        extra_link_args=[*link, "-lm", "-pthread"],
    )


def compiled() -> dict[str, object]:
    """The setup arguments of the compiled part."""
    if os.environ.get("HWBLOCKS_NO_EXT") == "1":
        return {}
    from Cython.Build import cythonize

    modules = cythonize([core()], compiler_directives={"language_level": "3"}, build_dir="build/cython")
    return {
        "ext_modules": modules,
        "libraries": libraries(),
        "options": {"bdist_wheel": {"py_limited_api": "cp311"}},
    }


if __name__ == "__main__":
    setup(**compiled())
