"""Every exception of hwblocks. Each has a code that `hwblocks explain CODE` expands from the class's docstring."""

from __future__ import annotations


class HwblocksError(Exception):
    """The parent of every error that hwblocks raises on purpose.

    What: something asked for cannot be done as asked.
    Why: the message names what was got, what was wanted and where.
    Do: catch this class to handle every deliberate error at once.
    """

    code = "HWB000"

    def __str__(self) -> str:
        return f"{super().__str__()} [{self.code}]"

    @property
    def message(self) -> str:
        """The text without the code."""
        return super().__str__()


class FormatError(HwblocksError, ValueError):
    """A number format, rounding, overflow, requantize or accumulator notation is not valid.

    What: a notation could not be read, or its fields contradict each other (bits outside 1 to 64, a scale of 0).
    Why: formats decide every stored integer, so nothing is guessed.
    Do: write one of the notations of docs/numbers.md, for example Format("ap_fixed<16,6>").
    """

    code = "HWB101"


class ShapeError(HwblocksError, ValueError):
    """Shapes of a block's inputs, weights or attributes do not fit together.

    What: a block was given tensors that its formula cannot combine.
    Why: the message shows all shapes involved and the attribute to check.
    Do: compare the shapes (channels last: N H W C, weights O kH kW I) and correct the attribute named.
    """

    code = "HWB201"


class GraphError(HwblocksError, ValueError):
    """A graph is not well formed.

    What: a cycle, a dangling input, a name used twice, or a node with the wrong number of inputs.
    Why: a graph is checked when it is built, so that no later step meets a broken one.
    Do: correct the node named in the message.
    """

    code = "HWB202"


class UnknownBlockError(GraphError):
    """A block name is not registered.

    What: a file or a call names a block that no installed package defines.
    Why: blocks are found in hwblocks.blocks, hwblocks.composites and the `hwblocks.blocks` entry points.
    Do: check the spelling with `hwblocks blocks`, or import the package that defines the block.
    """

    code = "HWB203"


class FileFormatError(HwblocksError, ValueError):
    """A file cannot be read as what its name says.

    What: the file is truncated, damaged, of another kind, or of a newer version.
    Why: sizes and names inside the file are checked before anything is allocated.
    Do: make the file again, or name the right one.
    """

    code = "HWB301"


class UnsupportedOperatorError(HwblocksError):
    """A model holds operators that no importer rule covers.

    What: the message lists every such operator with its node names.
    Why: a model is imported whole or not at all.
    Do: remove or replace the operators listed, or add one line to the importer's table.
    """

    code = "HWB302"


class InputError(HwblocksError, ValueError):
    """Data given to a run, a calibration or a comparison does not fit the model.

    What: wrong shape, wrong dtype, a missing or unknown input name, NaN, or codes outside the input's format.
    Why: samples are checked before any arithmetic so that no wrong number comes out.
    Do: pass [N, *shape] arrays; floats are real values, integers are stored codes of a quantized input.
    """

    code = "HWB401"


class CalibrationError(HwblocksError, ValueError):
    """Calibration data or a range table cannot serve a conversion.

    What: no samples, a tensor without a row, or rows that belong to another model.
    Why: a scale that was not observed would be invented.
    Do: calibrate the same graph with representative samples.
    """

    code = "HWB402"


class RecipeError(HwblocksError, ValueError):
    """A recipe or target file has an unknown key or a value out of range.

    What: the message ends with the path of the field, for example `$.weights.bits`.
    Why: an unknown key is an error, since a misspelt option would silently change numbers.
    Do: correct the field named; docs/numbers.md lists all fields.
    """

    code = "HWB403"


class ConversionError(HwblocksError):
    """A float graph cannot be converted with this recipe.

    What: two demands on the format of one tensor contradict each other, or a bound does not hold.
    Why: the message names the tensors and the rules that conflict.
    Do: change the recipe for the tensors named, or let a Rescale stand between them.
    """

    code = "HWB404"


class SimulationError(HwblocksError):
    """A graph cannot be run as asked.

    What: a dialect, accumulator or trace request does not fit the graph.
    Why: the message names the node and the request.
    Do: change the argument named.
    """

    code = "HWB501"


class TrapError(SimulationError):
    """An accumulator with overflow `trap` left its range.

    What: the first event by (sample, node, element, step).
    Why: trap asks for exactly this stop; the order of threads does not matter.
    Do: widen the accumulator, or choose wrap or saturate and read the event counts.
    """

    code = "HWB502"


class DialectError(SimulationError):
    """A dialect is unknown, or does not take some nodes of the graph.

    What: the list of nodes with the reason for each.
    Why: a runtime that refuses an operator has no integers for it; none are invented.
    Do: choose another dialect (`hwblocks info --dialects`), or run without one.
    """

    code = "HWB503"


class TargetError(HwblocksError, ValueError):
    """A target or energy table is unknown or cannot price this graph.

    What: an unknown name, a wrong key or number in a file, a memory too small, a figure that a table does not have.
    Why: no cost is invented.
    Do: list the targets with `hwblocks targets`, correct the key named, or pass a TOML file (docs/targets.md).
    """

    code = "HWB601"


class MissingExtraError(HwblocksError, ImportError):
    """A feature needs a package that is not installed.

    What: an optional dependency could not be imported.
    Why: extras keep the core small.
    Do: run the pip command in the message.
    """

    code = "HWB701"


class MissingExtensionError(HwblocksError, ImportError):
    """The compiled core hwblocks._core is missing.

    What: the package is run from a tree that was not built.
    Why: the C core is part of every installation; without it only the slow definitions exist.
    Do: run `pip install .` (needs a C compiler), or set HWBLOCKS_NO_EXT=1 to use the definitions.
    """

    code = "HWB702"


class OutputError(HwblocksError, OSError):
    """A result cannot be written.

    What: the folder is missing, or the path cannot be written.
    Why: files are written beside their final name and renamed, so a failed write leaves nothing behind.
    Do: make the folder, or name another path.
    """

    code = "HWB801"
