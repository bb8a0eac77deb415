"""Records what PyTorch gives for modules with random weights, with the graphs that hb.from_torch makes of them. Run
once, with PyTorch 2.13.0 installed:

python tests/golden/record_torch.py    # writes torch_models.npz beside this file

The file holds for each module k: "k.graph" (the .hwb file's bytes), inputs "k.x0", … and outputs "k.y0", … of one
sample; "about" names version and command.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

import hwblocks as hb
from hwblocks.errors import UnknownBlockError, UnsupportedOperatorError
from hwblocks.graph.io import to_bytes

sys.path.insert(0, str(Path(__file__).parents[1] / "importers"))
import torch_models


def flat(made):
    return (
        [made] if isinstance(made, torch.Tensor) else [one for part in made if part is not None for one in flat(part)]
    )


def record():
    kept = {"about": np.array(f"torch {torch.__version__}; record_torch.py")}
    for name in torch_models.MODELS:
        module, example = torch_models.seeded(name)
        try:
            graph = hb.from_torch(module, example)
        except (UnknownBlockError, UnsupportedOperatorError) as error:
            print(f"{name}: {error}")  # noqa: T201
            continue
        with torch.no_grad():
            made = flat(module(*(e.clone() for e in example)))
        kept[f"{name}.graph"] = np.frombuffer(to_bytes(graph), np.uint8)
        kept |= {f"{name}.x{i}": x.numpy() for i, x in enumerate(example)}
        kept |= {f"{name}.y{i}": y.numpy() for i, y in enumerate(made)}
    np.savez_compressed(Path(__file__).with_name("torch_models.npz"), **kept)


if __name__ == "__main__":
    record()
