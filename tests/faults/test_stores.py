"""Stores that are killed, shared, cut off, changed on the disk, or on a disk that is full."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from affuse.cli.main import main
from affuse.errors import BadInput
from affuse.execution.files import NotWritten, atomic_path, locked, sweep, write_text
from affuse.features.archive import write_archive
from affuse.features.damages import damages
from affuse.features.prepare import prepare
from affuse.features.store import Store, stream_path
from affuse.features.stream_file import StreamFile
from tests.faults.misbehaving import Numbers, corpus
from tests.folders import tree

ROOT = Path(__file__).parents[2]
STREAMS = ("audio/one", "video/two")


def numbers() -> list[Numbers]:
    return [Numbers(name) for name in STREAMS]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    texts = {f"clip{k}": "x" * (k + 1) for k in range(6)}
    prepare(corpus(folder / "raw", **texts), folder / "store", numbers())
    return folder / "store"


def contents(store: Path) -> dict[str, object]:
    """Everything that a training or a judgement reads of a store."""
    data = Store(store)
    facts: dict[str, object] = {
        "index": (data.corpus, data.classes, data.licence, data.task),
        "clips": data.clips,
    }
    for name in STREAMS:
        file = data.stream(name)
        facts[name] = file.spec
        for clip in file.clips:
            stream = file[clip]
            facts[f"{name} {clip}"] = (
                stream.values.tobytes(),
                stream.mask.tobytes(),
                stream.start,
                file.made_from[clip],
            )
    return facts


READ = ("store.json", "clips.csv", *(f"{name}.safetensors" for name in STREAMS))


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    name=st.sampled_from(READ), place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255)
)
def test_a_flipped_byte_is_noticed_or_changes_nothing(
    store: Path, name: str, place: float, flip: int
) -> None:
    path = store / name
    before = contents(store)
    content = path.read_bytes()
    changed = bytearray(content)
    changed[int(place * len(content))] ^= flip
    try:
        path.write_bytes(changed)
        try:
            assert contents(store) == before
        except BadInput as error:
            assert error.path == path and "\n" not in str(error)
            assert any(name in line for line in damages(store)[0])
    finally:
        path.write_bytes(content)


def at(path: Path, name: str) -> int:
    """Where an array begins in a file."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return 8 + length + int(json.loads(content[8 : 8 + length])[name]["data_offsets"][0])


@pytest.mark.parametrize(
    ("array", "byte", "what"),
    [
        ("values", 4 * (1 + 2) + 3, "clip clip2 is damaged (its values are not those"),
        ("mask", 1 + 2, "clip clip2 is damaged (its mask are not those"),
        ("offset", 8 * 2, "is damaged (offset is not what was written)"),
        ("start", 8 * 2 + 7, "is damaged (start is not what was written)"),
    ],
)
def test_a_damage_is_named_with_its_clip_and_mended_by_preparing(
    tmp_path: Path, array: str, byte: int, what: str
) -> None:
    clips = corpus(tmp_path / "raw", **{f"clip{k}": "x" * (k + 1) for k in range(4)})
    prepare(clips, tmp_path / "store", numbers())
    before = tree(tmp_path / "store")
    path = stream_path(tmp_path / "store", STREAMS[0])
    content = bytearray(path.read_bytes())
    content[at(path, array) + byte] ^= 16
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        contents(tmp_path / "store")
    assert str(caught.value).startswith(f"{path}: {what}")
    others = [name for name in ("clip0", "clip1", "clip3") if array in ("values", "mask")]
    assert all(StreamFile(path)[name] is not None for name in others)
    report = prepare(clips, tmp_path / "store", numbers())
    assert report.computed == (1 if others else 4)
    assert tree(tmp_path / "store") == before


def test_check_names_every_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = corpus(tmp_path / "raw", **{f"clip{k}": "x" * (k + 1) for k in range(4)})
    prepare(clips, tmp_path / "store", numbers())
    assert main(["check", "--store", str(tmp_path / "store")]) == 0
    assert "nothing is damaged" in capsys.readouterr().out
    path = stream_path(tmp_path / "store", STREAMS[1])
    content = bytearray(path.read_bytes())
    for row in (0, 3):
        content[at(path, "values") + 4 * row] ^= 1
    path.write_bytes(content)
    table = tmp_path / "store" / "clips.csv"
    table.write_text(table.read_text().replace("joy", "joi", 1))
    assert main(["check", "--store", str(tmp_path / "store")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{table}: is not what was written; prepare it again",
        f"{path}: clip clip0 is damaged",
        f"{path}: clip clip2 is damaged",
        "3 damaged",
    ]


def test_a_stream_file_without_checksums_opens_and_gets_them_when_prepared_again(
    tmp_path: Path,
) -> None:
    clips = corpus(tmp_path / "raw", a="xx", b="x")
    prepare(clips, tmp_path / "store", numbers())
    before = tree(tmp_path / "store")
    path = stream_path(tmp_path / "store", STREAMS[0])
    with safe_open(path, "np") as file:
        text = file.metadata()["affuse"]
    arrays = load_file(path)
    del arrays["crc32"]
    save_file(arrays, path, {"affuse": text})
    index = tmp_path / "store" / "store.json"
    facts = json.loads(index.read_text())
    index.write_text(json.dumps({k: facts[k] for k in facts if k not in ("clips", "digest")}))
    assert Store(tmp_path / "store").stream(STREAMS[0])["a"].values.tolist() == [[2.0], [2.0]]
    assert damages(tmp_path / "store") == ([], [STREAMS[0]])
    assert prepare(clips, tmp_path / "store", numbers()).computed == 0
    assert tree(tmp_path / "store") == before


@pytest.mark.parametrize(
    ("spec", "arrays", "what"),
    [
        ({"rate": 1e12}, {}, "rate is 1000000000000.0"),
        ({"rate": float("nan")}, {}, "rate is nan"),
        ({"dtype": "uint8"}, {}, "values is float32"),
        ({"shape": [2]}, {}, "values is float32"),
        ({"shape": [10**18]}, {}, "shape is 1000000000000000000"),
        ({"span": -1.0}, {}, "span is -1.0"),
        ({}, {"offset": np.array([0, 3, 2, 4])}, "one after the other"),
        ({}, {"offset": np.array([1, 2, 3, 4])}, "one after the other"),
        ({}, {"offset": np.array([0, 1, 2, 2**62])}, "values is float32"),
        ({}, {"start": np.array([0, np.nan, 0])}, "begin"),
    ],
)
def test_what_a_file_says_is_compared_before_it_is_believed(
    tmp_path: Path, spec: dict[str, Any], arrays: dict[str, np.ndarray], what: str
) -> None:
    """Well-formed files, checksums included, whose parts do not go together."""
    held = {
        "offset": np.array([0, 1, 2, 4]),
        "start": np.zeros(3),
        "values": np.zeros((4, 1), np.float32),
        "mask": np.ones(4, bool),
        **arrays,
    }
    facts = {"spec": {"name": "audio/x", "rate": 10.0, "shape": [1]} | spec}
    facts |= {"clips": ["a", "b", "c"], "made_from": [""] * 3}
    path = tmp_path / "x.safetensors"
    write_archive(path, {k: (str(x.dtype), x.shape, [x]) for k, x in held.items()}, facts)
    with pytest.raises(BadInput, match=what):
        StreamFile(path)


@pytest.mark.parametrize("shape", [[2**40, 2**40], [-1, -4], [0, 2**62], [4.0, 1], [[4], 1]])
def test_absurd_shapes_are_one_line_and_take_no_memory(tmp_path: Path, shape: list[Any]) -> None:
    path = tmp_path / "x.safetensors"
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, 16 if shape[0] else 0]}
    header = json.dumps({"__metadata__": {"affuse": "{}"}, "values": entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    with pytest.raises(BadInput, match=r"x.safetensors: "):
        StreamFile(path)


SCRIPT = """
import logging
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1].split(":")
from tests.faults.misbehaving import Numbers, corpus
from affuse.features.prepare import prepare
if __name__ == "__main__":
    logging.basicConfig()
    root, store, workers, count = sys.argv[2:]
    clips = corpus(Path(root), **{f"clip{k:03d}": "x" * (k + 1) for k in range(int(count))})
    prepare(clips, Path(store), [Numbers("audio/one"), Numbers("video/two")], int(workers))
"""


def start(
    folder: Path, store: str, workers: int, count: int, **options: Any
) -> subprocess.Popen[str]:
    script = folder / "script.py"
    if not script.exists():
        script.write_text(SCRIPT)
    words = [f"{ROOT / 'src'}:{ROOT}", str(folder / "raw"), str(folder / store), str(workers)]
    return subprocess.Popen(
        [sys.executable, str(script), *words, str(count)],
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def killed_and_repeated(folder: Path, workers: int, moments: int, **environment: str) -> None:
    count = 40
    options = {"env": os.environ | environment}
    begin = time.monotonic()
    assert start(folder, "whole", workers, count, **options).wait() == 0
    seconds = time.monotonic() - begin
    chance = random.Random(workers)
    for moment in range(moments):
        with start(folder, "cut", workers, count, **options) as process:
            time.sleep(chance.uniform(0.2, 1.0) * seconds)
            process.send_signal(signal.SIGKILL)
        if moment % 4 == 3:  # several kills in a row, then to the end
            assert start(folder, "cut", workers, count, **options).wait() == 0
            assert tree(folder / "cut") == tree(folder / "whole")
            if moment % 8 == 3:
                subprocess.run(["rm", "-r", str(folder / "cut")], check=True)
    assert start(folder, "cut", workers, count, **options).wait() == 0
    assert tree(folder / "cut") == tree(folder / "whole")


def test_killed_twice_and_run_again_it_ends_in_the_same_bytes(tmp_path: Path) -> None:
    killed_and_repeated(tmp_path, workers=2, moments=2)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_killed_at_twenty_moments_it_ends_in_the_same_bytes(
    tmp_path: Path, workers: int, elsewhere: bool
) -> None:
    environment = {}
    if elsewhere:
        shared = Path("/dev/shm")
        if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("no other file system for TMPDIR")
        environment["TMPDIR"] = str(shared)
    killed_and_repeated(tmp_path, workers, 20, **environment)


def test_what_killed_writers_left_is_swept_and_what_others_write_is_not(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from affuse.execution.files import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as path:\n"
        "    path.write_text('half'); print(path, flush=True); sys.stdin.read()\n"
    )

    def writer(name: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / name)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        )

    with writer("dead.csv") as dead, writer("living.csv") as living:
        left, kept = (Path(p.stdout.readline().strip()) for p in (dead, living))
        assert left.exists() and kept.exists() and left.suffix == ".csv"
        dead.kill()
        dead.wait()
        (tmp_path / ".hidden.csv").touch()
        sweep(tmp_path)
        assert not left.exists() and kept.exists() and (tmp_path / ".hidden.csv").exists()
        living.stdin.close()
        assert living.wait() == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden.csv", "living.csv"]


def test_a_number_that_another_process_took_over_is_no_life(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "x.txt") as mine:
        mine.write_text("")
        machine, pid, born, number = mine.name.removesuffix(".txt").split(".")[-1].split("-")
        left = tmp_path / f".y.{machine}-{pid}-{int(born) - 1}-{number}.txt"
        far = tmp_path / f".z.00000000-{pid}-{born}-{number}.txt"
        old = tmp_path / f".old.00000000-{pid}-{born}-{number}.txt"
        for path in (left, far, old):
            path.touch()
        os.utime(old, (0, 0))
        sweep(tmp_path)
        assert (mine.exists(), left.exists(), far.exists(), old.exists()) == (
            True,
            False,
            True,
            False,
        )


@pytest.mark.parametrize("stem", ["x" * 251, "é" * 123])
def test_the_longest_names_can_be_written(tmp_path: Path, stem: str) -> None:
    write_text(tmp_path / f"{stem}.csv", "whole")
    assert (tmp_path / f"{stem}.csv").read_text() == "whole"


def test_a_clip_of_a_long_name_is_prepared(tmp_path: Path) -> None:
    clips = corpus(tmp_path / "raw", **{"x" * 250: "xx"})
    assert prepare(clips, tmp_path / "store", numbers()).failures == []
    assert "x" * 250 in Store(tmp_path / "store").stream(STREAMS[0])


def test_two_at_once_end_right_and_the_second_says_that_it_waits(tmp_path: Path) -> None:
    assert start(tmp_path, "alone", 1, 30).wait() == 0
    (tmp_path / "store").mkdir()
    with locked(tmp_path / "store"):  # so that both wait, whichever is quicker
        both = [start(tmp_path, "store", workers, 30) for workers in (1, 2)]
        for process in both:
            assert "another process prepares it; waiting" in process.stderr.readline()
    for process in both:
        _, printed = process.communicate()
        assert process.returncode == 0, printed
    assert tree(tmp_path / "store") == tree(tmp_path / "alone")


def test_a_full_disk_is_one_line_and_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = corpus(tmp_path / "raw", a="x", b="y" * 30_000)
    prepare(clips, tmp_path / "store", [Numbers(STREAMS[0])])
    before = contents_of(tmp_path / "store", STREAMS[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
        with pytest.raises(NotWritten, match=r"safetensors: File too large"):
            prepare(clips, tmp_path / "store", numbers())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents_of(tmp_path / "store", STREAMS[0]) == before
    assert not [path for path in (tmp_path / "store").rglob(".*") if path.name != ".lock"]
    prepare(clips, tmp_path / "store", numbers())
    prepare(clips, tmp_path / "other", numbers())
    assert tree(tmp_path / "store") == tree(tmp_path / "other")


def contents_of(store: Path, name: str) -> dict[str, bytes]:
    file = Store(store).stream(name)
    return {clip: file[clip].values.tobytes() for clip in file.clips}


def test_a_store_that_cannot_be_made_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    clips = corpus(tmp_path / "raw", a="x")
    with pytest.raises(BadInput, match=r"file/store: Not a directory"):
        prepare(clips, tmp_path / "file" / "store", numbers())


def test_a_network_of_another_name_is_no_path(tmp_path: Path) -> None:
    from affuse.features.store import network_path

    with pytest.raises(BadInput, match="expected 64 hexadecimal digits"):
        network_path(tmp_path, "../../outside")
