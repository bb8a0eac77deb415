"""Certificates: proven again by a checker that imports nothing of the package; the smallest change is refused."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from certificate_checker import RefusedError, check
from hypothesis import given, settings
from hypothesis import strategies as st

import hwblocks as hb
from hwblocks.errors import OutputError
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.arithmetic import Arithmetic
from hwblocks.numerics.formats import Format
from hwblocks.numerics.requantize import Requantize

CHECKER = Path(__file__).with_name("certificate_checker.py")
RECORDS = [
    "int32 wrap",
    "int12 wrap",
    "uint20 wrap zp=correct",
    "int14 saturate bias=first",
    "int15 trap axes=chw",
    "int16 saturate_symmetric interleaved(3) zp=correct",
    "int20 saturate tree(7) drop=2:half_even",
    "int16 wrap tiles(4) psum=13:saturate drop=1:ceil axes=chw",
    "int18 saturate dot(4) psum=12:wrap bias=first",
    "int18 saturate dot(4) psum=20:wrap drop=3:half_odd",
    "int18 saturate tiles(5) psum=11:saturate_to_zero",
    "int18 trap tiles(5) psum=11:trap",
    "int20 wrap:1 dot(2,sat16) zp=correct",
]


def arithmetic(record):
    return Arithmetic(accumulator=Accumulator(record), requantize=Requantize.preset("shift"))


def network(record, x=None, seed=3):
    """A convolution with padding, a depthwise one, a transposed one and a product of two activations."""
    rng = np.random.default_rng(seed)
    build, y = hb.GraphBuilder("lab"), Format("int8", zero_point=-3)
    x = build.input("x", (1, 4, 3, 2), x or Format("uint4", zero_point=9))
    blocks = [(hb.Conv2d(padding=1), (4, 3, 3, 2), 4), (hb.Conv2d(padding=(1, 0), groups=4), (1, 3, 1, 4), 4), (hb.ConvTranspose2d(stride=2), (3, 2, 2, 4), 3)]  # fmt: skip
    value = x
    for number, (block, shape, outputs) in enumerate(blocks):
        w = build.constant(f"w{number}", rng.integers(-7, 8, shape), Format("int4"))
        b = build.constant(f"b{number}", rng.integers(-90, 90, outputs), Format("int32"))
        value = build.add(block, value, w, b, name=f"layer{number}", formats=[y], arithmetic=arithmetic(record))
    turned = build.add(hb.Transpose((0, 1, 3, 2)), value, name="turned", formats=[y])
    product = build.add(hb.MatMul(), value, turned, name="product", formats=[y], arithmetic=arithmetic(record))
    return build.build(product)


@pytest.mark.parametrize("record", RECORDS)
def test_every_claim_holds(record):
    found = hb.accumulators(network(record))
    written = json.loads(json.dumps(found.certificate()))
    claims = sum(len(r["claims"]) for node in written["nodes"] for r in node["registers"])
    assert claims <= check(written) <= 3 * claims
    assert [node["name"] for node in written["nodes"]] == ["layer0", "layer1", "layer2", "product"]


@settings(max_examples=25)
@given(st.sampled_from(RECORDS), st.sampled_from([Format("int3", narrow=True), Format("int5", zero_point=-16), Format("uint2")]), st.integers(0, 999))  # fmt: skip
def test_claims_of_random_networks_hold(record, x, seed):
    check(hb.accumulators(network(record, x, seed)).certificate())


def changed_weight(node):
    data = bytearray(base64.b64decode(node["w"]["codes"]))
    data[0] = (data[0] + 1) % 256
    node["w"]["codes"] = base64.b64encode(bytes(data)).decode()
    return bytes(data)


def changed_weight_and_digest(node):
    node["w"]["sha256"] = hashlib.sha256(changed_weight(node)).hexdigest()


def claim(node):
    return node["registers"][0]["claims"][0]


TAMPERED = {
    "a weight": changed_weight,
    "a weight and its digest": changed_weight_and_digest,
    "a highest value one too low": lambda n: claim(n).update(highest=claim(n)["highest"] - 1),
    "a highest value one too high": lambda n: claim(n).update(highest=claim(n)["highest"] + 1),
    "a lowest value one too high": lambda n: claim(n).update(lowest=claim(n)["lowest"] + 1),
    "a lowest value one too low": lambda n: claim(n).update(lowest=claim(n)["lowest"] - 1),
    "a width one too small": lambda n: claim(n).update(bits=claim(n)["bits"] - 1),
    "a width one too large": lambda n: claim(n).update(bits=claim(n)["bits"] + 1),
    "an unsigned width": lambda n: claim(n).update(bits_unsigned=claim(n)["bits"]),
    "the present width": lambda n: n["registers"][0].update(bits=n["registers"][0]["bits"] - 1),
    "the record": lambda n: n.update(accumulator=n["accumulator"] + " bias=first"),
    "the verdict": lambda n: n["registers"][0].update(verdict="overflows"),
    "a bias": lambda n: n["bias"].__setitem__(0, n["bias"][0] + 1),
    "the highest code of x": lambda n: n["x"].update(highest=n["x"]["highest"] + 1),
    "the zero point": lambda n: n["x"].update(zero_point=n["x"]["zero_point"] + 1),
    "a witness": lambda n: claim(n)["witness_highest"].update(x_highest=claim(n)["witness_lowest"]["x_highest"]),
    "a case of a witness": lambda n: claim(n)["witness_highest"].update(case=99),
    "a claim that is missing": lambda n: n["registers"][0]["claims"].pop(),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_tampered_certificates_are_refused(what):
    written = hb.accumulators(network("int20 saturate")).certificate()
    check(written)
    tampered = copy.deepcopy(written)
    TAMPERED[what](tampered["nodes"][0])
    with pytest.raises(RefusedError):
        check(tampered)


def test_the_file_stands_alone(tmp_path):
    found = hb.accumulators(network("int16 wrap"))
    path = found.save_certificate(tmp_path / "certificate.json")
    again = hb.accumulators(network("int16 wrap")).save_certificate(tmp_path / "again.json")
    assert path.read_bytes() == again.read_bytes()
    command = [sys.executable, "-I", "-S", str(CHECKER), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(" claims hold\n")
    assert "hwblocks" not in [line.split()[1] for line in CHECKER.read_text().splitlines() if line.startswith("import")]
    with pytest.raises(OutputError):
        found.save_certificate(tmp_path / "missing" / "certificate.json")


def test_a_long_dot_of_wide_weights():
    build = hb.GraphBuilder("wide")
    x = build.input("x", (1, 3), Format("int16"))
    w = build.constant("w", np.array([[-(1 << 62), (1 << 62), 5]]), Format("int64"))
    graph = build.build(
        build.add(hb.Linear(), x, w, name="fc", formats=[Format("int8")], arithmetic=arithmetic("int64 trap"))
    )
    written = hb.accumulators(graph).certificate()
    assert check(written) == 3
    assert written["nodes"][0]["registers"][0]["claims"][0]["bits"] == 79
