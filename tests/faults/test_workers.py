"""A clip never costs the run, whatever its decoder does to the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
import soundfile

from affuse.errors import AffuseError, BadInput
from affuse.execution.executors import map_unordered
from affuse.features.archive import read_archive
from affuse.features.prepare import prepare
from affuse.features.store import Store, stream_path
from affuse.features.stream_file import StreamFile
from affuse.inference.batch import predict_all
from tests.faults.misbehaving import DEATHS, Numbers, act, corpus, write_and_wait

GOOD = ["a", "b", "c", "d", "e"]
ROOT = Path(__file__).parents[2]


def lost(item: str, reason: str, told: list[str]) -> str:
    return " ".join([item, *told, reason])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_death_costs_its_input_alone(workers: int) -> None:
    inputs = [*GOOD[:2], *DEATHS, *GOOD[2:]]
    done = list(map_unordered(act, inputs, workers, lost=lost))
    assert sorted(done[: len(GOOD)]) == ["A", "B", "C", "D", "E"]
    assert sorted(done[len(GOOD) :]) == sorted(f"{what} {why}" for what, why in DEATHS.items())


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_delay_costs_its_input_alone(workers: int) -> None:
    done = list(map_unordered(act, ["hang", "a", "hang-in-c", "b"], workers, limit=1, lost=lost))
    assert sorted(done[:2]) == ["A", "B"]
    assert sorted(done[2:]) == ["hang took longer than 1 s", "hang-in-c took longer than 1 s"]


def test_what_asks_for_more_time_has_it() -> None:
    assert list(map_unordered(act, ["long"], limit=1, lost=lost)) == ["LONG"]


def test_a_worker_that_ends_while_it_is_not_needed_is_not_waited_for() -> None:
    """One process after the other: the first is about to end when the second map begins."""
    for _ in range(2):
        assert list(map_unordered(act, ["close"], lost=lost)) == ["CLOSE"]
        time.sleep(0.5)
    began = time.monotonic()
    assert list(map_unordered(act, GOOD, 2)) and time.monotonic() - began < 200


def test_an_innocent_that_was_ended_is_tried_again_after_the_others(tmp_path: Path) -> None:
    once = f"once {tmp_path / 'marker'}"
    done = list(map_unordered(act, [once, "a", "b"], 2, lost=lost))
    assert sorted(done[:2]) == ["A", "B"] and done[2] == once.upper()


def test_what_was_told_before_the_death_is_known() -> None:
    (done,) = map_unordered(act, ["telling"], lost=lost)
    assert done == "telling step 1 step 2 ended with exit code 1"


def test_a_death_without_anyone_to_tell_is_one_line() -> None:
    with pytest.raises(AffuseError, match=r"a worker process was killed by signal 11 \(SIGSEGV\)"):
        list(map_unordered(act, ["crash"]))


@pytest.mark.parametrize(("what", "kind"), [("peculiar", RuntimeError), ("input", AffuseError)])
def test_exceptions_that_cannot_be_sent_still_tell(what: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"1 (and|of) 2"):
        list(map_unordered(act, [f"raise {what}"], 1))


def test_what_libraries_print_is_no_result(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(map_unordered(act, ["print", "a"])) == ["PRINT", "A"]
    assert capfd.readouterr().out == ""


def test_inputs_are_taken_as_workers_become_free() -> None:
    taken = []

    def inputs() -> Iterator[str]:
        for number in count():
            taken.append(number)
            yield str(number)

    assert len(list(islice(map_unordered(act, inputs(), 2), 5))) == 5
    assert len(taken) <= 5 + 2


def test_an_interrupt_is_quick_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """Ctrl-C, SIGTERM where it is an exception, and results that nobody wants any more."""
    results: Generator[str, None, None] = map_unordered(either, [str(tmp_path / "x.csv"), "a"], 2)
    assert next(results) == "A"
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    begin = time.monotonic()
    results.close()
    assert time.monotonic() - begin < 30
    assert [path.name for path in tmp_path.iterdir()] == ["begun"]


def either(what: str) -> str:
    if "/" in what:
        write_and_wait(what)
    return act(what)


def test_what_other_processes_cannot_import_is_called_here() -> None:
    assert list(map_unordered(lambda word: word + "!", GOOD)) == [f"{word}!" for word in GOOD]


SCRIPT = """
import sys
from tests.faults.misbehaving import sign_and_hang
from affuse.execution.executors import map_unordered
list(map_unordered(sign_and_hang, [sys.argv[1]] * 2, int(sys.argv[2])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of hanging code only Linux ends the process")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_when_their_parent_does(tmp_path: Path, how: signal.Signals) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path), "2"],
        env=environment,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as parent:
        until = time.monotonic() + 60
        while len(pids := [int(path.name) for path in tmp_path.iterdir()]) < 2:
            assert parent.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        parent.send_signal(how)
        assert parent.wait(10) != 0
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_prepare_lists_what_kills_and_goes_on(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFFUSE_TIME_LIMIT", "2")
    numbers = [Numbers("audio/one"), Numbers("audio/two"), Numbers("audio/three")]
    clips = corpus(
        tmp_path / "raw",
        fine="ab",
        crashes="crash@audio/two",
        hangs="hang@audio/one",
        bad="bad",
        peculiar="peculiar",
        last="abc",
    )
    report = prepare(clips, tmp_path / "store", numbers, workers)
    raw = tmp_path / "raw"
    decoded = "the process that decoded it"
    every = ("audio/one", "audio/three", "audio/two")
    assert report.failures == [
        *(("bad", name, f"{raw / 'bad'}: is bad") for name in every),
        ("crashes", "audio/two", f"{raw / 'crashes'}: {decoded} was killed by signal 11 (SIGSEGV)"),
        ("hangs", "audio/one", f"{raw / 'hangs'}: {decoded} took longer than 2 s"),
        *(("peculiar", name, f"{raw / 'peculiar'}: Peculiar: 1 and 2") for name in every),
    ]
    store = Store(tmp_path / "store")
    there = {name: store.stream(name).clips for name in every}
    assert there == {
        "audio/one": ["fine", "crashes", "last"],
        "audio/two": ["fine", "hangs", "last"],
        "audio/three": ["fine", "crashes", "hangs", "last"],
    }
    assert store.stream("audio/three")["hangs"].values[:, 0].tolist() == [14.0] * 14


@dataclass
class Counted:
    """Stands for a predictor: notes each time that it is made."""

    log: Path

    def __post_init__(self) -> None:
        with self.log.open("a") as file:
            file.write("made\n")


def apply(_: Counted, path: Path) -> str:
    if path.name == "bad":
        raise BadInput(path, "is bad")
    return act(path.name)


def test_a_batch_of_recordings_goes_on_after_one_that_kills(tmp_path: Path) -> None:
    paths = [Path(name) for name in ("a", "bad", "crash", "b", "c")]
    log = tmp_path / "log"
    done = {p.name: found for p, found in predict_all(paths, partial(Counted, log), apply)}
    assert list(done) == ["a", "bad", "b", "c", "crash"]
    assert [done[name] for name in "abc"] == ["A", "B", "C"]
    assert str(done["bad"]) == "bad: is bad"
    assert str(done["crash"]) == (
        "crash: the process that decoded it was killed by signal 11 (SIGSEGV)"
    )
    assert log.read_text().split() == ["made"] * 2  # at first, and after the death


def unreadable(path: Path) -> Counted:
    read_archive(path)
    return Counted(path)


def test_a_model_that_cannot_be_opened_is_one_line_for_all(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        list(predict_all([Path("a"), Path("b")], partial(unreadable, tmp_path / "x"), apply))


@pytest.mark.slow
def test_predict_goes_on_after_a_decoder_that_dies(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("fine", "crashes", "hangs", "good"):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * random.standard_normal(32000), 16000)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITECUSTOMIZE)
    path = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])

    def predict(out: str, *names: str, **environment: str) -> subprocess.CompletedProcess[str]:
        files = [f"{name}.wav" for name in names]
        return subprocess.run(
            [sys.executable, "-m", "affuse", "predict", *files, "--out", out],
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            text=True,
        )

    names = ("fine", "crashes", "hangs", "good")
    done = predict("out", *names, PYTHONPATH=path, AFFUSE_TIME_LIMIT="30")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    decoded = "the process that decoded it"
    assert done.stderr.splitlines()[-2:] == [
        f"affuse predict: crashes.wav: {decoded} was killed by signal 11 (SIGSEGV)",
        f"affuse predict: hangs.wav: {decoded} took longer than 30 s",
    ]
    healthy = predict("healthy", "fine", "good")
    assert done.stdout == healthy.stdout and len(done.stdout.splitlines()) == 2
    for file in (tmp_path / "healthy").glob("*.csv"):
        assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes()


SITECUSTOMIZE = """
import os, signal, time
try:
    import av
    real = av.open
    def misbehave(path, *words, **options):
        name = os.path.basename(str(path))
        if name.startswith("kills"):
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("crashes"):
            os.kill(os.getpid(), signal.SIGSEGV)
        while name.startswith("hangs"):
            time.sleep(1)
        return real(path, *words, **options)
    av.open = misbehave
except ImportError:
    pass
"""


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_decoder_that_dies_costs_its_clip_alone(tmp_path: Path, workers: int) -> None:
    """The command line, with a decoder that dies or hangs at files of some names."""
    bad = ["kills", "crashes", "hangs"] if workers == 2 else ["crashes"]
    random = np.random.default_rng(0)
    raw, healthy = tmp_path / "raw", tmp_path / "healthy"
    for folder in (raw, healthy):
        folder.mkdir()
        names = ["fine", "good", *(bad if folder == raw else [])]
        rows = ["path,label,speaker", *(f"{name}.wav,joy,{name}" for name in names)]
        (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    for name in ("fine", "good", *bad):
        sound = 0.1 * random.standard_normal(16000)
        soundfile.write(raw / f"{name}.wav", sound, 16000)
    for name in ("fine", "good"):
        (healthy / f"{name}.wav").write_bytes((raw / f"{name}.wav").read_bytes())
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITECUSTOMIZE)

    def affuse(root: Path, store: str, **environment: str) -> subprocess.CompletedProcess[str]:
        words = ["--store", str(tmp_path / store), "--workers", str(workers)]
        words += ["--streams", "audio/mfcc10"]
        return subprocess.run(
            [sys.executable, "-m", "affuse", "prepare", "folder", str(root), *words],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    path = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])
    done = affuse(raw, "store", PYTHONPATH=path, AFFUSE_TIME_LIMIT="30")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    reasons = {
        "kills": "was killed by signal 9 (SIGKILL); perhaps there was no memory left",
        "crashes": "was killed by signal 11 (SIGSEGV)",
        "hangs": "took longer than 30 s",
    }
    table = (tmp_path / "store" / "failures.csv").read_text()
    for name in bad:
        line = f"{raw / name}.wav: the process that decoded it {reasons[name]}"
        assert f"affuse prepare: {line} (clip {name})\n" in done.stderr and line in table
    assert affuse(healthy, "other").returncode == 0
    one, other = (StreamFile(stream_path(tmp_path / s, "audio/mfcc10")) for s in ("store", "other"))
    assert one.clips == other.clips == ["fine", "good"]
    for clip in one.clips:
        assert (one[clip].values == other[clip].values).all()
