"""The device checks run without a GPU, and a section that fails costs no other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.device.sections import SECTIONS, run_section
from tests.device.setting import ROOT, Figures, Setting


def crash(setting: Setting) -> Figures:
    """A section whose process is killed after its first figure."""
    yield "first", 1
    os.kill(os.getpid(), signal.SIGKILL)


def hang(setting: Setting) -> Figures:
    """A section that comes to no end after its first figure."""
    yield "first", 1
    time.sleep(600)


def fail(setting: Setting) -> Figures:
    """A section that fails after its first figure."""
    yield "first", 1
    raise ValueError("no such device")


@pytest.mark.parametrize(
    ("section", "error"),
    [("crash", "exit code -9"), ("hang", "took longer than 1 s"), ("fail", "no such device")],
)
def test_what_ends_a_section_is_told_beside_its_figures(
    section: str, error: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.device.sections._ENDING", 3.0)
    found = run_section(f"tests.device.test_run:{section}", "cpu", True, tmp_path, 1)
    assert found["first"] == 1 and error in found["error"] and found["seconds"] < 30


@pytest.mark.slow
def test_everything_runs_quickly_on_a_cpu(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    words = ["sh", "tests/device/run.sh", str(out), "--device", "cpu", "--quick"]
    environment = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "install" not in done.stderr
    sections = json.loads(out.read_text())["sections"]
    assert [*sections] == [*SECTIONS]
    errors = {name: found["error"] for name, found in sections.items() if "error" in found}
    assert errors == {}
    assert sections["parity"]["failed"] == sections["agreement"]["failed"] == []
    for name in ("demo", "ravdess-speech-audio"):
        for figures in sections["steps"][name].values():
            assert figures["ms"] > 0 and figures["gflop"] > 0
    epochs = sections["epochs"]["cremad-auxformer"]
    assert epochs["read_data_ms"] > 0 and epochs["resident_data_ms"] > 0
    assert sections["predict"]["second_seconds_per_second"] > 0
    assert sections["ferplus"]["evaluation"] and sections["ferplus"]["data"] == "generated"
