"""Several processes in one folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COUNT_UP = """
import sys
from pathlib import Path
from affuse.execution.files import locked, write_text
folder = Path(sys.argv[1])
for _ in range(50):
    with locked(folder):
        number = folder / "number"
        write_text(number, str(int(number.read_text()) + 1 if number.exists() else 1))
"""


def test_nobody_overwrites_what_another_process_writes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", COUNT_UP, str(tmp_path / "run")]
    running = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert (tmp_path / "run" / "number").read_text() == "200"
