"""PyTorch modules become graphs: hb.from_torch, by way of torch.export. PyTorch is imported only when it is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hwblocks.errors import GraphError, HwblocksError, InputError, MissingExtraError, UnsupportedOperatorError
from hwblocks.graph.graph import Graph
from hwblocks.graph.rewrite import without_dead_nodes
from hwblocks.graph.tensor import FLOAT32
from hwblocks.importers import torch_elements, torch_layers, torch_moves, torch_windows
from hwblocks.importers.onnx_graph import Importer
from hwblocks.importers.torch_graph import Ref, Rule, TorchNode
from hwblocks.numerics.formats import Format

RULES: dict[str, Rule] = {**torch_elements.RULES, **torch_layers.RULES, **torch_moves.RULES, **torch_windows.RULES}
CHECKS = ("_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range_for_size")  # they make nothing


def from_torch(module: Any, example: Any) -> Graph:
    """The graph of a PyTorch module in evaluation mode, as torch.export sees it for an example input.

    example: a tensor, or a tuple of tensors in the order of forward's arguments. Its shapes are those of the graph: a
    leading axis of 1 in all of them is the sample axis. Inputs and outputs keep the module's layout (N C ...), inside
    is channels last. Nodes are named after the modules that they come from.
    Errors: MissingExtraError without PyTorch; InputError for what is no module or tensor; GraphError where torch.export
    fails; UnsupportedOperatorError lists every operator without a rule, with its nodes.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtraError("from_torch needs PyTorch; run: pip install 'hwblocks[torch]'") from None
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"from_torch takes a torch.nn.Module, not {type(module).__name__}")
    given = example if isinstance(example, tuple) else (example,)
    if not all(isinstance(one, torch.Tensor) for one in given):
        raise InputError("the example must be a tensor or a tuple of tensors, in the order of forward's arguments")
    program = exported(torch, module, given)
    return imported(torch, program, type(module).__name__)


def exported(torch: Any, module: Any, example: tuple[Any, ...]) -> Any:
    """The exported program without changes in place, decomposed where no rule takes an operator as it is."""
    training = [m for m in module.modules() if m.training]
    module.eval()
    try:
        with torch.no_grad():
            program = torch.export.export(module, example)
            table = torch.export.default_decompositions()
            known = [op for op in list(table) if str(op).split(".")[1] in RULES]
            for op in known:
                table.pop(op)
            return program.run_decompositions(table)
    except HwblocksError:
        raise
    except Exception as error:  # whatever forward and the exporter raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise GraphError(
            f"torch.export cannot take {type(module).__name__}: {first}; control flow that depends on data must go"
        ) from None
    finally:
        for one in training:
            one.training = True


def imported(torch: Any, program: Any, name: str) -> Graph:
    """The graph of an exported program."""
    outputs, kept = _outputs(program), _constants(program)
    nodes = list(_nodes(program, kept))
    names = dict(nodes)
    build = Importer(name, [_made(fx, names) for fx in outputs])
    build.constants.update(dict(kept.values()))
    check_supported(nodes, set(build.constants))
    for fx in program.graph.nodes:
        if fx.op == "placeholder" and fx not in kept:
            value = fx.meta["val"]
            build.add_input(fx.name, tuple(int(s) for s in value.shape), _format(fx.name, str(value.dtype)))
    for fx, node in nodes:
        if not folded(torch, fx, node, build):
            _import(node, build)
    metadata = {"source": f"torch {torch.__version__}"}
    return without_dead_nodes(build.build(metadata))


def _outputs(program: Any) -> list[Any]:
    """What the module returns, as nodes of the graph; its changed buffers are left out."""
    end = next(fx for fx in program.graph.nodes if fx.op == "output")
    flat = [fx for fx in end.args[0] if hasattr(fx, "op")]
    specs = [spec.kind.name for spec in program.graph_signature.output_specs]
    return [fx for fx, kind in zip(flat, specs, strict=False) if kind == "USER_OUTPUT"]


def _made(fx: Any, names: dict[Any, TorchNode]) -> str:
    """The name of a tensor: that of its node's output, or of the placeholder."""
    if fx in names:
        return names[fx].outputs[0]
    source = fx.args[0] if fx.op == "call_function" else None
    if source in names:
        return str(names[source].outputs[fx.args[1]])
    return str(fx.name)


def _constants(program: Any) -> dict[Any, tuple[str, Any]]:
    """(name, array) of every parameter, buffer and constant, by its placeholder."""
    signature, held = program.graph_signature, {**program.state_dict, **program.constants}
    sources = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    return {
        fx: (sources[fx.name], array_of(held[sources[fx.name]]))
        for fx in program.graph.nodes
        if fx.op == "placeholder" and fx.name in sources
    }


def array_of(tensor: Any) -> Any:
    """A tensor as an array; 64-bit floats as 32-bit ones."""
    made = tensor.detach().cpu().numpy()
    return made.astype(np.float32) if made.dtype.kind == "f" else made


def _nodes(program: Any, kept: dict[Any, tuple[str, Any]]) -> Iterator[tuple[Any, TorchNode]]:
    """Every call of an operator, with its arguments by name."""
    labels = {fx: label for fx, (label, _) in kept.items()}
    taken: set[str] = {str(fx.name) for fx in program.graph.nodes if fx.op == "placeholder"}
    made: dict[Any, tuple[str, ...]] = {}
    for fx in program.graph.nodes:
        if fx.op != "call_function" or op_of(fx) in CHECKS or op_of(fx) == "getitem":
            continue
        name = _name(fx, taken)
        made[fx] = _output_names(fx, name)

        def named(one: Any) -> Any:
            if not hasattr(one, "op"):
                return [named(v) for v in one] if isinstance(one, (list, tuple)) else one
            if op_of(one) == "getitem" and one.args[0] in made:
                return Ref(made[one.args[0]][one.args[1]])
            return Ref(made[one][0] if one in made else labels.get(one, one.name))

        yield fx, TorchNode.of(op_of(fx), name, made[fx], {n: named(v) for n, v in _arguments(fx).items()})


def op_of(fx: Any) -> str:
    """The operator's name without name space and overload; "" for placeholders."""
    if fx.op != "call_function":
        return ""
    parts = str(fx.target).split(".")
    return parts[1] if parts[0] == "aten" else str(getattr(fx.target, "__name__", fx.target))


def _arguments(fx: Any) -> dict[str, Any]:
    """Arguments by the names of the operator's schema, defaults filled in."""
    if not hasattr(fx.target, "_schema"):
        return {str(i): v for i, v in enumerate(fx.args)}
    found = {}
    for i, argument in enumerate(fx.target._schema.arguments):
        default = argument.default_value if argument.has_default_value() else None
        found[argument.name] = fx.args[i] if i < len(fx.args) else fx.kwargs.get(argument.name, default)
    return found


def _name(fx: Any, taken: set[str]) -> str:
    """The path of the module that a call comes from, or the operator's name; with a number where it is taken."""
    stack = list((fx.meta.get("nn_module_stack") or {}).values())
    path = str(stack[-1][0]).removeprefix("L['self']").strip(".") if stack else ""
    stem = path.replace("['", ".").replace("']", "") if path and "@" not in path else op_of(fx)
    name, number = stem, 0
    if name in taken and stem != op_of(fx):
        name = stem = f"{stem}.{op_of(fx)}"
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    taken.add(name)
    return name


def _output_names(fx: Any, name: str) -> tuple[str, ...]:
    """One name, or for several outputs one for each that is used."""
    value = fx.meta.get("val")
    if not isinstance(value, (list, tuple)):
        return (name,)
    used = {user.args[1] for user in fx.users if op_of(user) == "getitem"}
    return tuple((f"{name}.{i}" if i else name) if i in used or not i else "" for i in range(len(value)))


def check_supported(nodes: Sequence[tuple[Any, TorchNode]], constants: set[str]) -> None:
    """Raise one UnsupportedOperatorError that lists every operator without a rule, and every refused argument."""
    missing: dict[str, list[str]] = {}
    for fx, node in nodes:
        if all(name in constants for name in node.inputs):
            constants.update(name for name in node.outputs if name)
            continue
        rule = RULES.get(node.op)
        reason = "" if rule is None else rule.reason(node)
        if rule is None or reason:
            missing.setdefault(f"{fx.target} ({reason})" if reason else str(fx.target), []).append(node.name)
    if missing:
        lines = [f"{op} × {len(names)}: {', '.join(names)}" for op, names in sorted(missing.items())]
        raise UnsupportedOperatorError("the module holds operators that are not supported:\n  " + "\n  ".join(lines))


def folded(torch: Any, fx: Any, node: TorchNode, build: Importer) -> bool:
    """Evaluate a call whose tensors are all constants, with PyTorch itself; True when that was done."""
    if not all(build.is_constant(name) for name in node.inputs):
        return False

    def given(one: Any) -> Any:
        if isinstance(one, Ref):
            return torch.from_numpy(np.array(build.constant(one)))
        return [given(v) for v in one] if isinstance(one, list) else one

    schema = fx.target._schema.arguments
    arguments = [given(node.given[a.name]) for a in schema if not a.kwarg_only]
    named = {a.name: given(node.given[a.name]) for a in schema if a.kwarg_only}
    made = fx.target(*arguments, **named)
    for name, tensor in zip(node.outputs, made if isinstance(made, (list, tuple)) else (made,), strict=True):
        if name:
            build.constants[name] = array_of(tensor)
    return True


def _import(node: TorchNode, build: Importer) -> None:
    try:
        RULES[node.op].build(build, node)
    except HwblocksError as error:
        if repr(node.name) in error.message:
            raise
        raise type(error)(f"{node.where}: {error.message}") from None


def _format(name: str, dtype: str) -> Format:
    """Floats, truth values or whole numbers."""
    kind = dtype.removeprefix("torch.")
    if kind in ("float32", "float64", "float16", "bfloat16"):
        return FLOAT32
    if kind == "bool":
        return Format("bool")
    if kind not in ("int8", "uint8", "int16", "int32", "int64"):
        raise UnsupportedOperatorError(f"input {name!r} holds {kind}; floats, bool and integers are read")
    return Format(kind="raw", bits=int(kind.lstrip("uint")), signed=kind[0] == "i")
