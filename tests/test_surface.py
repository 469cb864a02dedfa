"""The package as a Python program sees it: light, quiet, typed, safe in threads and processes."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import affuse

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "numpy", "pandas", "av", "cv2", "matplotlib", "lightning", "scipy"}


def python(code: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program that imports affuse."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_import_loads_nothing_heavy(tmp_path: Path) -> None:
    done = python("import affuse, json, sys; print(json.dumps([*sys.modules]))", tmp_path)
    assert HEAVY & {name.partition(".")[0] for name in json.loads(done.stdout)} == set()


def test_every_name_is_there() -> None:
    assert all(getattr(affuse, name) is not None for name in affuse.__all__)
    assert set(affuse.__all__) <= set(dir(affuse))
    with pytest.raises(AttributeError, match="has no attribute 'predictor'"):
        affuse.predictor  # noqa: B018
    with pytest.raises(affuse.errors.BadInput):
        affuse.load_model("missing.safetensors")


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert affuse.__version__ == version("affuse")


QUIET = """
import affuse
affuse.predict(["talk.mp4", "missing.mp4"]).save("quiet")
"""
WORK = """
import affuse
affuse.prepare("folder", "recordings", "quiet-store", ["audio/mfcc10"], workers=2)
affuse.train("recipe.yaml", "quiet-store", "quiet-run", model={"name": "audio-only"})
affuse.evaluate("quiet-run")
"""


@pytest.mark.parametrize("code", [QUIET, pytest.param(WORK, marks=pytest.mark.slow)])
def test_nothing_is_printed(examples: Path, code: str) -> None:
    done = python(code, examples)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_warnings_are_for_who_wants_them(examples: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "affuse"):
        affuse.predict(["missing.mp4"])
    assert [r.name.partition(".")[0] for r in caplog.records] == ["affuse"]


@pytest.mark.slow
def test_a_command_says_its_warnings_and_those_of_its_workers(
    examples: Path, tmp_path: Path
) -> None:
    data = bytearray((examples / "talk.mp4").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = b"\xff" * 400
    (tmp_path / "damaged.mp4").write_bytes(data)
    code = "import sys; from affuse.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = python(code, tmp_path, "predict", "damaged.mp4", "--out", "out")
    said = [line for line in done.stderr.splitlines() if "damaged and left out" in line]
    assert sorted(said) == [
        f"damaged.mp4: parts of its {kind} are damaged and left out" for kind in ("audio", "video")
    ]
    quiet = python("import affuse; affuse.predict('damaged.mp4')", tmp_path)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_changes_of_parts_leave_the_other_keys(examples: Path, tmp_path: Path) -> None:
    affuse.prepare("folder", examples / "recordings", tmp_path / "store", ["audio/mfcc10"])
    recipe = (
        (examples / "recipe.yaml")
        .read_text()
        .replace("protocol.csv", str(examples / "protocol.csv"))
    )
    (tmp_path / "recipe.yaml").write_text(recipe + "optimiser: {name: adamw, lr: 0.01}\n")
    models = affuse.train(
        tmp_path / "recipe.yaml",
        tmp_path / "store",
        tmp_path / "run",
        fold=0,
        limit=2,
        optimiser={"weight_decay": 0.5},
    )
    assert models == {0: tmp_path / "run" / "fold0" / "model.safetensors"}
    written = (tmp_path / "run" / "recipe.yaml").read_text()
    assert "weight_decay: 0.5" in written and "lr: 0.01" in written and "limit: 2" in written
    with pytest.raises(affuse.errors.AffuseError, match="epoch"):
        affuse.train(tmp_path / "recipe.yaml", tmp_path / "store", tmp_path / "b", epoch=1)


def test_threads_share_a_predictor(examples: Path) -> None:
    predictor = affuse.Predictor(hop=0.4, low_quality="keep")
    paths = [*sorted((examples / "recordings").glob("*.wav"))[:3], examples / "talk.mp4"]
    alone: Any = [predictor.predict(path) for path in paths]
    together = threading.Barrier(4)

    def one(path: Path) -> Any:
        together.wait(60)
        timeline = predictor.predict(path)
        timeline.plot()
        timeline.save(examples / "threads" / f"{path.stem}.png")
        return timeline

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one, paths))
    for timeline, expected in zip(found, alone, strict=True):
        np.testing.assert_array_equal(timeline.probabilities, expected.probabilities)


_predictor: affuse.Predictor


def _begin() -> None:
    global _predictor
    _predictor = affuse.Predictor(hop=0.4, low_quality="keep")


def _probabilities(path: Path) -> np.ndarray:
    timeline: Any = _predictor.predict(path)
    return np.asarray(timeline.probabilities)


@pytest.mark.slow
@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_processes_have_one_each(examples: Path, start: str) -> None:
    paths = sorted((examples / "recordings").glob("*.wav"))
    _begin()
    with ProcessPoolExecutor(2, mp_context=get_context(start), initializer=_begin) as pool:
        for path, found in zip(paths, pool.map(_probabilities, paths), strict=True):
            np.testing.assert_array_equal(found, _probabilities(path))


TYPED = """
import affuse
import numpy as np

arrays = affuse.InMemory(sound=np.zeros(16000, np.float32), rate=16000)
timeline: affuse.Timeline = affuse.predict("talk.mp4", hop=0.5)
many = affuse.predict(["talk.mp4", b"", arrays])
reveal_type(many)
reveal_type(affuse.Predictor("m.safetensors").predict(arrays))
reveal_type(affuse.train("demo", "store", "run", fold=0, epochs=3))
reveal_type(affuse.__version__)
for name, error in many.failures.items():
    reveal_type(error.reason)
affuse.predict("talk.mp4", hops=0.5)
affuse.predict(1)
"""


@pytest.mark.slow
def test_programs_are_checked_by_their_types(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TYPED)
    environment = os.environ | {"MYPYPATH": str(ROOT / "src")}
    said = subprocess.run(
        [sys.executable, "-m", "mypy", "--follow-imports=silent", "mine.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    revealed = [line.split('"')[1] for line in said.splitlines() if "Revealed" in line]
    assert revealed == [
        "affuse.inference.many.Predictions",
        "affuse.tasks.prediction.Prediction",
        "dict[int, pathlib.Path]",
        "str",
        "str",
    ]
    errors = [line.split(":")[1] for line in said.splitlines() if ": error:" in line]
    assert {*errors} == {"14", "15"}  # hops, and a number
