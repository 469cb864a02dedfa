"""Whatever goes wrong is one line that names the file; the others go on."""

from __future__ import annotations

import argparse
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affuse.cli import list as list_verb
from affuse.cli.main import main
from affuse.errors import AffuseError, BadInput, line_of, reason_of
from affuse.tasks.prediction import Prediction
from tests.faults.models import tone, voice_model


def undecodable() -> Exception:
    try:
        b"\xff".decode("utf-8")
    except UnicodeDecodeError as error:
        return error
    raise AssertionError


ERRORS = {
    "No space left on device": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "f: Permission denied": PermissionError(errno.EACCES, "Permission denied", "f"),
    "f: Read-only file system": OSError(errno.EROFS, "Read-only file system", b"f"),
    "text that cannot be written or read": undecodable(),
    "there is not enough memory for it": MemoryError(),
    "not enough memory for it": RuntimeError(
        "[enforce] DefaultCPUAllocator: not enough memory: ..."
    ),
    "Invalid data found": av.error.InvalidDataError(1094995529, "Invalid data found", "f"),
    "KeyError: 'x'": KeyError("x"),
    "ValueError: a": ValueError("a\nb\nc"),
    "AssertionError": AssertionError(),
    "said\\nso": AffuseError("said\nso"),
}
FORESEEN = (OSError, UnicodeError, MemoryError, AffuseError)


@pytest.mark.parametrize("said", ERRORS)
def test_every_error_of_a_verb_is_one_line(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = ERRORS[said]

    def run(options: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(list_verb, "run", run)
    monkeypatch.delenv("AFFUSE_DEBUG", raising=False)
    defect = not isinstance(error, FORESEEN) and "memory" not in said
    assert main(["list", "models"]) == (1 if defect else 2)
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert printed.err.startswith("affuse list: ") and said in printed.err
    assert ("AFFUSE_DEBUG=1 shows where" in printed.err) == defect
    monkeypatch.setenv("AFFUSE_DEBUG", "1")
    main(["list", "models"])
    assert "Traceback" in capsys.readouterr().err


def test_a_line_names_a_file_once() -> None:
    missing = FileNotFoundError(2, "No such file or directory", "a.mp4")
    assert line_of(missing, "a.mp4") == "a.mp4: No such file or directory"
    assert line_of(missing, "b.mp4") == "b.mp4: a.mp4: No such file or directory"
    assert line_of(BadInput("a.mp4", "is empty"), "b.mp4") == "a.mp4: is empty"
    assert reason_of(OSError()) == "OSError"


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("batch")
    voice_model(folder / "m.safetensors")
    return folder, [tone(folder / f"{k}.wav") for k in range(3)]


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from([None, *ERRORS.values()]), min_size=3, max_size=3))
def test_a_batch_goes_on_and_names_each_file(
    batch: tuple[Path, list[Path]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    errors: list[Exception | None],
) -> None:
    """Any recording may fail in any way that is not about the model."""
    from affuse.inference import batch as running
    from affuse.inference.predictor import Predictor

    folder, paths = batch
    errors = [error if type(error) is not AffuseError else BadInput("x", "y") for error in errors]
    whole = Predictor.predict_people
    fails: dict[Path, Any] = dict(zip(paths, errors, strict=True))

    def predict(self: Predictor, path: Path, *words: Any, **more: Any) -> list[Prediction]:
        if fails[path] is not None:
            raise fails[path]
        return whole(self, path, *words, **more)

    out = tmp_path_factory.mktemp("out")
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "predict_people", predict)
        # in this process, where the errors are thrown, and not in one that may die
        patch.setattr(running, "map_unordered", lambda each, paths, **_: map(each, paths))
        words = ["--model", str(folder / "m.safetensors"), "--out", str(out)]
        code = main(["predict", *map(str, paths), *words])
    printed = capsys.readouterr()
    good = [path for path, error in fails.items() if error is None]
    assert code == (0 if len(good) == 3 else 2)
    assert [line.split(": ")[0] for line in printed.out.splitlines()] == list(map(str, good))
    lines = printed.err.splitlines()
    assert len(lines) == 3 - len(good) and all(
        line.startswith("affuse predict: ") for line in lines
    )
    for (path, _), line in zip(((p, e) for p, e in fails.items() if e), lines, strict=True):
        assert str(path) in line or "x: y" in line
    endings = (".csv", ".html", ".json", ".png")
    made = [f"{path.stem}{ending}" for path in good for ending in endings]
    tables = [".done"] * bool(good) + ["failures.csv", "summary.csv"]
    assert sorted(p.name for p in out.iterdir()) == sorted([*made, *tables])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
@pytest.mark.parametrize("words", [["list", "models"], ["--help"], ["list", "models", "--json"]])
def test_a_full_standard_output_is_one_line(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "affuse", *words], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "standard output: No space left" in done.stderr


def test_a_reader_that_went_away_and_a_closed_output_are_no_errors() -> None:
    for command in ("affuse list models | head -1", "affuse list models >&-"):
        shell = command.replace("affuse", f"{sys.executable} -m affuse")
        done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == ""
