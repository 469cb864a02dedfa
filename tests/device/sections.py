"""Sections of the measurement: each in a process of its own, which may fail, crash or hang."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.device.setting import ROOT, Setting


@dataclass(frozen=True)
class Section:
    """A function, as `module:name`, that yields figures, and seconds that it may take."""

    function: str
    seconds: float


SECTIONS = {
    "facts": Section("tests.device.facts:measure", 20),
    "roofline": Section("tests.device.roofline:measure", 25),
    "parity": Section("tests.device.parity:measure", 50),
    "agreement": Section("tests.device.agreement:measure", 50),
    "predict": Section("tests.device.predicting:measure", 35),
    "steps": Section("tests.device.steps:measure", 115),
    "epochs": Section("tests.device.epochs:measure", 15),
    "ferplus": Section("tests.device.trained:ferplus", 80),
    "whisper": Section("tests.device.trained:whisper", 80),
}
_ENDING = 5.0


def run_section(
    function: str, device: str, quick: bool, data: Path, limit: float
) -> dict[str, Any]:
    """The figures of a section: all it came to, `seconds`, and `error` where something ended it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="affuse-device-") as folder:
        out = Path(folder) / "figures.json"
        words = [function, device, str(int(quick)), str(data), str(limit), folder]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.device.sections", *words],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        error = ""
        try:
            _, said = process.communicate(timeout=limit + _ENDING)
            if process.returncode:
                error = "\n".join(said.strip().splitlines()[-8:])
                error = error or f"ended with exit code {process.returncode}"
        except subprocess.TimeoutExpired:
            error = f"took longer than {limit:.0f} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        found: dict[str, Any] = json.loads(out.read_text()) if out.is_file() else {}
    found["seconds"] = round(time.monotonic() - began, 1)
    return found | ({"error": error} if error else {})


def write(path: Path, content: Any) -> None:
    """Write JSON so that a reader never sees half of it."""
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    temporary.replace(path)


def main() -> int:
    """In a section's own process: write each figure as soon as it is there."""
    section, device, quick, data, limit, folder = sys.argv[1:]
    setting = Setting(device, quick == "1", float(limit), Path(data), Path(folder))
    module, function = section.split(":")
    found: dict[str, Any] = {}
    try:
        measure = getattr(importlib.import_module(module), function)
        for key, value in measure(setting):
            found[key] = value
            write(setting.work / "figures.json", found)
            if setting.left < 0:
                found["stopped"] = f"after {limit} s"
                break
    except Exception:
        found["error"] = traceback.format_exc(limit=-3).strip()
    write(setting.work / "figures.json", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
