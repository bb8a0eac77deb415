"""Small pictures as PNG files with a palette, and the two palettes (PNG: W3C recommendation 2003, ISO/IEC 15948)."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from functools import cache

from hwblocks.charts.measured import Pixels

Colour = tuple[int, int, int]

MAGNITUDE = ((13, 18, 43), (38, 60, 122), (32, 121, 150), (80, 180, 130), (190, 215, 90), (252, 240, 170))
SIGNED = ((36, 92, 170), (128, 170, 214), (240, 240, 240), (236, 160, 120), (178, 48, 40))
NO_NUMBER = 255  # the palette's entry for NaN


def data_uri(pixels: Pixels) -> str:
    """A picture as a data URI."""
    return "data:image/png;base64," + base64.b64encode(encode(pixels)).decode()


def encode(pixels: Pixels) -> bytes:
    """The bytes of an indexed PNG: one byte a pixel, 255 colours over [low, high], grey for NaN; its palette holds the
    colours that occur."""
    height, width = pixels.size
    coded = [encode_line(line, pixels) for line in pixels.values]
    used = sorted(set(b"".join(coded))) or [NO_NUMBER]  # a palette has one colour at least
    numbers, colours = bytes.maketrans(bytes(used), bytes(range(len(used)))), palette(pixels.signed)
    lines = b"".join(b"\0" + line.translate(numbers) for line in coded)
    kept = b"".join(colours[3 * index : 3 * index + 3] for index in used)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", kept), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def encode_line(values: Sequence[float], pixels: Pixels) -> bytes:
    """Values as entries of the picture's palette."""
    return bytes(_index(value, pixels) for value in values)


def _index(value: float, pixels: Pixels) -> int:
    if value != value:
        return NO_NUMBER
    if pixels.high <= pixels.low:
        return 127 if pixels.signed else 0
    part = (value - pixels.low) / (pixels.high - pixels.low)
    return round(254 * min(max(part, 0.0), 1.0))


@cache
def palette(signed: bool) -> bytes:
    """256 colours: 255 along the anchors, and grey."""
    anchors = SIGNED if signed else MAGNITUDE
    return b"".join(bytes(_between(anchors, i / 254)) for i in range(255)) + bytes((128, 128, 128))


def _between(anchors: Sequence[Colour], part: float) -> Colour:
    at = part * (len(anchors) - 1)
    first = min(int(at), len(anchors) - 2)
    rest = at - first
    red, green, blue = (round(a + (b - a) * rest) for a, b in zip(anchors[first], anchors[first + 1], strict=True))
    return red, green, blue
