"""The command line. Commands are loaded when they are called, so that help costs nothing."""

from __future__ import annotations

import os
import sys

import click

from hwblocks.cli.group import LazyGroup

INTERNAL, INTERRUPTED, BAD_INPUT = 3, 130, 2

COMMANDS = {
    "demo": "quantize, run, compare and price a shipped network; no network needed",
    "profile": "operations and memory of a model",
    "memory": "the arena of a model or of buffers: bound, plan, proof, what sharing and reordering save",
    "quantize": "make an integer model from a float model and samples",
    "run": "run a model on samples, dump golden vectors",
    "compare": "float against integer on the same samples",
    "report": "everything about a float and an integer model on one page: numbers, pictures, memory, cost",
    "diff": "where two runtimes' integers differ, and by which mechanism",
    "verify": "a model against an installed runtime, or a dump of a board or RTL",
    "accumulators": "what width each accumulator needs: proven for all inputs, or an input that overflows it",
    "cost": "cycles, bytes, time and energy on targets, recipes side by side",
    "targets": "the accelerators there are; every number of one with its source",
    "curves": "error, tables and operations of the integer variants of a non-linearity",
    "export": "write a model as an ONNX file, and measure where its runtime's integers differ",
    "blocks": "the building blocks there are",
    "info": "version, kernels, targets, recipes; what a file holds",
    "selftest": "the compiled core against the definitions on this machine",
    "explain": "one output element step by step; an error code, a block, a format",
}


@click.group(cls=LazyGroup, commands_table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "--version", package_name="hwblocks")
def cli() -> None:
    """Bit-exact, fast, fixed-point simulation of neural networks for hardware people.

    \b
    hwblocks quantize model.onnx --samples calibration.npz --recipe int8 -o model.hwb
    hwblocks compare model.onnx model.hwb --samples test.npz --labels labels.npy
    hwblocks cost model.hwb --target ideal-64mac
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exit codes 0, 1 (a check failed), 2 (bad input), 3 (internal error), 130 (Ctrl-C)."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """The exit code of a command line; every message on one error stream, no traceback for bad input."""
    from hwblocks.errors import HwblocksError

    try:
        result = cli.main(args=arguments, prog_name="hwblocks", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except HwblocksError as error:
        click.echo(f"error: {error}", err=True)
        return BAD_INPUT
    except click.ClickException as error:
        error.show()
        return BAD_INPUT
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; nothing was written", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except Exception as error:
        if os.environ.get("HWBLOCKS_DEBUG") == "1":
            raise
        click.echo(f"internal error: {type(error).__name__}: {error}", err=True)
        click.echo("this is a bug of hwblocks; run again with HWBLOCKS_DEBUG=1 and report the traceback", err=True)
        return INTERNAL
