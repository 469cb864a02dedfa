"""`affuse doctor` says what is usable, and ends with 1 where affuse cannot predict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.commands import run

from affuse.extras import EXTRAS
from affuse.models import bundled


def test_a_working_installation(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    checks = told["checks"]
    assert all(check["ok"] for check in checks.values() if check["essential"])
    assert checks["torch"]["facts"]["torch"] == torch.__version__
    decoders = checks["PyAV"]["facts"]["decoders"]
    assert decoders.keys() >= {"h264", "hevc", "vp6f", "mp3", "aac", "opus"}
    assert checks["self-test"]["facts"]["seconds"] > 0
    assert {f"extra {name}" for name in EXTRAS} <= checks.keys()


def test_what_is_broken_or_missing_is_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    damaged = tmp_path / "bundled.safetensors"
    content = bytearray(bundled.BUNDLED.read_bytes())
    content[-1000] ^= 1
    damaged.write_bytes(content)
    monkeypatch.setattr(bundled, "BUNDLED", damaged)
    monkeypatch.setitem(sys.modules, "opensmile", None)
    assert run("doctor") == 1
    lines = {tuple(line.split()[:2]): line for line in capsys.readouterr().out.splitlines()}
    assert "is damaged" in lines["BROKEN", "model"] and "is damaged" in lines["BROKEN", "self-test"]
    assert lines["ok", "torch"] and lines["ok", "PyAV"]
    assert 'pip install "affuse[opensmile]"' in lines["-", "extra"]
    assert "broken: model, self-test" in lines["broken:", "model,"]


@pytest.mark.slow
def test_a_package_that_is_gone_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['av'] = None\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "affuse", "doctor"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "BROKEN  PyAV" in done.stdout and "broken: PyAV" in done.stdout
