"""The command line as a function."""

from __future__ import annotations

import pytest

from hwblocks import cli


@pytest.fixture
def hwblocks(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = cli.run([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call
