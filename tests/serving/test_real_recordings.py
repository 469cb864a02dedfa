"""Real and damaged recordings over HTTP: what `affuse predict` says of them, or why it does not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.serving.running import ROOT, Running, running

SHARED = ROOT.parent / "shared"
FILES = [
    path
    for folder in (SHARED / "data" / "videos", SHARED / "faults")
    if folder.is_dir()
    for path in sorted(folder.iterdir())
    if path.is_file() and path.name != "README.md"
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FILES, reason=f"no recordings in {SHARED}"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of the bundled model that takes all of them."""
    data = tmp_path_factory.mktemp("bundled") / "data"
    limits = ("--max-minutes", 10_000, "--max-megapixels", 300)
    with running(data, *limits) as one:
        yield one


@pytest.fixture(scope="module")
def jobs(server: Running) -> dict[Path, str]:
    """Recording -> its job."""
    return {path: server.job(path, people="all") for path in FILES}


@dataclass
class Predicted:
    """What `affuse predict` made of all of them.

    Args:
        folders: Recording -> its results.
        said: On the standard error.
    """

    folders: dict[Path, Path]
    said: str


@pytest.fixture(scope="module")
def predicted(
    server: Running, jobs: dict[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Predicted:
    """Of the same files under the names that the server has for them."""
    folder = tmp_path_factory.mktemp("predicted")
    folders = {}
    for number, (path, job) in enumerate(jobs.items()):
        (recording,) = (server.data / "jobs" / job).glob("recording*")
        (folder / f"in{number}").mkdir()
        shutil.copy(recording, folder / f"in{number}")
        folders[path] = folder / "out" / f"in{number}"
    words = [*folder.glob("in*/*"), "--out", folder / "out", "--people", 10]
    done = subprocess.run(
        [sys.executable, "-m", "affuse", "predict", *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 2)
    return Predicted(folders, done.stderr)


def assert_alike(mine: Any, other: Any, place: str = "") -> None:
    """JSON values, numbers to 1e-4."""
    if isinstance(mine, float) or isinstance(other, float):
        assert mine == pytest.approx(other, abs=1e-4), place
    elif isinstance(mine, dict):
        assert mine.keys() == other.keys(), place
        for key in mine:
            assert_alike(mine[key], other[key], f"{place}/{key}")
    elif isinstance(mine, list):
        assert len(mine) == len(other), place
        for number, pair in enumerate(zip(mine, other, strict=True)):
            assert_alike(*pair, f"{place}/{number}")
    else:
        assert mine == other, place


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_predict_says(
    server: Running, jobs: dict[Path, str], predicted: Predicted, path: Path
) -> None:
    folder = predicted.folders[path]
    facts = server.when(jobs[path], "done", "failed", patience=1500)
    if facts["state"] == "failed":
        assert not folder.exists()
        number = folder.name
        assert any(
            line.endswith(facts["error"]) and f"/{number}/" in line
            for line in predicted.said.splitlines()
        ), (facts, predicted.said)
        return
    assert folder.is_dir(), predicted.said
    assert facts["files"] == sorted(file.name for file in folder.iterdir())
    for name in facts["files"]:
        if name.endswith(".json"):
            mine = server.client.get(f"/v1/jobs/{jobs[path]}/files/{name}").json()
            other = json.loads((folder / name).read_text())
            for one in (mine, other):
                assert "recording" in one.pop("path")  # from where the JSON lies
            assert_alike(mine, other)
