"""Makes the models of this folder importable; they are left alone where what they are made with is not installed."""

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
collect_ignore = ["keras_models.py", "torch_models.py"]  # their tests import them where the frameworks are there
if not find_spec("ai_edge_litert"):
    collect_ignore.append("tflite_damage.py")
