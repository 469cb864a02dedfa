"""Clips that several processes or machines share, and the store that is made of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.commands import refused, run
from tests.features.counting import Counting, corpus
from tests.folders import tree
from tests.media.recordings import write_recording

from affuse.execution.sharing import Share
from affuse.features.prepare import prepare


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sounds in the layout of RAVDESS: two actors, four emotions."""
    folder = tmp_path_factory.mktemp("corpus") / "ravdess"
    random = np.random.default_rng(0)
    for actor in (1, 2):
        for emotion in (1, 3, 4, 5):
            name = f"03-01-{emotion:02d}-01-01-01-{actor:02d}.wav"
            (folder / f"Actor_{actor:02d}").mkdir(parents=True, exist_ok=True)
            sound = random.normal(0, 0.1, (1, 16000)).astype(np.float32)
            path = folder / f"Actor_{actor:02d}" / name
            write_recording(path, None, sound, rate=16000, audio_codec="pcm_s16le")
    return folder


def words(root: Path, store: Path, *more: object) -> list[str]:
    found = ["prepare", "ravdess", root, "--store", store, "--workers", 1]
    return [*map(str, found), "--streams", "audio/mfcc10", *map(str, more)]


@settings(max_examples=8, deadline=None)
@given(count=st.integers(1, 9), shares=st.integers(1, 5), seed=st.integers(0, 99))
def test_any_shares_in_any_order_end_in_the_bytes_of_one(
    tmp_path_factory: pytest.TempPathFactory, count: int, shares: int, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("shares")
    (folder / "raw").mkdir()
    own = corpus(folder / "raw", {f"c{k}": " ".join("7" * (k + 1)) for k in range(count)})
    prepare(own, folder / "one", [Counting()])
    order = list(range(1, shares + 1))
    Random(seed).shuffle(order)
    log = folder / "log"
    for number in order[seed % 2 :]:  # the first is missing, every other time
        report = prepare(own, folder / "many", [Counting(log=log)], share=Share(number, shares))
        assert report.clips == len(own.clips[number - 1 :: shares])
        assert not list((folder / "many").glob("audio/*.safetensors")) or shares == 1
    prepare(own, folder / "many", [Counting(log=log)])
    assert sorted(log.read_text().split()) == sorted(clip.id for clip in own.clips)
    assert tree(folder / "many") == tree(folder / "one")


def test_shards_of_real_recordings_are_the_store_of_one_process(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words(recordings, tmp_path / "one")) == 0
    for number in (2, 1):
        assert run(*words(recordings, tmp_path / "many", "--shard", f"{number}/2")) == 0
        assert f"shard {number}/2 is done" in capsys.readouterr().err
    assert run(*words(recordings, tmp_path / "many")) == 0
    assert ": 0 streams computed" in capsys.readouterr().err
    assert tree(tmp_path / "many") == tree(tmp_path / "one")


def test_wrong_shards_are_one_line(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("0/2", "3/2", "2", "a/b", "1/0", "-1/2"):
        line = refused(capsys, *words(recordings, tmp_path, f"--shard={text}"))
        assert "expected I/N, such as 2/12" in line
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_shards_that_are_killed_lose_nothing(recordings: Path, tmp_path: Path) -> None:
    """Three at once, killed at twenty moments that a seed draws, and begun again."""
    assert run(*words(recordings, tmp_path / "one")) == 0
    random = Random(3)
    begun = [sys.executable, "-m", "affuse"]

    def start(number: int) -> subprocess.Popen[bytes]:
        command = [*begun, *words(recordings, tmp_path / "many", "--shard", f"{number}/3")]
        return subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)

    running = {number: start(number) for number in (1, 2, 3)}
    for _ in range(20):
        time.sleep(random.uniform(0.2, 4.0))
        number = random.choice([1, 2, 3])
        os.killpg(running[number].pid, signal.SIGKILL)
        running[number].wait()
        running[number] = start(number)
    assert [running[number].wait() for number in (1, 2, 3)] == [0, 0, 0]
    assert run(*words(recordings, tmp_path / "many")) == 0
    assert tree(tmp_path / "many") == tree(tmp_path / "one")
