"""Makes the comparison of tests/benchmarks importable for its tests, which are left alone where peers are missing."""

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
PEERS = ("onnxruntime", "ai_edge_litert", "tflite_micro")
collect_ignore = [] if all(find_spec(name) for name in PEERS) else ["test_comparisons.py", "test_layers_and_peers.py"]
