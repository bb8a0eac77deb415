"""Start-up, the fresh-machine check, and the wheel from another directory."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def python(*arguments, **more):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, **more)


def test_help_imports_neither_numpy_nor_onnx():
    code = (
        "import sys\nfrom hwblocks.cli import run\nassert run(['--help']) == 0\n"
        "heavy = {'numpy', 'onnx', 'numba', 'plotly', 'rich', 'jinja2', 'msgspec'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    assert "quantize" in done.stdout


def test_importing_the_package_imports_no_numpy():
    done = python("-c", "import sys, hwblocks, quantize; assert 'numpy' not in sys.modules")
    assert done.returncode == 0, done.stderr


def test_prerequisites_are_named_all_at_once(tmp_path):
    script = str(ROOT / ".ci" / "check_prerequisites.py")
    assert python(script).returncode == 0
    bare = python(script, env={"PATH": str(tmp_path), "CC": "no-such-compiler"})
    assert bare.returncode == 1
    assert "C compiler" in bare.stderr
    assert "make" in bare.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if names.returncode:
        pytest.skip("not a git checkout")
    for name in names.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    done = python("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(copy))
    assert done.returncode == 0, done.stderr
    return next(folder.glob("hwblocks-*.whl"))


def test_the_wheel_holds_what_it_needs(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "hwblocks/_core.abi3.so",
        "hwblocks/demo_data/digits_cnn.onnx",
        "hwblocks/targets/library/ideal-64mac.toml",
        "hwblocks/reports/page.html.j2",
        "hwblocks/reports/page.css",
        "hwblocks/reports/page.js",
        "quantize/recipes/int8.toml",
    ):
        assert wanted in names
    assert not [n for n in names if n.endswith((".c", ".pyx", ".pxd", ".pxi")) or n.startswith(("tests/", "csrc/"))]
    assert "cp311-abi3" in wheel.name


def test_the_wheel_works_from_another_directory(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    code = "import hwblocks, sys; assert 'site' in hwblocks.__file__, hwblocks.__file__\nfrom hwblocks.cli import main; main()"
    done = python("-c", code, "demo", "--quiet", cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_the_stub_of_public_names_is_current():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = python(str(ROOT / ".ci" / "write_stubs.py"), "--check", env=environment)
    assert done.returncode == 0, done.stderr
