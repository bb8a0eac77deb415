"""Checks a certificate of accumulators from the certificate alone, in Python integers; it needs no other module.

Run: python certificate_checker.py certificate.json. Rounding, saturation and addition never fall when a product grows,
so intervals carried through the stated order are exact: no input leaves them. A witness is an interval of one value.
"""

import base64
import hashlib
import json
import math
import re
import sys
from functools import reduce

UP = {  # whether the upper neighbour is taken, of (lower neighbour, negative): in a tie, or always where no half is named
    "floor": lambda low, neg: False, "ceil": lambda low, neg: True, "to_zero": lambda low, neg: neg,
    "away": lambda low, neg: not neg, "half_up": lambda low, neg: True, "half_down": lambda low, neg: False,
    "half_even": lambda low, neg: low % 2 == 1, "half_odd": lambda low, neg: low % 2 == 0,
    "half_away": lambda low, neg: not neg, "half_to_zero": lambda low, neg: neg,
}  # fmt: skip


class RefusedError(Exception):
    """A claim does not hold."""


def require(holds, what):
    if not holds:
        raise RefusedError(what)


def read_record(text):
    """Fields of "int16 saturate dot(4) psum=24:wrap drop=2:floor bias=first zp=correct axes=chw"."""
    width, overflow, *words = re.sub(r",\s+", ",", text).split()
    record = {
        "order": "sequential",
        "n": 1,
        "psum": None,
        "drop": "0:floor",
        "bias": "last",
        "zp": "subtract",
        "axes": "hwc",
    }
    for word in words:
        order = re.fullmatch(r"(\w+)\((\d+)(,sat16)?\)", word)
        record |= {"order": order[1], "n": int(order[2])} if order else dict([word.split("=")])
        record["psum"] = "16:saturate" if order and order[3] else record["psum"]
    sign, bits = re.fullmatch(r"(u?)int(\d+)", width).groups()
    unit = record["psum"] and record["psum"].split(":", 1)
    drop, record["rounding"] = record["drop"].split(":")
    return record | {
        "drop": int(drop),
        "main": (int(bits), not sign, overflow),
        "unit": unit and (int(unit[0]), True, unit[1]),
    }


def fits(interval, bits, signed, overflow):
    low, high = limits(bits, signed, overflow)
    return low <= interval[0] and interval[1] <= high


def limits(bits, signed, overflow):
    high = (1 << (bits - signed)) - 1
    return (-high if overflow == "saturate_symmetric" else -high - 1) if signed else 0, high


def plus(a, b):
    return a[0] + b[0], a[1] + b[1]


def dropped(interval, record):
    """What enters a register whose LSB is 2**drop products."""

    def one(value):
        low, twice = value >> record["drop"], 2 * (value % size)
        decided = record["rounding"].startswith("half") and twice != size
        return low + (twice > 0 and (twice > size if decided else UP[record["rounding"]](low, value < 0)))

    size = 1 << record["drop"]
    return one(interval[0]), one(interval[1])


def handed_on(interval, unit):
    """What a dot's or tile's register holds of an interval."""
    (low, high), overflow, known = limits(*unit), unit[2], interval[0] == interval[1]
    if fits(interval, *unit):
        return interval
    if overflow in ("saturate", "saturate_symmetric") or (overflow == "trap" and not known):
        return min(max(interval[0], low), high), min(max(interval[1], low), high)
    if known and overflow in ("wrap", "trap"):
        return ((interval[0] - low) % (high - low + 1) + low,) * 2
    return (0, 0) if known and overflow == "saturate_to_zero" else (low, high)


def registers(record, terms, bias, correction):
    """[values of the accumulator, values of its unit]: all that are added up to, or the last where the register wraps."""
    main, units, order, n = [], [], record["order"], record["n"]

    def add(a, b):
        main.append(plus(a, b))
        return main[-1]

    def in_unit(group):
        sums, held = [(0, 0)], (0, 0)
        for term in [reduce(plus, group)] if order == "dot" else group:
            sums.append(plus(sums[-1], term))
            held = plus(held, term) if record["unit"][2] == "wrap" else handed_on(plus(held, term), record["unit"])
        units.extend(sums[-1:] if record["unit"][2] == "wrap" else sums[1:])
        return handed_on(held, record["unit"])

    def tree(level):
        while len(level) > 1:
            level = [reduce(add, level[i : i + 2]) for i in range(0, len(level), 2)]
        return level[0]

    def chain(group):
        return reduce(add, group, (0, 0))

    inside = {"sequential": lambda group: group[0], "dot": lambda group: reduce(plus, group), "tree": tree}
    terms = terms if order == "dot" else [dropped(t, record) for t in terms]
    starts = range(min(n, len(terms))) if order == "interleaved" else range(0, len(terms), n)
    groups = [terms[i::n] if order == "interleaved" else terms[i : i + n] for i in starts]
    parts = [(in_unit if record["unit"] else inside.get(order, chain))(group) for group in groups]
    parts = [dropped(p, record) for p in parts] if order == "dot" else parts
    first, last = (bias, None) if record["bias"] == "first" else (None, bias)
    chain([*(dropped(c, record) for c in [first] if c), *parts, *(dropped(c, record) for c in (correction, last) if c)])
    return [main[-1:] if record["main"][2] == "wrap" else main, units]


def unpacked(spec):
    """Integers of a packed array, flat; None for a run-time operand."""
    if "codes" not in spec:
        return None
    data, size = base64.b64decode(spec["codes"], validate=True), spec["bytes"]
    require(hashlib.sha256(data).hexdigest() == spec["sha256"], "the digest of the codes is another one")
    return [int.from_bytes(data[i : i + size], "little", signed=True) for i in range(0, len(data), size)]


class Node:
    """A node of the certificate: the intervals its operands lie in, and what its registers make of them."""

    def __init__(self, node):
        self.node, self.record, self.x, self.w = node, read_record(node["accumulator"]), node["x"], node["w"]
        self.count, self.width = math.prod(node["k_shape"]), node["channels"] // node["groups"]
        self.x_codes, self.w_codes = unpacked(self.x), unpacked(self.w)
        self.leads = max(s["shape"][0] if "codes" in s else 1 for s in (self.x, self.w))
        self.cases = self.x["shape"][2] if self.x_codes else len(self.x["cases"])
        shift = self.node["k_shape"][-1] if self.record["axes"] == "chw" else 1
        self.order = [k for c in range(shift) for k in range(c, self.count, shift)]

    def x_ends(self, lead, group, case):
        """Centred (lowest, highest) x of each product: constant, or free where the case does not say padding."""
        if self.x_codes:
            leads, groups, cases, _ = self.x["shape"]
            at = ((min(lead, leads - 1) * groups + min(group, groups - 1)) * cases + case) * self.count
            return [(v, v) for v in self.x_codes[at : at + self.count]]
        low, high, pad = (self.x[name] - self.x["zero_point"] for name in ("lowest", "highest", "pad"))
        return [(low, high) if int(self.x["cases"][case], 16) >> k & 1 else (pad, pad) for k in range(self.count)]

    def w_ends(self, lead, group, column):
        """Centred (lowest, highest) w of each product."""
        if not self.w_codes:
            return [(self.w["lowest"] - self.w["zero_point"], self.w["highest"] - self.w["zero_point"])] * self.count
        leads, groups, count, width = self.w["shape"]
        require(count == self.count and width == self.width, "the weights have another shape")
        at = (min(lead, leads - 1) * groups + group) * count * width + column
        return [(v, v) for v in self.w_codes[at : at + count * width : width]]

    def bias(self, channel):
        bias = self.node["bias"]
        return bias and ((bias[channel],) * 2 if isinstance(bias, list) else (bias["lowest"], bias["highest"]))

    def values(self, x, w, bias):
        """What the registers add up to, of operands in lowered order."""
        zero, correction, record = self.x["zero_point"], None, self.record
        if record["zp"] == "correct" and (record["main"][2] != "wrap" or record["unit"] or record["drop"]):
            x = [plus(ends, (zero, zero)) for ends in x]  # of totals the sum is the same
            correction = tuple(sorted(-zero * sum(ends[i] for ends in w) for i in (0, 1)))
        corners = [[a * b for a in x[k] for b in w[k]] for k in self.order]
        return registers(record, [(min(c), max(c)) for c in corners], bias, correction)

    def witness(self, at, channel, end):
        """The same of one end's witness."""
        group, column = divmod(channel, self.width)
        require(0 <= at["case"] < self.cases and 0 <= at["lead"] < self.leads, "the witness's case does not exist")
        operands = self.x_ends(at["lead"], group, at["case"]), self.w_ends(at["lead"], group, column)
        highest = [int(at.get(name, "0"), 16) for name in ("x_highest", "w_highest")]
        taken = [[(ends[h >> k & 1],) * 2 for k, ends in enumerate(o)] for o, h in zip(operands, highest)]
        bias = self.bias(channel)
        return self.values(*taken, bias and (bias[end],) * 2)

    def check_claim(self, number, claim, channel):
        """The interval of one register and channel, if it is what the claim says."""
        group, column = divmod(channel, self.width)
        found = [value for lead in range(self.leads) for case in range(self.cases) for value in self.values(
            self.x_ends(lead, group, case), self.w_ends(lead, group, column), self.bias(channel))[number]]  # fmt: skip
        interval = min(v[0] for v in found), max(v[1] for v in found)
        require((claim["lowest"], claim["highest"]) == interval, f"it lies in {interval}")
        require(not (claim["exact"] and self.node["tied"]), "one tensor is both operands: no witness is free")
        for end, name, best in ((0, "lowest", min), (1, "highest", max)) if claim["exact"] else ():
            reached = best(v[0] for v in self.witness(claim[f"witness_{name}"], channel, end)[number])
            require(reached == interval[end], f"the witness of the {name} reaches {reached}")
        overflow = (self.record["main"], self.record["unit"])[number][2]
        narrowest = next(b for b in range(1, 200) if fits(interval, b, True, overflow))
        unsigned = max(interval[1], 0).bit_length() if interval[0] >= 0 else None
        require(
            (claim["bits"], claim["bits_unsigned"]) == (narrowest, unsigned), f"it needs {narrowest}, {unsigned} bits"
        )
        return interval


def check_register(node, number, register):
    """The number of claims of one register that hold."""
    stated = (node.record["main"], node.record["unit"])[number]
    require((register["bits"], register["signed"], register["overflow"]) == stated, f"the record says {stated}")
    require(len(register["claims"]) == node.node["channels"], "a channel has no claim")
    intervals = [node.check_claim(number, claim, c) for c, claim in enumerate(register["claims"])]
    seen = [claim["exact"] for claim, i in zip(register["claims"], intervals) if not fits(i, *stated)]
    verdict = "safe" if not seen else "overflows" if any(seen) else "not proven"
    require(register["verdict"] == verdict, f"the verdict is {verdict}")
    return sum(1 + 2 * claim["exact"] for claim in register["claims"])


def check(certificate):
    """The number of claims that hold. Raises RefusedError for the first that does not."""
    require(certificate["schema"] == "hwblocks.accumulator-certificate/1", "the schema is unknown")
    count = 0
    for entry in certificate["nodes"]:
        node = Node(entry)
        require(len(entry["registers"]) == 1 + bool(node.record["unit"]), f"{entry['name']}: a register is missing")
        for number, register in enumerate(entry["registers"]):
            try:
                count += check_register(node, number, register)
            except RefusedError as error:
                raise RefusedError(f"{entry['name']}, {register['name']}: {error}") from None
    return count


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as stream:
        print(check(json.load(stream)), "claims hold")  # noqa: T201
