"""How affuse behaves on processors that others use too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from affuse.execution import threads

SOURCE = Path(__file__).parents[2] / "src"
NAMES = ("OMP_WAIT_POLICY", "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_threads_sleep_while_they_wait(environment: None) -> None:
    threads.settle()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_what_the_user_set_stays(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(NAMES, ("ACTIVE", "7", "5"), strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(threads, "_allowed", lambda: 1)
    threads.settle()
    assert [os.environ[name] for name in NAMES] == ["ACTIVE", "7", "5"]


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("max 100000", None),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("5000 100000", 1),
        ("", None),
        ("damaged", None),
    ],
)
def test_a_container_may_use_so_many_processors(
    tmp_path: Path, text: str, allowed: int | None
) -> None:
    (tmp_path / "cpu.max").write_text(text + "\n")
    assert threads._allowed(tmp_path / "cpu.max") == allowed
    assert threads._allowed(tmp_path / "absent") is None


@pytest.mark.parametrize(("processors", "expected"), [({0, 1, 2, 3}, "2"), ({0}, None)])
def test_no_more_threads_than_a_container_has_processors(
    environment: None, monkeypatch: pytest.MonkeyPatch, processors: set[int], expected: str | None
) -> None:
    monkeypatch.setattr(threads, "_allowed", lambda: 2)
    monkeypatch.setattr(threads, "_processors", lambda: processors)
    threads.settle()
    assert os.environ.get("OMP_NUM_THREADS") == os.environ.get(NAMES[2]) == expected


SCRIPT = """
import sys
from affuse.cli.main import main
assert "torch" not in sys.modules
main(["list", "corpora"])
import torch
"""


def test_the_command_line_settles_it_before_torch_is_loaded() -> None:
    """OpenMP's own word for it, at the moment when torch loads it."""
    environment = {k: v for k, v in os.environ.items() if k not in NAMES}
    environment |= {"PYTHONPATH": str(SOURCE), "OMP_DISPLAY_ENV": "TRUE"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "OMP_WAIT_POLICY" in line]
    if not said:
        pytest.skip("this torch has another OpenMP than that of GCC")
    assert "PASSIVE" in said[0]
