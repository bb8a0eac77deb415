"""Recipe: every choice of a quantization, read from TOML; unknown keys and values out of range are errors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from hwblocks.errors import FormatError, RecipeError
from hwblocks.graph.variant import split_call
from hwblocks.numerics.accumulator import Accumulator
from hwblocks.numerics.overflow import Overflow, OverflowMode
from hwblocks.numerics.requantize import Requantize
from quantize.observers import observer_parameters, parameters_type

FOLDER = Path(__file__).parent / "recipes"

Bits = Annotated[int, Meta(ge=1, le=64)]
RoundingName = Literal[
    "floor",
    "ceil",
    "to_zero",
    "away",
    "half_even",
    "half_up",
    "half_down",
    "half_away",
    "half_to_zero",
    "half_odd",
]
ScaleKind = Literal["symmetric", "affine", "power_of_two"]
Per = Literal["tensor", "channel"]
Precision = Literal["float32", "float64"]
Rule = TypeVar("Rule", bound=Struct)
ObserverSpec = dict[str, str | int | float]


class TensorRule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a kind of tensor (weights or activations) is quantized.

    bits, signed, narrow: the codes; narrow leaves out the lowest so that they are symmetric (−127 to 127).
    scale: symmetric (zero point 0), affine (the range from min to max, widened to contain 0) or power_of_two.
    per: one scale per tensor, or per output channel (weights only).
    rounding, overflow: how a value becomes a code. observer: {"name": ..., parameters}: how a range is
    chosen.
    """

    bits: Bits
    signed: bool
    narrow: bool
    scale: ScaleKind
    per: Per
    rounding: RoundingName
    overflow: str
    observer: ObserverSpec


class BiasRule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a bias is quantized: scale(x) · scale(w) for its scale, limited to `bits`."""

    bits: Bits
    rounding: RoundingName


class TensorChange(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The fields of a TensorRule that an override changes."""

    bits: Bits | UnsetType = UNSET
    signed: bool | UnsetType = UNSET
    narrow: bool | UnsetType = UNSET
    scale: ScaleKind | UnsetType = UNSET
    per: Per | UnsetType = UNSET
    rounding: RoundingName | UnsetType = UNSET
    overflow: str | UnsetType = UNSET
    observer: ObserverSpec | UnsetType = UNSET


class BiasChange(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The fields of a BiasRule that an override changes."""

    bits: Bits | UnsetType = UNSET
    rounding: RoundingName | UnsetType = UNSET


class Override(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Changes for the nodes and tensors whose names match a pattern (`*`, `?`, `[...]`).

    A pattern that matches a node's name changes its weights, bias, accumulator and requantization, its variant,
    the activations it makes and the constants it reads as activations; one that matches a tensor's name changes
    that tensor. variant: the integer meaning of non-linearities, softmax and normalizations, as "pwl(8)".
    """

    match: str
    weights: TensorChange = TensorChange()
    activations: TensorChange = TensorChange()
    bias: BiasChange = BiasChange()
    accumulator: str | UnsetType = UNSET
    requantize: str | UnsetType = UNSET
    variant: str | UnsetType = UNSET

    def matches(self, names: Iterable[str]) -> bool:
        """True when any of the names fits the pattern."""
        return any(fnmatchcase(name, self.match) for name in names)


class Recipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every choice of a quantization.

    scale_precision: scales are rounded to this float type (float32: 24-bit mantissas), so that products of
    two scales are exact in binary64. accumulator, requantize: text forms, for example "int32 wrap" and
    "single_round".
    override: changes for parts of the graph, applied in order.

    >>> recipe = load_recipe("w4a8")
    >>> recipe.weights.bits, recipe.weights.narrow, recipe.activations.bits
    (4, True, 8)
    """

    name: str
    description: str = ""
    scale_precision: Precision
    weights: TensorRule
    activations: TensorRule
    bias: BiasRule
    accumulator: str
    requantize: str
    override: tuple[Override, ...] = ()

    def weights_of(self, *names: str) -> TensorRule:
        """The rule of a weight; names: of the tensor and of the node that reads it."""
        return _changed(self.weights, [o.weights for o in self._matching(names)])

    def activations_of(self, *names: str) -> TensorRule:
        """The rule of an activation; names: of the tensor and of the node that makes it."""
        return _changed(self.activations, [o.activations for o in self._matching(names)])

    def bias_of(self, *names: str) -> BiasRule:
        """The rule of a bias; names: of the tensor and of the node that reads it."""
        return _changed(self.bias, [o.bias for o in self._matching(names)])

    def accumulator_of(self, node: str) -> Accumulator:
        """The accumulator of a node."""
        return Accumulator(self._last("accumulator", node))

    def requantize_of(self, node: str) -> Requantize:
        """The requantization of a node."""
        return Requantize.parse(self._last("requantize", node))

    def variant_of(self, node: str) -> str | None:
        """The variant that overrides ask of a node, the last one that matches; None where none does."""
        values = [o.variant for o in self._matching([node]) if o.variant is not UNSET]
        return str(values[-1]) if values else None

    def _last(self, field: str, node: str) -> str:
        values = [getattr(self, field), *(getattr(o, field) for o in self._matching([node]))]
        return str([value for value in values if value is not UNSET][-1])

    def _matching(self, names: Iterable[str]) -> list[Override]:
        return [override for override in self.override if override.matches(names)]


def _changed(rule: Rule, changes: Iterable[Any]) -> Rule:
    for change in changes:
        rule = structs.replace(rule, **{k: v for k, v in structs.asdict(change).items() if v is not UNSET})
    return rule


def load_recipe(recipe: Recipe | str | Path) -> Recipe:
    """A recipe by its name (int8, int16x8, w4a8, fixed16), by the path of a TOML or JSON file, or checked as
    it is.

    Errors: RecipeError that ends with the path of the field, for example `$.weights.bits`.
    """
    if isinstance(recipe, Recipe):
        return parse_recipe(msgspec.to_builtins(recipe), f"recipe {recipe.name!r}")
    path = Path(recipe)
    if path.suffix not in (".toml", ".json"):
        path = _library_path(str(recipe))
    return parse_recipe(_read(path), str(recipe))


def recipe_names() -> tuple[str, ...]:
    """The recipes that come with the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def _library_path(name: str) -> Path:
    if name not in recipe_names():
        raise RecipeError(
            f"recipe {name!r} is not known; use {', '.join(recipe_names())} or the path of a .toml or .json file"
        )
    return FOLDER / f"{name}.toml"


def _read(path: Path) -> Any:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"recipe {path}: cannot be read ({error.strerror}); check the path") from None
    try:
        return msgspec.json.decode(data) if path.suffix == ".json" else msgspec.toml.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe {path}: is not valid {path.suffix[1:].upper()}: {error}") from None


def parse_recipe(data: Any, where: str = "recipe") -> Recipe:
    """A checked recipe from plain dicts. Errors: RecipeError that ends with the path of the field."""
    try:
        recipe = msgspec.convert(data, Recipe)
    except msgspec.ValidationError as error:
        raise RecipeError(f"{where}: {_explain(str(error), data)}") from None
    for path, problem in _problems(recipe):
        raise RecipeError(f"{where}: {problem} - at `{path}`")
    return recipe


VALID = {
    "bits": "1 to 64",
    "rounding": ", ".join(get_args(RoundingName)),
    "scale": ", ".join(get_args(ScaleKind)),
    "per": ", ".join(get_args(Per)),
    "scale_precision": ", ".join(get_args(Precision)),
}
STRUCTS: dict[str, type[Struct]] = {
    "$": Recipe,
    "weights": TensorRule,
    "activations": TensorRule,
    "bias": BiasRule,
    "override": Override,
}


def _explain(message: str, data: Any, owner: type[Struct] | None = None) -> str:
    """A msgspec message with what was got, what is valid, and the path of the field at its end."""
    match = re.fullmatch(r"(.*?)(?: - at `(.*)`)?", message)
    assert match is not None
    text, path = match[1], match[2] or "$"
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", text)
    if unknown:
        return _explain_unknown(unknown[1], path, owner)
    field = path.rpartition(".")[2]
    if field in VALID:
        text = f"{field} {_at(data, path)!r} is not valid; use {VALID[field]}"
    return f"{text} - at `{path}`"


def _explain_unknown(field: str, path: str, owner: type[Struct] | None) -> str:
    owner = owner or STRUCTS.get(re.sub(r"\[\d+\]", "", path).rpartition(".")[2], Recipe)
    known = owner.__struct_fields__
    close = get_close_matches(field, known, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known) or 'none'}"
    return f"unknown key {field!r}; {hint} - at `{path}.{field}`"


def _at(data: Any, path: str) -> Any:
    """The value at a path such as `$.override[0].weights.bits`."""
    for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        data = data[key] if key else data[int(index)]
    return data


def _problems(recipe: Recipe) -> Iterable[tuple[str, str]]:
    """(path, what is wrong) of every choice that types alone cannot refuse."""
    yield from _choice_problems(recipe, "$")
    for position, override in enumerate(recipe.override):
        changed = structs.replace(
            recipe,
            weights=_changed(recipe.weights, [override.weights]),
            activations=_changed(recipe.activations, [override.activations]),
            bias=_changed(recipe.bias, [override.bias]),
            **{n: v for n in ("accumulator", "requantize") if (v := getattr(override, n)) is not UNSET},
        )
        yield from _choice_problems(changed, f"$.override[{position}]")
        if override.variant is not UNSET:
            yield from _text_problems(split_call, str(override.variant), f"$.override[{position}].variant")


def _choice_problems(recipe: Recipe, path: str) -> Iterable[tuple[str, str]]:
    yield from _rule_problems(recipe.weights, f"{path}.weights")
    yield from _rule_problems(recipe.activations, f"{path}.activations")
    if recipe.activations.per == "channel":
        yield (
            f"{path}.activations.per",
            "activations need one scale per tensor: a sum of products cannot mix scales of x",
        )
    yield from _text_problems(Accumulator, recipe.accumulator, f"{path}.accumulator")
    yield from _text_problems(Requantize.parse, recipe.requantize, f"{path}.requantize")
    kinds = {recipe.weights.scale, recipe.activations.scale}
    if recipe.requantize.split()[:1] == ["shift"] and kinds != {"power_of_two"}:
        yield (
            f"{path}.requantize",
            "shift needs power_of_two scales for weights and activations; use single_round",
        )


def _rule_problems(rule: TensorRule, path: str) -> Iterable[tuple[str, str]]:
    if rule.narrow and (rule.bits < 2 or not rule.signed):
        yield f"{path}.narrow", "narrow codes must be signed and at least 2 bits wide"
    if rule.bits == 1 and rule.signed and rule.scale != "affine":
        yield f"{path}.bits", "1 signed bit has the codes -1 and 0 and no positive value; use 2 to 64"
    yield from _text_problems(Overflow, rule.overflow, f"{path}.overflow")
    if rule.overflow == OverflowMode.TRAP:
        yield f"{path}.overflow", "trap is a mode of accumulators; use saturate or wrap"
    yield from _observer_problems(rule.observer, f"{path}.observer")


def _text_problems(read: Any, text: str, path: str) -> Iterable[tuple[str, str]]:
    try:
        read(text)
    except FormatError as error:
        yield path, error.message


def _observer_problems(spec: ObserverSpec, path: str) -> Iterable[tuple[str, str]]:
    try:
        observer_parameters(spec)
    except msgspec.ValidationError as error:
        text = _explain(str(error), spec, parameters_type(str(spec.get("name"))))
        problem, _, inner = text.rpartition(" - at `$")
        yield path + inner.rstrip("`"), problem
