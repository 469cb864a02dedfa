"""The pages for those who add a corpus, a stream or a model, done as they say."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: In the order in which they are read: each goes on in the package of the one before.
PAGES = ("new-corpus", "new-stream", "new-model")
#: Commands of affuse one after the other; ends with the first that fails.
IN_TURN = """
import json, sys
from affuse.cli.main import main
for words in json.loads(sys.argv[1]):
    if code := main(words):
        sys.exit(f"affuse {' '.join(words)}: {code}")
"""
#: A block of code, and the file that it is, where the line before it says so.
_BLOCK = re.compile(r"(?:^(?:In )?`([\w./-]+)`:\n\n)?^```(\w*)\n(.*?)^```", re.M | re.S)


def blocks(page: str) -> list[tuple[str, str, str]]:
    """File, language and content of the blocks of a page."""
    return _BLOCK.findall((ROOT / "docs" / "how-to" / f"{page}.md").read_text(encoding="utf-8"))


def written(folder: Path, page: str) -> None:
    """Write the files of a page; a file that is there already gets more."""
    for name, _, content in blocks(page):
        if name:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            before = f"{path.read_text(encoding='utf-8')}\n" if path.exists() else ""
            path.write_text(before + content, encoding="utf-8")


def install(folder: Path) -> None:
    """What `pip install -e .` leaves behind: the entry points of `pyproject.toml`."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = folder / "field_study-0.1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def do(folder: Path, *words: str) -> str:
    """Run a command in the folder of the package, and return what it prints."""
    paths = os.pathsep.join([str(ROOT / "src"), str(folder)])
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths, "MYPYPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of all pages."""
    folder = tmp_path_factory.mktemp("package")
    for page in PAGES:
        written(folder, page)
    install(folder)
    return folder


def test_the_code_is_formatted_linted_and_typed(package: Path) -> None:
    settings = str(ROOT / "pyproject.toml")
    do(package, "-m", "ruff", "format", "--check", "--config", settings, "field_study", "tests")
    do(package, "-m", "ruff", "check", "--config", settings, "--ignore", "D100,D101", ".")
    cache = ("--cache-dir", str(ROOT / ".mypy_cache"))  # that of `make lint`
    do(package, "-m", "mypy", "--config-file", settings, *cache, "field_study", "tests")


@pytest.fixture(scope="module")
def printed(package: Path) -> dict[str, str]:
    """Page -> what its commands print, those of affuse in one process."""
    found = {}
    for page in PAGES:
        (commands,) = [content for _, language, content in blocks(page) if language == "sh"]
        lines = [shlex.split(line) for line in commands.splitlines()]
        for words in lines:
            if words[:3] == ["python", "-m", "pytest"]:
                do(package, *words[1:], "-q", "-p", "no:cacheprovider", "-m", "not slow")
            elif words[0] == "python" and words[2] != "pip":
                do(package, *words[1:])
        verbs = [words[1:] for words in lines if words[0] == "affuse"]
        found[page] = do(package, "-c", IN_TURN, json.dumps(verbs))
    return found


@pytest.mark.slow
def test_the_commands_work(package: Path, printed: dict[str, str]) -> None:
    assert "field-study" in printed["new-corpus"]
    assert re.search(r"audio/levels<N>.*The level in N bands", printed["new-stream"])
    assert re.search(r"features of every stream[^(]*\(field-study\)", printed["new-model"])
    for out in ("out", "out-levels", "out-added"):
        assert any((package / out).rglob("*.csv")), out
