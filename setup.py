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
X86 = platform.machine().lower() in ("x86_64", "amd64")
X86_FLAGS = {
    "avx2": ["-mavx2", "-mpopcnt"],
    "avx512": [f"-m{part}" for part in ("avx2", "popcnt", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vbmi", "avx512vnni")],
}
STABLE_ABI = ("Py_LIMITED_API", "0x030B0000")


def flags(*more: str) -> list[str]:
    """Compiler flags of plain C11 whose float arithmetic is never contracted."""
    base = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-strict-aliasing", *more]
    if os.environ.get("HWBLOCKS_SANITIZE") == "1":
        base += ["-g", "-fno-wrapv", "-fsanitize=address,undefined"]
    return base


def library(name: str, sources: list[str], *more: str) -> tuple[str, dict[str, object]]:
    """A static library of one instruction set."""
    macros = [("HWB_HAVE_X86", "1")] if X86 else []
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
    plain = ["csrc/dispatch.c", *glob("csrc/ops/*.c"), *glob("csrc/kernels/*/*__ref.c")]
    made = [library("hwb_core", plain)]
    if X86:
        made += [library(f"hwb_{isa}", glob(f"csrc/kernels/*/*__{isa}.c"), *how) for isa, how in X86_FLAGS.items()]
    return made


def core() -> Extension:
    """hwblocks._core, on the stable ABI."""
    link = ["-fsanitize=address,undefined"] if os.environ.get("HWBLOCKS_SANITIZE") == "1" else []
    return Extension(
        "hwblocks._core",
        ["hwblocks/_core.pyx"],
        include_dirs=[INCLUDE],
        depends=HEADERS,
        define_macros=[STABLE_ABI],
        py_limited_api=True,
        extra_compile_args=["-O2", "-ffp-contract=off"],
        extra_link_args=[*link, "-lm"],
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
