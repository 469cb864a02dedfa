"""Outputs appear together or not at all, overwrite nothing, and inputs are kept apart."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.cli.main import main
from affuse.errors import BadInput
from affuse.execution.signals import Ended
from affuse.execution.together import together
from affuse.inference.inputs import find_inputs
from affuse.inference.output import write_timeline
from tests.faults.models import tone, voice_model
from tests.faults.timelines import classes_timeline


def tree(folder: Path) -> dict[str, bytes]:
    """Every file, hidden ones too, and every empty folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"folder"
        for path in folder.rglob("*")
        if path.is_file() or not any(path.iterdir())
    }


@pytest.mark.parametrize(
    "error", [OSError(28, "full"), ValueError(), KeyboardInterrupt(), Ended(15)]
)
@pytest.mark.parametrize("written", [0, 1, 2, 3])
@pytest.mark.parametrize("there", [False, True])
def test_files_appear_together_or_not_at_all(
    tmp_path: Path, error: BaseException, written: int, there: bool
) -> None:
    out = tmp_path / "a" / "b"
    if there:
        out.mkdir(parents=True)
        (out / "1.txt").write_text("before")
    before = tree(tmp_path)
    names = ["0.txt", "1.txt", "2.txt"]
    with pytest.raises(type(error)), together(out) as place:
        for name in names[:written]:
            place(name).write_text("after")
        raise error
    assert tree(tmp_path) == before
    with together(out) as place:
        for name in names:
            place(name).write_text("after")
    assert tree(out) == dict.fromkeys(names, b"after")


@pytest.mark.parametrize("blocked", ["0.txt", "1.txt", "2.txt"])
def test_one_file_that_cannot_be_replaced_leaves_the_others_as_they_were(
    tmp_path: Path, blocked: str
) -> None:
    for name in ("0.txt", "2.txt"):
        if name != blocked:
            (tmp_path / name).write_text("before")
    (tmp_path / blocked).mkdir()
    before = tree(tmp_path)
    refused = pytest.raises(BadInput, match=rf"{blocked}: cannot be written \(Is a directory\)")
    with refused, together(tmp_path) as place:
        for name in ("0.txt", "1.txt", "2.txt"):
            place(name).write_text("after")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("limit", [0, 100, 8_000, 30_000])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    """Files cannot grow beyond a limit, as on a disk that is full."""
    source = tone(tmp_path / "x.wav")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(BadInput) as caught:
            write_timeline(classes_timeline(source), tmp_path / "out", "x")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    line = str(caught.value)
    assert line.startswith(str(tmp_path / "out" / "x.")) and "File too large" in line
    assert "\n" not in line and ".affuse" not in line
    assert list(tree(tmp_path)) == ["x.wav"]


@pytest.mark.parametrize("out", ["file", "file/out", "file/a/b"])
def test_an_output_folder_that_cannot_be_is_said_before_anything_is_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    (tmp_path / "file").write_text("kept")
    assert main(["predict", "nowhere.wav", "--out", str(tmp_path / out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"affuse predict: {tmp_path / 'file'}: is a file")
    assert tree(tmp_path) == {"file": b"kept"}


def test_names_too_long_for_a_disk_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = voice_model(tmp_path / "m.safetensors")
    good, long = tone(tmp_path / "good.wav"), tone(tmp_path / f"{'n' * 251}.wav")
    words = ["--model", str(model), "--out", str(tmp_path / "out")]
    assert main(["predict", f"{'x' * 300}.wav", str(long), str(good), *words]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("File name too long") == 2 == printed.err.count("\n")
    assert printed.out.startswith(f"{good}: ")
    assert {p.stem for p in (tmp_path / "out").glob("*.json")} == {"good"}
    assert main(["predict", str(good), *words[:2], "--out", str(tmp_path / ("y" * 300))]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_same_recording_is_written_again_and_nothing_else_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tone(tmp_path / "in" / "x.wav"), tmp_path / "out"
    write_timeline(classes_timeline(source), out, "x")
    monkeypatch.chdir(tmp_path / "in")
    write_timeline(classes_timeline(Path("x.wav")), out, "x")  # from another folder: the same
    before = tree(out)
    other = tone(tmp_path / "other" / "x.wav")
    for refused in (other, tmp_path / "in" / "x.flac"):
        with pytest.raises(BadInput, match=r"x\.csv: is there already and is no timeline of"):
            write_timeline(classes_timeline(refused), out, "x")
    assert tree(out) == before


@pytest.mark.parametrize("ending", [".csv", ".png", ".html", ".json"])
@pytest.mark.parametrize("content", ["a,b\n1,2\n", '{"source": "x.wav"}', "{}", "[]"])
def test_files_of_the_user_stay(tmp_path: Path, ending: str, content: str) -> None:
    (tmp_path / f"x{ending}").write_text(content)
    with pytest.raises(BadInput, match="is there already"):
        write_timeline(classes_timeline(tmp_path / "x.wav"), tmp_path, "x")
    assert tree(tmp_path) == {f"x{ending}": content.encode()}


def test_a_picture_is_not_overwritten_by_its_own_timeline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import cv2
    import numpy as np

    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.full((90, 90, 3), 200, np.uint8))
    before = photo.read_bytes()
    assert main(["predict", str(photo), "--out", str(tmp_path)]) == 2
    assert "photo.png: is there already" in capsys.readouterr().err
    assert photo.read_bytes() == before


def test_folders_patterns_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = voice_model(tmp_path / "m.safetensors")
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.wav", "in/s1/a.wav", "in/s2/a.wav", "in/s2/b.flac", "in/.hidden/c.wav"):
        tone(tmp_path / name)
    for name in ("in/.d.wav", "in/notes.txt", "in/s1/._a.wav"):
        (tmp_path / name).write_text("no recording")
    (tmp_path / "empty").mkdir()
    words = ["--model", str(model)]
    assert main(["predict", "in", *words, "--out", "in/out"]) == 0
    printed = capsys.readouterr()
    assert "in: 4 recordings; left out 1 other file (notes.txt)" in printed.err
    made = {str(p.relative_to("in/out")) for p in Path("in/out").rglob("*.png")}
    assert made == {"a.png", "s1/a.png", "s2/a.png", "s2/b.png"}
    assert printed.out.count("\n") == 4
    assert main(["predict", "in", *words, "--out", "in/out"]) == 0  # its own outputs are no input
    assert "in: 4 recordings" in capsys.readouterr().err
    assert main(["predict", "in/s1", "in/s2", *words, "--out", "in"]) == 0
    assert "2 recordings" in capsys.readouterr().err
    assert main(["predict", "in/s?/*.wav", "in/**/b.*", *words, "--out", "o2"]) == 0
    made = {str(p.relative_to("o2")) for p in Path("o2").rglob("*.png")}
    assert made == {"s1/a.png", "s2/a.png", "s2/b.png"}
    capsys.readouterr()
    assert main(["predict", "empty", "in/*.mp4", "in/a.wav", *words, "--out", "o3"]) == 2
    printed = capsys.readouterr()
    assert "empty: holds no recording" in printed.err
    assert "in/*.mp4: no recording matches" in printed.err
    assert printed.out.startswith("in/a.wav: ")
    assert main(["predict", "empty", *words, "--out", "o4"]) == 2
    assert not Path("o4").exists()


PARTS = st.sampled_from(["a", "b", "A", "x.y"])
FILES = st.tuples(st.lists(PARTS, max_size=2), PARTS, st.sampled_from([".wav", ".mp4", ".WAV"]))


@settings(max_examples=60, deadline=None)
@given(st.lists(FILES, min_size=1, max_size=8), st.booleans())
def test_no_two_recordings_have_one_name(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[tuple[list[str], str, str]],
    as_folder: bool,
) -> None:
    root = tmp_path_factory.mktemp("tree")
    paths = [root.joinpath(*folders, name + suffix) for folders, name, suffix in files]
    for path in paths:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError:  # a file and a folder of one name
            return
    names = find_inputs([root] if as_folder else paths).names
    assert set(names) == set(paths)
    keys = [name.as_posix().casefold() for name in names.values()]
    assert len(set(keys)) == len(keys)
    for path, name in names.items():
        assert not name.is_absolute() and ".." not in name.parts
        assert name.name.startswith((path.stem, path.stem.replace(".", "_")))


def test_a_folder_that_is_linked_to_is_read_once(tmp_path: Path) -> None:
    tone(tmp_path / "in" / "a.wav")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    for word in (tmp_path / "in", tmp_path / "in" / "**" / "*.wav"):
        assert [str(n) for n in find_inputs([word]).names.values()] == ["a"]


def test_a_run_stands_for_its_only_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    voice_model(run / "fold0" / "model.safetensors")
    (run / "run.json").write_text("{}")
    sound = str(tone(tmp_path / "x.wav"))
    words = ["predict", sound, "--out", str(tmp_path / "o"), "--model"]
    assert main([*words, str(run)]) == 0
    assert main([*words, str(run / "fold0")]) == 0
    voice_model(run / "fold1" / "model.safetensors")
    capsys.readouterr()
    assert main([*words, str(run)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "holds the models of 2 folds" in line
    assert all(str(run / f"fold{k}" / "model.safetensors") in line for k in (0, 1))
    assert main([*words, str(tmp_path)]) == 2
    assert "is not a run" in capsys.readouterr().err


WAITING = """
import sys, tempfile, time
from pathlib import Path
from affuse.cli import main as command
from affuse.execution.together import together

def run(options):
    out = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(dir=out.parent / "tmp"), together(out) as place:
        place("a.csv").write_text("half")
        (out.parent / "ready").touch()
        time.sleep(60)

import affuse.cli.list
affuse.cli.list.run = run
sys.exit(command.main(["list", "models"]))
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    (tmp_path / "tmp").mkdir()
    number = getattr(signal, name)
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # nohup ignores SIGHUP
    ) as process:
        until = time.monotonic() + 60
        while not (tmp_path / "ready").exists():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(number)
        _, printed = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert printed.count("\n") == 1 and "what was finished is kept" in printed
    assert tree(tmp_path) == {"tmp": b"folder", "ready": b""}


@pytest.mark.slow
def test_sigterm_ends_a_prediction_and_a_training_and_the_training_goes_on(
    toy: Path, tmp_path: Path
) -> None:
    from tests.toy import toy_recipe

    recipe = str(toy_recipe(toy, epochs=300))
    sound = tone(tmp_path / "x.wav", 600.0)
    model, out = voice_model(tmp_path / "m.safetensors"), tmp_path / "out"
    log = toy / "run" / "fold0" / "log.csv"
    train = ["train", recipe, "--store", str(toy / "store"), "--out", str(toy / "run"), "fold=0"]
    predict = ["predict", str(sound), "--model", str(model), "--hop", "0.1", "--out", str(out)]
    (tmp_path / "tmp").mkdir()
    for words, when in (
        (predict, lambda: out.exists() and any(out.iterdir())),
        (train, log.is_file),
        ([*train, "--resume"], lambda: len(log.read_text().splitlines()) > 4),
    ):
        with subprocess.Popen(
            [sys.executable, "-m", "affuse", *words],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
        ) as process:
            while not when():
                assert process.poll() is None
                time.sleep(0.005)
            process.terminate()
            _, printed = process.communicate(timeout=60)
        assert process.returncode == 143 and "Traceback" not in printed
        assert "ended by SIGTERM" in printed
        assert not out.exists() and not list((tmp_path / "tmp").glob("affuse-*"))
    assert json.loads((toy / "run" / "run.json").read_text())


def test_folders_of_killed_processes_go(tmp_path: Path) -> None:
    import affuse.execution.files as files

    stray = files.temporary_beside(tmp_path / "affuse")
    gone = stray.with_name(stray.name.replace(f"-{os.getpid()}-", "-4194304-"))
    (gone / "before").mkdir(parents=True)
    (stray / "before").mkdir(parents=True)  # of a process that lives
    files.sweep_once.cache_clear()
    with together(tmp_path) as place:
        place("a.txt").write_text("a")
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", stray.name}


def test_a_prediction_leaves_nothing_temporary(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    sound, model = tone(tmp_path / "x.wav"), voice_model(tmp_path / "m.safetensors")
    words = ["predict", str(sound), "--model", str(model), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "affuse", *words],
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "tmp").glob("affuse-*"))
    assert len(list((tmp_path / "out").iterdir())) == 4
