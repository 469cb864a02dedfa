"""Clips that several processes or machines share, and the store that is made of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
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

from affuse.corpora.clip import Corpus
from affuse.errors import AffuseError
from affuse.execution.sharing import Share
from affuse.features.merge import merge
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


# Shards on several disks, and the store that is merged of them.


def texts(folder: Path) -> Corpus:
    """Seven clips of which one fails, and one without a file."""
    folder.mkdir()
    return corpus(folder, {f"c{k}": "" if k == 3 else " ".join("7" * (k + 1)) for k in range(7)})


def apart(own: Corpus, folder: Path, count: int, *extractors: Counting) -> list[Path]:
    """Shards, each in a folder of its own, that were moved after they were made."""
    for k in range(1, count + 1):
        prepare(own, folder / f"disk{k}", extractors or [Counting()], share=Share(k, count))
    return [(folder / f"disk{k}").rename(folder / f"copy{k}") for k in range(1, count + 1)]


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_shards_of_several_disks_are_merged_into_the_bytes_of_one(
    tmp_path: Path, count: int
) -> None:
    own = texts(tmp_path / "raw")
    streams = [Counting(), Counting("audio/more", 2.0)]
    prepare(own, tmp_path / "one", streams)
    if count == 1:  # a shard of one is all of it
        with pytest.raises(AffuseError, match="holds no finished shard"):
            merge([tmp_path / "one"], tmp_path / "many")
        return
    shards = apart(own, tmp_path, count, *streams)
    before = [tree(shard) for shard in shards]
    merged = merge(shards[::-1], tmp_path / "many")
    assert tree(tmp_path / "many") == tree(tmp_path / "one")
    assert [tree(shard) for shard in shards] == before
    assert {clip for clip, _, _ in merged.failures} == {"c3", "zz-silent"}
    merge(shards, tmp_path / "many")
    assert tree(tmp_path / "many") == tree(tmp_path / "one"), "again"


def test_streams_that_were_prepared_one_after_the_other_are_merged_together(
    tmp_path: Path,
) -> None:
    own = texts(tmp_path / "raw")
    for streams in ([Counting()], [Counting("audio/more", 2.0)]):
        prepare(own, tmp_path / "one", streams)
        for k in (1, 2):
            prepare(own, tmp_path / f"disk{k}", streams, share=Share(k, 2))
    merge([tmp_path / "disk1", tmp_path / "disk2"], tmp_path / "many")
    assert tree(tmp_path / "many") == tree(tmp_path / "one")


def test_recordings_that_were_prepared_apart_are_merged(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words(recordings, tmp_path / "one")) == 0
    for k in (1, 2):
        assert run(*words(recordings, tmp_path / f"disk{k}", "--shard", f"{k}/2")) == 0
    line = refused(capsys, "merge", tmp_path / "disk2", "--store", tmp_path / "many")
    assert line == "affuse merge: shard 1/2 is missing" and not (tmp_path / "many").exists()
    both = [tmp_path / "disk1", tmp_path / "disk2"]
    assert run("merge", *both, "--store", tmp_path / "many") == 0
    assert "3 streams of 8 clips" in capsys.readouterr().err
    assert tree(tmp_path / "many") == tree(tmp_path / "one")


def test_shards_that_do_not_belong_together_are_one_line(tmp_path: Path) -> None:
    own = texts(tmp_path / "raw")
    shards = apart(own, tmp_path, 3)
    (tmp_path / "other").mkdir()
    strangers = {
        "is shard 1/3, and so is": (own, Counting(), Share(1, 3)),
        "is shard 2/4": (own, Counting(), Share(2, 4)),
        "is made with scale 5.0": (own, Counting(scale=5.0), Share(2, 3)),
        "has no stream audio/numbers": (own, Counting("audio/x"), Share(2, 3)),
        "is of other clips": (
            corpus(tmp_path / "other", {"a": "1", "b": "2"}),
            Counting(),
            Share(2, 3),
        ),
    }
    for number, (reason, (clips, extractor, share)) in enumerate(strangers.items()):
        stranger = tmp_path / f"stranger{number}"
        prepare(clips, stranger, [extractor], share=share)
        with pytest.raises(AffuseError, match=reason):
            merge([shards[0], stranger, shards[2]], tmp_path / "many")
    begun = tmp_path / "begun"
    with pytest.raises(KeyboardInterrupt):
        prepare(own, begun, [Counting(stop_at="c4")], share=Share(2, 3))
    with pytest.raises(AffuseError, match="holds no finished shard; finish it"):
        merge([shards[0], begun, shards[2]], tmp_path / "many")
    with pytest.raises(AffuseError, match="shards 1/3, 2/3 are missing"):
        merge(shards[2:], tmp_path / "many")
    with pytest.raises(AffuseError, match="is one of the shards"):
        merge(shards, shards[1])
    with pytest.raises(AffuseError, match="is not a store"):
        merge([*shards, tmp_path / "raw"], tmp_path / "many")
    assert not (tmp_path / "many").exists()
    prepare(corpus(tmp_path / "other", {"a": "1"}), tmp_path / "taken", [Counting()])
    with pytest.raises(AffuseError, match="is another store than"):
        merge(shards, tmp_path / "taken")


def test_a_shard_that_was_not_copied_whole_is_one_line(tmp_path: Path) -> None:
    shards = apart(texts(tmp_path / "raw"), tmp_path, 2)
    (part,) = shards[1].glob("parts/audio-numbers-*/c5.safetensors")
    content = bytearray(part.read_bytes())
    content[-100] ^= 1
    part.write_bytes(content)
    with pytest.raises(AffuseError, match=r"c5\.safetensors: is"):
        merge(shards, tmp_path / "many")
    part.unlink()
    with pytest.raises(AffuseError, match=r"c5\.safetensors: is missing; copy the shard again"):
        merge(shards, tmp_path / "many")
    assert not (tmp_path / "many/store.json").exists()


def test_a_merge_that_is_killed_at_any_file_is_done_again(tmp_path: Path) -> None:
    own = texts(tmp_path / "raw")
    prepare(own, tmp_path / "one", [Counting(), Counting("audio/more", 2.0)])
    shards = apart(own, tmp_path, 3, Counting(), Counting("audio/more", 2.0))
    files = len([name for name in tree(tmp_path / "one") if not name.startswith(".")])
    assert files >= 5
    named = Path.replace
    for number in range(files):
        store = tmp_path / f"killed{number}"
        child = os.fork()
        if child == 0:  # dies instead of giving the file its name
            left = iter(range(number))

            def replace(path: Path, target: Path, left: Iterator[int] = left) -> Path:
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                return named(path, target)

            Path.replace = replace
            merge(shards, store)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        assert not (store / "store.json").exists()
        merge(shards, store)
        assert tree(store) == tree(tmp_path / "one"), number
