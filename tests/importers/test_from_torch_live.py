"""hb.from_torch against PyTorch itself, where it is installed: every operator, modules of many."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch_models  # noqa: E402
from torch import nn  # noqa: E402

import hwblocks as hb  # noqa: E402
from hwblocks.errors import GraphError, InputError, UnknownBlockError, UnsupportedOperatorError  # noqa: E402


def flat(made):
    """The tensors of a module's result, in order."""
    return (
        [made] if isinstance(made, torch.Tensor) else [one for part in made if part is not None for one in flat(part)]
    )


def imported(module, example):
    """The graph; skipped where it needs a block that does not exist yet."""
    try:
        return hb.from_torch(module, example)
    except UnknownBlockError as error:
        pytest.skip(str(error))
    except UnsupportedOperatorError as error:
        if "needs the block" in str(error):
            pytest.skip(str(error).splitlines()[1].strip())
        raise


@pytest.mark.parametrize("name", torch_models.MODELS)
def test_outputs(name):
    module, example = torch_models.seeded(name)
    with torch.no_grad():
        wanted = [v.numpy() for v in flat(module(*(e.clone() for e in example)))]
    graph = imported(module, example)
    got = [v[0] for v in hb.run(graph, [e.numpy()[None] for e in example]).outputs.values()]
    assert [g.shape for g in got] == [w.shape for w in wanted]
    for one, want in zip(got, wanted):
        np.testing.assert_allclose(one, want, rtol=1e-5, atol=1e-5)


def test_samples_names_and_layouts():
    module, example = torch_models.seeded("cnn")
    graph = hb.from_torch(module, example)
    x = torch.randn(5, 1, 14, 14)
    with torch.no_grad():
        np.testing.assert_allclose(hb.run(graph, x.numpy()).outputs[graph.outputs[0]], module(x).numpy(), atol=1e-5)
    assert graph.batched and {"0", "4", "9"} <= {node.name for node in graph.nodes}
    (first,) = graph.inputs
    assert graph.tensors[first].layout == "NCHW" and sum(node.marked == "layout" for node in graph.nodes) == 2


def test_module_keeps_its_mode():
    module = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
    hb.from_torch(module, torch.randn(1, 3))
    assert module.training and module[1].training


def test_everything_missing_is_listed_at_once():
    class Own(nn.Module):
        def forward(self, x):
            return torch.fft.fft(torch.erfinv(torch.erfinv(x))).real

    with pytest.raises(UnsupportedOperatorError) as caught:
        hb.from_torch(Own(), torch.rand(1, 4))
    assert "aten.erfinv.default × 2: erfinv, erfinv_1" in str(caught.value) and "fft" in str(caught.value)


def test_refused():
    class Data(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(GraphError, match="control flow that depends on data"):
        hb.from_torch(Data(), torch.rand(1, 4))
    with pytest.raises(InputError, match=r"torch\.nn\.Module"):
        hb.from_torch(3, torch.rand(1))
    with pytest.raises(InputError, match="tuple of tensors"):
        hb.from_torch(nn.Linear(1, 1), [1.0])
    with pytest.raises(UnsupportedOperatorError, match="with indices"):
        hb.from_torch(nn.MaxPool2d(2, return_indices=True), torch.rand(1, 1, 4, 4))


def test_imported_module_quantizes():
    import quantize as qz

    module, example = torch_models.seeded("residual")
    graph = hb.from_torch(module, example)
    x = torch.randn(16, *example[0].shape[1:]).numpy()
    integer = qz.convert(graph, qz.calibrate(graph, x), recipe="int8")
    with torch.no_grad():
        wanted = module(torch.from_numpy(x)).numpy()
    (got,) = hb.run(integer, x).real.values()
    assert np.abs(got - wanted).max() < 0.1 * np.abs(wanted).max()
