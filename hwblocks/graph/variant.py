"""Variants: integer meanings that a block itself chooses, by a name with parameters: "pwl(8)", "cordic(16, 24)"."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwblocks.errors import FormatError
from hwblocks.graph.work import Work

if TYPE_CHECKING:
    pass

TABLE = "table"  # a block's own integer meaning
EVERY = "*"  # every Pointwise block that is not a clamp

_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\((.*)\))?\s*")


@dataclass(frozen=True)
class Parameter:
    """A parameter in the parentheses of a variant: a whole number, or one of some words.

    default: None where it must be given. power: it must be a power of two.
    """

    name: str
    least: int = 0
    most: int = 0
    default: int | str | None = None
    words: tuple[str, ...] = ()
    power: bool = False

    def read(self, text: str) -> int | str:
        """The value of a text. Errors: FormatError says what may stand there."""
        if self.words and text in self.words:
            return text
        number = int(text) if re.fullmatch(r"\d+", text) and not self.words else -1
        if not self.least <= number <= self.most or (self.power and number & (number - 1)):
            raise FormatError(f"{self.name} {text!r} is not {self.valid}")
        return number

    @property
    def valid(self) -> str:
        """What may stand there, in words."""
        if self.words:
            return " or ".join(repr(word) for word in self.words)
        return f"{'a power of two' if self.power else 'a whole number'} from {self.least} to {self.most}"


@dataclass(frozen=True)
class Offer:
    """What makes a named algorithm one that a block may choose.

    parameters: in order. work: (parameters) → operations of one element.
    table_bytes: (site, parameters) → bytes of its tables and coefficients.
    constants: (site, parameters) → these by name, as whole numbers, for RTL.
    fit_error: (site, parameters) → the largest error of a fit in output steps before rounding, or None.
    wide: it serves inputs of more than 16 bits too.
    check: (site, parameters) → why it does not serve the site's formats, or "".
    """

    parameters: tuple[Parameter, ...] = ()
    work: Callable[..., Work] = Work
    table_bytes: Callable[..., int] = lambda site, *arguments: 0
    constants: Callable[..., dict[str, Any]] = lambda site, *arguments: {}
    fit_error: Callable[..., float | None] = lambda site, *arguments: None
    wide: bool = True
    check: Callable[..., str] = lambda site, *arguments: ""

    def read(self, texts: tuple[str, ...], name: str) -> tuple[Any, ...]:
        """Values of all parameters from those given. Errors: FormatError."""
        if len(texts) > len(self.parameters):
            raise FormatError(f"{self.usage(name)} takes no {texts[len(self.parameters)]!r}")
        values = []
        for position, parameter in enumerate(self.parameters):
            if position < len(texts):
                values.append(parameter.read(texts[position]))
            elif parameter.default is None:
                raise FormatError(f"{name!r} needs {parameter.name}: {self.usage(name)}, {parameter.valid}")
            else:
                values.append(parameter.default)
        return tuple(values)

    def usage(self, name: str) -> str:
        """How the variant is written."""
        given = [p.name if p.default is None else f"{p.name}={p.default}" for p in self.parameters]
        return f"{name}({', '.join(given)})" if given else name


def split_call(text: str) -> tuple[str, tuple[str, ...]]:
    """The name and the parameters of a text.

    >>> split_call("pwl(8, shift)"), split_call("plan")
    (('pwl', ('8', 'shift')), ('plan', ()))
    """
    match = _CALL.fullmatch(text)
    if match is None:
        raise FormatError(f"{text!r} is not a name with parameters, such as 'pwl(8)'")
    inner = match[2]
    return match[1], tuple(part.strip() for part in inner.split(",")) if inner and inner.strip() else ()
