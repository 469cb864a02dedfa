"""Tab completion, by the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import run

from affuse.cli.main import VERBS
from affuse.corpora.registry import CORPORA
from affuse.training.recipe_files import list_recipes

#: What bash does when Tab is pressed at the end of a line.
TAB = """
eval "$(affuse completion bash)"
while IFS= read -r COMP_LINE; do
  COMP_POINT=${#COMP_LINE} COMP_TYPE=9 COMP_WORDS=($COMP_LINE) COMPREPLY=()
  [ "${COMP_LINE: -1}" = " " ] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _python_argcomplete affuse
  echo "${COMPREPLY[*]}"
done
"""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command `affuse` of this code, for any shell."""
    command = tmp_path / "affuse"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m affuse "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))


def tab(*lines: str) -> list[set[str]]:
    """What bash offers at the end of each line."""
    done = subprocess.run(
        ["bash", "--norc", "-c", TAB],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        check=True,
    )
    return [{*line.split()} for line in done.stdout.splitlines()]


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_bash_completes_verbs_options_and_names(shell: None) -> None:
    verbs, option, choices, recipe, corpus, streams = tab(
        "affuse pre",
        "affuse predict --res",
        "affuse predict x --windows ",
        "affuse train crema",
        "affuse prepare ",
        "affuse prepare ravdess x --streams audio/mfcc10,video/mo",
    )
    assert verbs == {verb for verb in VERBS if verb.startswith("pre")} == {"prepare", "predict"}
    assert option == {"--resume"} and choices == {"overlap", "published"}
    assert recipe == {name for name in list_recipes() if name.startswith("crema")} != set()
    assert corpus == {*CORPORA}
    assert all(name.startswith("audio/mfcc10,video/mo") for name in streams)


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
@pytest.mark.slow
def test_fish_completes_verbs(shell: None) -> None:
    line = 'affuse completion fish | source; complete -C "affuse pred"'
    done = subprocess.run(["fish", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "predict"


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_every_shell_has_its_code(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("completion", name) == 0
    assert "affuse" in capsys.readouterr().out
