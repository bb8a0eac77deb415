"""FormatTable: the number format of every tensor of an integer graph, as JSON that can be edited by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from hwblocks.errors import ConversionError, FormatError
from hwblocks.files import write_atomically
from hwblocks.numerics.formats import Format

VERSION = 1


class FormatRecord(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A format as it stands in a file; a list of scales runs along `axis`."""

    bits: Annotated[int, Meta(ge=1, le=64)]
    scale: float | list[float]
    signed: bool = True
    narrow: bool = False
    zero_point: int | list[int] = 0
    axis: int | None = None


class File(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    hwblocks_formats: int
    model: str
    recipe: str
    notes: list[str]
    formats: dict[str, FormatRecord]


@dataclass(eq=False)
class FormatTable(Mapping[str, Format]):
    """Formats by tensor name: inputs, node outputs, weights, biases and other constants.

    notes say what was decided beside the recipe (widened channels, rescaled inputs, tensors that only were
    0). It can be saved, edited and given to `convert(..., formats=)`; scales come back exactly. The scale of
    a bias is scale(x) · scale(w) whatever its row says; its width is the row's.
    """

    model: str
    recipe: str
    formats: dict[str, Format] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Format:
        return self.formats[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.formats)

    def __len__(self) -> int:
        return len(self.formats)

    def __repr__(self) -> str:
        counts = f"{len(self)} tensors, {len(self.notes)} notes"
        return f"<FormatTable of {self.model!r}: recipe {self.recipe!r}, {counts}>"

    def to_json(self) -> str:
        """The file's text: one line per tensor."""
        head = {"hwblocks_formats": VERSION, "model": self.model, "recipe": self.recipe}
        lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
        notes = ",\n".join(f"  {json.dumps(note, ensure_ascii=False)}" for note in self.notes)
        rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(_record(f))}" for name, f in self.formats.items())
        lines += [f' "notes": [\n{notes}\n ]', f' "formats": {{\n{rows}\n }}']
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def save(self, path: str | Path) -> Path:
        """Write the table as JSON; nothing is left behind when writing fails."""
        write_atomically(Path(path), self.to_json())
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> FormatTable:
        """Read a table. Errors: ConversionError that ends with the path of the field."""
        try:
            text = Path(path).read_bytes()
        except OSError as error:
            raise ConversionError(f"format table {path}: cannot be read ({error.strerror}); check the path") from None
        return cls.from_json(text, f"format table {path}")

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "format table") -> FormatTable:
        """The table of a file's text. Errors: ConversionError that ends with the path of the field."""
        try:
            file = msgspec.json.decode(text, type=File)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConversionError(f"{where}: {error}") from None
        if file.hwblocks_formats != VERSION:
            raise ConversionError(f"{where}: version {file.hwblocks_formats}, this package reads {VERSION}")
        formats = {name: _format(record, f"{where}: {name!r}") for name, record in file.formats.items()}
        return cls(file.model, file.recipe, formats, file.notes)


def _record(format: Format) -> dict[str, Any]:
    record = FormatRecord(
        format.bits,
        list(format.scale) if isinstance(format.scale, tuple) else format.scale,
        format.signed,
        format.narrow,
        list(format.zero_point) if isinstance(format.zero_point, tuple) else format.zero_point,
        format.axis,
    )
    return dict(msgspec.to_builtins(record))


def _format(record: FormatRecord, where: str) -> Format:
    try:
        return Format(kind="int", **msgspec.structs.asdict(record))
    except FormatError as error:
        raise ConversionError(f"{where}: {error.message}") from None
