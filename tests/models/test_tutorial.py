"""The tutorial on adding a model, done as it says in a copy of the sources."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.toy import toy_store

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_tutorial_adds_a_model(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "new-model.md").read_text()
    module, entry, test = blocks(page, "python")
    (recipe,) = blocks(page, "yaml")
    for folder in ("src", "tests"):
        shutil.copytree(
            ROOT / folder,
            tmp_path / folder,
            ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "src/affuse/models/added.py").write_text(module)
    (tmp_path / "tests/models/test_added.py").write_text(test)
    registry = tmp_path / "src/affuse/models/registry.py"
    opening = "_OWN: dict[str, ModelEntry] = {\n"
    assert opening in registry.read_text()
    registry.write_text(registry.read_text().replace(opening, opening + entry))

    def run(*command: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(tmp_path / "src"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "added" in run("affuse", "list", "models")
    files = [f"tests/models/test_{name}.py" for name in ("added", "contract")]
    tested = run("pytest", "-q", *files, "-k", "Added or every_registered")
    assert int(re.search(r"(\d+) passed", tested)[1]) > 15
    assert sum(1 for line in module.splitlines() if line.strip()) < 45

    toy_store(tmp_path)
    (tmp_path / "recipe.yaml").write_text(recipe)
    changes = ["corpus=folder", "protocol=protocol.csv", "streams=[audio/mfcc10, video/openface]"]
    run(
        "affuse",
        "train",
        "recipe.yaml",
        *changes,
        "epochs=1",
        "fold=0",
        "--store",
        "store",
        "--out",
        "run",
    )
    assert "av" in run("affuse", "evaluate", "run")
