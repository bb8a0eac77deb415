"""Files written whole or not at all."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwblocks.errors import OutputError


def check_writable(path: str | Path, may_be_folder: bool = False) -> Path:
    """The path, when a file can be written there; call it before long work.

    Errors: OutputError when the folder is missing, is no folder, or may not be written.
    """
    path = Path(path)
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"{path}: the folder {str(folder)!r} does not exist; make it first")
    if path.is_dir() and not may_be_folder:
        raise OutputError(f"{path}: is a folder; name a file in it")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{path}: the folder {str(folder)!r} may not be written; choose another")
    return path


def write_atomically(path: str | Path, data: bytes | str) -> Path:
    """Write a file beside its final name, then rename it: nobody sees half of it, even after Ctrl-C."""
    path = check_writable(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data.encode() if isinstance(data, str) else data)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def write_npz(path: str | Path, arrays: Mapping[str, Any]) -> Path:
    """Arrays by name as one compressed .npz, written whole."""
    import numpy as np

    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return write_atomically(path, out.getvalue())
