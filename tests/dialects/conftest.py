"""Makes the model generator of this folder importable; it is left alone where the runtimes are not installed."""

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
GENERATOR = [
    *("operator_models.py", "operator_draws.py", "dense_draws.py", "control_models.py", "live_comparison.py"),
    *(path.name for path in Path(__file__).parent.glob("*_cases.py")),
]
collect_ignore = [] if find_spec("ai_edge_litert") and find_spec("tflite_micro") else GENERATOR
