"""The programs and the notebook in `examples/` run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from affuse.interchange.formats import write_coding
from affuse.interchange.segments import EMOTION, Coding, Segment

ROOT = Path(__file__).parents[1]
#: Program -> its arguments and what it prints at least.
PROGRAMS: dict[str, tuple[list[str], str]] = {
    "predict_and_plot": (["talk.mp4", "talk.png"], "happy"),
    "folder_to_table": (["recordings", "table.csv"], "p1-happy"),
    "arrays_from_opencv": (["talk.mp4"], "24 images of"),
    "live_loop": (["talk.mp4"], "s: happy"),
    "agree_with_a_coder": (["coded.TextGrid", "talk.mp4"], "kappa"),
    "train_on_a_folder": (["recordings", "work"], "accuracy on speakers"),
}


@pytest.fixture(scope="module")
def folder(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    shutil.copytree(examples, folder, dirs_exist_ok=True)
    segments = [Segment("person1", EMOTION, 0.0, 1.2, "happy", "")]
    write_coding(folder / "coded.TextGrid", Coding(segments, "talk.mp4", 1.2, {}))
    return folder


def test_every_example_is_run_and_described() -> None:
    programs = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert programs == {*PROGRAMS}
    readme = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    for name, (words, _) in PROGRAMS.items():
        assert f"`python examples/{name}.py {' '.join(words)}`" in readme


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs(name: str, folder: Path) -> None:
    words, said = PROGRAMS[name]
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / f"{name}.py", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    made = [folder / word for word in words if word in ("talk.png", "table.csv")]
    assert all(path.stat().st_size > 100 for path in made)


def notebook() -> Any:
    return json.loads((ROOT / "examples" / "first_steps.ipynb").read_text(encoding="utf-8"))


def test_the_notebook_is_kept_without_outputs() -> None:
    code = [cell for cell in notebook()["cells"] if cell["cell_type"] == "code"]
    assert code and all(not cell["outputs"] and cell["execution_count"] is None for cell in code)


@pytest.mark.slow
def test_the_notebook_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    book = nbformat.read(ROOT / "examples" / "first_steps.ipynb", as_version=4)
    done = nbclient.NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    shown = [out for cell in done["cells"] for out in cell.get("outputs", ())]
    assert any("image/png;base64" in out.get("data", {}).get("text/html", "") for out in shown)
    assert any("<table" in out.get("data", {}).get("text/html", "") for out in shown)
    assert not [out for out in shown if out["output_type"] == "stream"]  # nothing is printed
