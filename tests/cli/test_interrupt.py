"""Ctrl-C on real processes: exit code 130, and running again ends in the same bytes."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.folders import tree
from tests.toy import toy_recipe

AFFUSE = [sys.executable, "-m", "affuse"]


def interrupt(words: list[str], when: Callable[[], bool]) -> subprocess.CompletedProcess[str]:
    """Run a command and send SIGINT as soon as `when()` is true."""
    with subprocess.Popen(
        [*AFFUSE, *words],
        stderr=subprocess.PIPE,
        text=True,
        # a test run in the background ignores Ctrl-C, and its children would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        until = time.monotonic() + 120
        while not when():
            assert process.poll() is None and time.monotonic() < until, process.stderr.read()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=60)
    return subprocess.CompletedProcess(words, process.returncode, stderr=printed)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_prepare_goes_on_where_it_was(tmp_path: Path, workers: int) -> None:
    random = np.random.default_rng(0)
    rows = ["path,label,start,end"]
    for k in range(5):
        soundfile.write(tmp_path / f"{k}.wav", 0.1 * random.standard_normal(16000 * 60), 16000)
        rows += [f"{k}.wav,{'ab'[k % 2]},{start},{start + 20}" for start in range(15)]
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")

    def words(store: str) -> list[str]:
        where = ["--store", str(tmp_path / store), "--workers", str(workers)]
        return ["prepare", "folder", str(tmp_path), *where, "--streams", "audio/mfcc10"]

    parts = tmp_path / "cut" / "parts"
    done = interrupt(words("cut"), lambda: len(list(parts.rglob("[!.]*.safetensors"))) >= 3)
    assert done.returncode == 130
    assert "interrupted" in done.stderr and "Traceback" not in done.stderr
    assert 3 <= len(list(parts.rglob("[!.]*.safetensors"))) < 75
    assert not (tmp_path / "cut" / "audio").exists()
    for store in ("cut", "whole"):
        assert subprocess.run([*AFFUSE, *words(store)]).returncode == 0
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


@pytest.mark.slow
def test_train_says_how_to_go_on_and_does(toy: Path) -> None:
    recipe = str(toy_recipe(toy, epochs=300))
    words = ["train", recipe, "--store", str(toy / "store"), "--out", str(toy / "run"), "fold=0"]
    log = toy / "run" / "fold0" / "log.csv"
    done = interrupt(words, log.is_file)
    assert done.returncode == 130
    assert "--resume" in done.stderr and "Traceback" not in done.stderr
    before = log.read_text().splitlines()
    again = interrupt([*words, "--resume"], lambda: len(log.read_text().splitlines()) > len(before))
    assert again.returncode == 130
    assert log.read_text().splitlines()[: len(before)] == before
