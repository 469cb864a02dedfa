"""Commands of affuse, run in this process."""

from __future__ import annotations

import pytest

from affuse.cli.main import main


def run(*words: object) -> int:
    """The exit code of a command.

    Args:
        words: Verb, arguments and options; paths and numbers become text.
    """
    return main([str(word) for word in words])


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line with which a command that cannot be done ends.

    Args:
        capsys: Its output so far is thrown away.
        words: Of the command.
    """
    capsys.readouterr()
    assert run(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line
