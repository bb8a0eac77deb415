"""hwblocks explain."""

from __future__ import annotations

import inspect

import click

from hwblocks.cli.output import output_options, show, show_json
from hwblocks.errors import FormatError, HwblocksError, InputError, UnknownBlockError


@click.command("explain")
@click.argument("subject")
@click.argument("node", required=False)
@click.option("--inputs", type=click.Path(), help="Samples: .npz, .npy or idx.")
@click.option("--sample", default=0, show_default=True, help="Which sample.")
@click.option("--at", help="The element's indices without the sample axis, for example 3,4,0.")
@click.option("--real", is_flag=True, help="Read integer samples as real values, not as stored codes.")
@output_options
def command(
    subject: str,
    node: str | None,
    inputs: str | None,
    sample: int,
    at: str | None,
    real: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """One output element of NODE of the model SUBJECT in integers, step by step.

    SUBJECT may also be an error code (HWB101), a block (Conv2d) or a format ("ap_fixed<16,6>").
    """
    if node is None:
        text = explain_word(subject)
        if as_json:
            show_json("explain", subject=subject, text=text)
        else:
            click.echo(text)
        return 0
    if inputs is None or at is None:
        raise InputError("explain MODEL NODE needs --inputs samples and --at indices, for example --at 3,4,0")
    from hwblocks.analysis.explanation import explain_element
    from hwblocks.cli.samples import read_samples_file
    from hwblocks.graph.control import named_nodes
    from hwblocks.importers.load import load
    from hwblocks.simulate.simulator import Simulator

    graph = load(subject)
    if node not in {name for name, _ in named_nodes(graph)}:
        graph.node(node)  # names what is near
    data = read_samples_file(inputs, graph)
    count = len(next(iter(data.values())))
    if not 0 <= sample < count:
        raise InputError(f"--sample {sample}: the file holds samples 0 to {count - 1}")
    one = {name: array[sample : sample + 1] for name, array in data.items()}
    run = Simulator(graph).run(one, trace="full", real=real)
    result = explain_element(graph, run, node, 0, _indices(at))
    show(result, as_json, quiet)
    return 0 if result.agrees else 1


def _indices(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--at {text}: write indices with commas, for example 3,4,0") from None


def explain_word(word: str) -> str:
    """The text on an error code, a block or a format notation."""
    from hwblocks import errors

    for cls in vars(errors).values():
        if isinstance(cls, type) and issubclass(cls, HwblocksError) and cls.code == word.upper():
            return f"{cls.code} {cls.__name__}\n\n{inspect.cleandoc(cls.__doc__ or '')}"
    from hwblocks.graph.registry import block_class

    try:
        cls = block_class(word)
        return f"{word} ({cls.kind})\n\n{inspect.cleandoc(cls.__doc__ or '')}"
    except UnknownBlockError:
        return _explain_format(word)


def _explain_format(word: str) -> str:
    from hwblocks.numerics.cast import Cast

    try:
        cast = Cast(word)
    except FormatError as error:
        raise InputError(
            f"{word!r} is no error code, no block and no format ({error.message}); "
            "to explain an element write: explain MODEL NODE --inputs samples --at indices"
        ) from None
    f = cast.format
    if not f.is_quantized:
        return f"{f!r}: {f.bits} bits"
    low, high = (f.dequantize(code) for code in (f.lo, f.hi))
    return (
        f"{f!r}\n\n{f.bits} bits, {'signed' if f.signed else 'unsigned'}; codes {f.lo} to {f.hi}\n"
        f"real values {float(low):g} to {float(high):g} in steps of {f.scale:g}"
        f"{'' if f.frac_bits is None else f', {f.frac_bits} fraction bits'}\n"
        f"as a cast: rounding {cast.rounding.value}, overflow {cast.overflow}"
    )
