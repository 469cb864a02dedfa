"""Real and damaged recordings over HTTP: what `affuse predict` says of them, or why it does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands import run
from tests.serving.running import Running, running

SHARED = Path(__file__).parents[3] / "shared"
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
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of the bundled model that takes all of them."""
    data = tmp_path_factory.mktemp("bundled") / "data"
    limits = ("--max-minutes", 10_000, "--max-megapixels", 300)
    with running(data, *limits) as one:
        yield one


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
    bundled: Running, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = bundled.upload(path, people="all")
    assert answer.status_code == 202, answer.text
    job = answer.json()["id"]
    facts = bundled.when(job, "done", "failed", patience=500)
    (recording,) = (bundled.data / "jobs" / job).glob("recording*")
    (tmp_path / "in").mkdir()
    shutil.copy(recording, tmp_path / "in")
    capsys.readouterr()
    code = run(
        *("predict", tmp_path / "in" / recording.name, "--out", tmp_path / "out"),
        *("--people", 10),
    )
    said = capsys.readouterr().err
    if facts["state"] == "failed":
        assert code == 2
        assert facts["error"] in said.replace(f"{tmp_path}/in/", "")
        return
    assert code == 0, said
    files = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert facts["files"] == files
    for name in files:
        if name.endswith(".json"):
            mine = bundled.client.get(f"/v1/jobs/{job}/files/{name}").json()
            assert_alike(mine, json.loads((tmp_path / "out" / name).read_text()))
