"""Makes the models of this folder importable; they are left alone where what they are made with is not installed."""

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
MADE_WITH = {"tflite_damage.py": "ai_edge_litert", "keras_models.py": "keras", "torch_models.py": "torch"}
collect_ignore = [name for name, package in MADE_WITH.items() if not find_spec(package)]
