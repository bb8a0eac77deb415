"""Makes the damaged model of this folder importable; it is left alone where the schema is not installed."""

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
collect_ignore = [] if find_spec("ai_edge_litert") else ["tflite_damage.py"]
