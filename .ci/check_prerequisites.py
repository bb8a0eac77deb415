"""Names everything that is missing to build hwblocks, in one message; standard library only."""

import importlib.util
import os
import shutil
import sys
import sysconfig


def missing() -> list[str]:
    """What is not there, each with what it is for."""
    found = []
    if sys.version_info < (3, 11):
        found.append(f"Python 3.11 or newer (this is {sys.version.split()[0]}; set PYTHON=python3.11)")
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        found.append("the venv module with ensurepip (Debian: python3-venv)")
    header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
    if not os.path.exists(header):
        found.append(f"the Python headers, {header} (Debian: python3-dev)")
    compiler = os.environ.get("CC", "cc").split()[0]
    if shutil.which(compiler) is None and shutil.which("gcc") is None:
        found.append(f"a C compiler, {compiler} or gcc (Debian: gcc)")
    if shutil.which("make") is None:
        found.append("make (Debian: make)")
    return found


def main() -> int:
    """Print what is missing; 0 when nothing is."""
    lines = missing()
    if lines:
        sys.stderr.write("hwblocks cannot be built here; missing:\n" + "".join(f"  - {line}\n" for line in lines))
        sys.stderr.write("Debian and Ubuntu: apt install python3-venv python3-dev gcc make\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
