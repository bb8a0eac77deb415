"""Write hwblocks/dialects/proven.toml from what the dialects' tests compare. Run: python .ci/write_proven.py"""

import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "dialects")]
HEAD = """\
# What the tests compare with each runtime: operators equal in all integers, and (near) those equal but for the last bit
# of a float function or sum. Written by .ci/write_proven.py; tests/dialects/test_proven.py says when it is stale.
"""


def listed(key: str, names: set[str]) -> str:
    """One list, wrapped."""
    words = ", ".join(f'"{name}"' for name in sorted(names)).replace("QDQ ", "QDQ_")  # no line ends inside a name
    lines = [line.replace("QDQ_", "QDQ ") for line in textwrap.wrap(words, 116, break_on_hyphens=False)]
    return f"{key} = [" + ("\n" + textwrap.indent("\n".join(lines) + ",", "  ") + "\n" if names else "") + "]\n"


def main() -> None:
    """Write the file."""
    import test_proven

    text = HEAD
    for dialect in test_proven.names():
        exact, near = test_proven.compared(dialect)
        text += f"\n[{dialect}]\n" + listed("exact", exact) + listed("near", near)
    (ROOT / "hwblocks" / "dialects" / "proven.toml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
