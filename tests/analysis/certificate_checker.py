"""Checks a certificate of accumulators from the certificate alone, in Python integers; it needs no other module.

Run: python certificate_checker.py certificate.json. Rounding, saturation and addition never fall when a product grows,
so intervals carried through the stated order are exact: no input leaves them. Each witness is added up by itself.
"""

import base64
import hashlib
import json
import re
import sys

UP = {  # whether the upper neighbour is taken, of (rest, size, lower neighbour, negative)
    "floor": lambda r, s, low, neg: False, "ceil": lambda r, s, low, neg: True,
    "to_zero": lambda r, s, low, neg: neg, "away": lambda r, s, low, neg: not neg,
    "half_up": lambda r, s, low, neg: 2 * r >= s, "half_down": lambda r, s, low, neg: 2 * r > s,
    "half_even": lambda r, s, low, neg: 2 * r > s or (2 * r == s and low % 2 == 1),
    "half_odd": lambda r, s, low, neg: 2 * r > s or (2 * r == s and low % 2 == 0),
    "half_away": lambda r, s, low, neg: 2 * r > s or (2 * r == s and not neg),
    "half_to_zero": lambda r, s, low, neg: 2 * r > s or (2 * r == s and neg),
}  # fmt: skip


class RefusedError(Exception):
    """A claim does not hold."""


def require(holds, what):
    if not holds:
        raise RefusedError(what)


def read_record(text):
    """Fields of "int16 saturate dot(4) psum=24:wrap drop=2:floor bias=first zp=correct axes=chw"."""
    words = re.sub(r",\s+", ",", text).split()
    sign, bits = re.fullmatch(r"(u?)int(\d+)", words[0]).groups()
    record = {"bits": int(bits), "signed": not sign, "overflow": words[1], "order": "sequential", "n": 1, "sat16": False,
              "psum": None, "drop": "0:floor", "bias": "last", "zp": "subtract", "axes": "hwc"}  # fmt: skip
    for word in words[2:]:
        order = re.fullmatch(r"(\w+)\((\d+)(,sat16)?\)", word)
        if order:
            record.update(order=order[1], n=int(order[2]), sat16=bool(order[3]))
        else:
            record.update([word.split("=")])
    record["drop"], record["rounding"] = int(record["drop"].split(":")[0]), record["drop"].split(":")[1]
    unit = record["psum"].split(":", 1) if record["psum"] else ("16", "saturate") if record["sat16"] else None
    record["unit"] = unit and (int(unit[0]), True, unit[1])
    return record


def limits(bits, signed, overflow):
    high = (1 << (bits - signed)) - 1
    return (-high if overflow == "saturate_symmetric" else -high - 1) if signed else 0, high


def plus(a, b):
    return a[0] + b[0], a[1] + b[1]


def drop(pair, record):
    def one(v):
        low, rest = v >> record["drop"], v % (1 << record["drop"])
        return low + bool(rest and UP[record["rounding"]](rest, 1 << record["drop"], low, v < 0))

    return (one(pair[0]), one(pair[1])) if record["drop"] else pair


def handed_on(pair, unit):
    """What a unit holds of an interval, or of one value (both ends alike)."""
    low, high = limits(*unit)
    if low <= pair[0] and pair[1] <= high:
        return pair
    if unit[2] in ("saturate", "saturate_symmetric") or (unit[2] == "trap" and pair[0] != pair[1]):
        return min(max(pair[0], low), high), min(max(pair[1], low), high)
    if unit[2] in ("wrap", "trap") and pair[0] == pair[1]:
        return ((pair[0] - low) % (high - low + 1) + low,) * 2
    return (0, 0) if unit[2] == "saturate_to_zero" and pair[0] == pair[1] else (low, high)


def registers(record, terms, bias, correction):
    """(values of the accumulator, values of its unit) as intervals: all of them, or the last where the register wraps."""
    main, units, n = [], [], record["n"]

    def add(a, b):
        main.append(plus(a, b))
        return main[-1]

    def part(group):
        """A dot or a tile in its unit."""
        terms = [(sum(t[0] for t in group), sum(t[1] for t in group))] if record["order"] == "dot" else group
        held, asked, seen = (0, 0), (0, 0), []
        for term in terms:
            asked, held = plus(asked, term), plus(held, term)
            seen.append(asked)
            held = held if record["unit"][2] == "wrap" else handed_on(held, record["unit"])
        units.extend(seen[-1:] if record["unit"][2] == "wrap" else seen)
        return handed_on(held, record["unit"])

    def tree(level):
        while len(level) > 1:
            level = [add(*level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
        return level[0]

    value = (0, 0)
    if bias and record["bias"] == "first":
        value = add(value, drop(bias, record))
    if record["order"] != "dot":
        terms = [drop(t, record) for t in terms]
    groups = [terms[i : i + n] for i in range(0, len(terms), n)]
    if record["order"] == "interleaved":
        groups = [terms[i::n] for i in range(min(n, len(terms)))]
    parts = []
    for group in groups:
        if record["unit"]:
            parts.append(part(group))
        elif record["order"] == "dot":
            parts.append((sum(t[0] for t in group), sum(t[1] for t in group)))
        elif record["order"] == "tree":
            parts.append(tree(group))
        elif record["order"] == "sequential":
            parts += group
        else:
            total = (0, 0)
            for term in group:
                total = add(total, term)
            parts.append(total)
    for item in parts:
        value = add(value, drop(item, record) if record["order"] == "dot" else item)
    for item in (correction, bias if record["bias"] == "last" else None):
        value = add(value, drop(item, record)) if item else value
    return (main or [value])[-1 if record["overflow"] == "wrap" else 0 :], units


def unpacked(spec):
    """Integers of a packed array, flat."""
    data, size = base64.b64decode(spec["codes"], validate=True), spec["bytes"]
    require(hashlib.sha256(data).hexdigest() == spec["sha256"], "the digest of the codes is another one")
    return [int.from_bytes(data[i : i + size], "little", signed=True) for i in range(0, len(data), size)]


class Node:
    """A node of the certificate: which intervals its operands lie in."""

    def __init__(self, node):
        self.node, self.record, self.x, self.w = node, read_record(node["accumulator"]), node["x"], node["w"]
        self.count, self.width = 1, node["channels"] // node["groups"]
        for part in node["k_shape"]:
            self.count *= part
        self.x_codes = unpacked(self.x) if "codes" in self.x else None
        self.w_codes = unpacked(self.w) if "codes" in self.w else None
        self.leads = max(s["shape"][0] if "codes" in s else 1 for s in (self.x, self.w))
        self.cases = self.x["shape"][2] if self.x_codes else len(self.x["cases"])

    def order(self):
        shape = self.node["k_shape"]
        if self.record["axes"] == "hwc" or len(shape) < 2:
            return range(self.count)
        return [k for c in range(shape[-1]) for k in range(c, self.count, shape[-1])]

    def x_ends(self, lead, group, case):
        """Centred (lowest, highest) x of each product."""
        zero = self.x["zero_point"]
        if self.x_codes:
            leads, groups, cases, _ = self.x["shape"]
            at = ((min(lead, leads - 1) * groups + min(group, groups - 1)) * cases + case) * self.count
            return [(v, v) for v in self.x_codes[at : at + self.count]]
        taken, pad = int(self.x["cases"][case], 16), self.x["pad"] - zero
        ends = (self.x["lowest"] - zero, self.x["highest"] - zero)
        return [ends if taken >> k & 1 else (pad, pad) for k in range(self.count)]

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
        """(accumulator's, unit's) intervals of operands in lowered order."""
        zero, correction, record = self.x["zero_point"], None, self.record
        plain = record["overflow"] == "wrap" and not record["unit"] and not record["drop"]
        if record["zp"] == "correct" and not plain:  # of totals the sum is the same
            x = [(a + zero, b + zero) for a, b in x]
            sums = [-zero * sum(pair[end] for pair in w) for end in (0, 1)]
            correction = (min(sums), max(sums))
        corners = [[a * b for a in x[k] for b in w[k]] for k in self.order()]
        return registers(record, [(min(c), max(c)) for c in corners], bias, correction)

    def witness(self, claim, channel, end):
        """The (accumulator's, unit's) values of one end's witness."""
        group, column = divmod(channel, self.width)
        at = claim[f"witness_{end}"]
        require(0 <= at["case"] < self.cases and 0 <= at["lead"] < self.leads, "the witness's case does not exist")
        x, w = self.x_ends(at["lead"], group, at["case"]), self.w_ends(at["lead"], group, column)
        chosen = [int(at.get(name, "0"), 16) for name in ("x_highest", "w_highest")]
        pairs = [[(ends[b >> k & 1],) * 2 for k, ends in enumerate(operand)] for operand, b in zip((x, w), chosen)]
        bias = self.bias(channel)
        return self.values(*pairs, bias and (bias[end == "highest"],) * 2)


def check_channel(node, number, register, channel):
    claim, group, column = register["claims"][channel], *divmod(channel, node.width)
    found = []
    for lead in range(node.leads):
        for case in range(node.cases):
            ends = node.x_ends(lead, group, case), node.w_ends(lead, group, column)
            found += node.values(*ends, node.bias(channel))[number]
    low, high = min(v[0] for v in found), max(v[1] for v in found)
    require((claim["lowest"], claim["highest"]) == (low, high), f"it lies in [{low}, {high}]")
    for end, pick, value in (("lowest", 0, low), ("highest", 1, high)):
        if claim["exact"]:
            require(not node.node["tied"], "one tensor is both operands: no witness is free")
            reached = (min, max)[pick](v[0] for v in node.witness(claim, channel, end)[number])
            require(reached == value, f"the witness of the {end} reaches {reached}")
    fit = [b for b in range(1, 200) if fits(low, high, b, True, register["overflow"])]
    require(claim["bits"] == fit[0], f"it needs {fit[0]} bits")
    unsigned = max(high, 0).bit_length() if low >= 0 else None
    require(claim["bits_unsigned"] == unsigned, f"it needs {unsigned} unsigned bits")
    return fits(low, high, register["bits"], register["signed"], register["overflow"])


def fits(low, high, bits, signed, overflow):
    least, most = limits(bits, signed, overflow)
    return least <= low and high <= most


def check(certificate):
    """The number of claims that hold. Raises RefusedError for the first that does not."""
    require(certificate["schema"] == "hwblocks.accumulator-certificate/1", "the schema is unknown")
    count = 0
    for entry in certificate["nodes"]:
        node = Node(entry)
        record = node.record
        stated = [(record["bits"], record["signed"], record["overflow"]), *([record["unit"]] if record["unit"] else [])]
        require(len(stated) == len(entry["registers"]), f"{entry['name']}: it has {len(stated)} registers")
        for number, register in enumerate(entry["registers"]):
            where = f"{entry['name']}, {register['name']}"
            given = (register["bits"], register["signed"], register["overflow"])
            require(given == stated[number], f"{where}: the record says {stated[number]}")
            require(len(register["claims"]) == entry["channels"], f"{where}: a channel has no claim")
            safe = []
            for channel, claim in enumerate(register["claims"]):
                try:
                    safe.append(check_channel(node, number, register, channel))
                except RefusedError as error:
                    raise RefusedError(f"{where}, channel {channel}: {error}") from None
                count += 1 + 2 * claim["exact"]
            seen = [c["exact"] for c, holds in zip(register["claims"], safe) if not holds]
            verdict = "safe" if not seen else "overflows" if any(seen) else "not proven"
            require(register["verdict"] == verdict, f"{where}: the verdict is {verdict}")
    return count


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as stream:
        print(check(json.load(stream)), "claims hold")  # noqa: T201
