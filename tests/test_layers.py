"""A folder imports only from folders above it in the flow; import strings count as imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[1] / "src" / "affuse"
#: The flow. `audit` stands below `features` here although a corpus is audited before anything is
#: learned from it: it decodes recordings, and compares the fingerprints that `prepare` stores.
FLOW = (
    "corpora",
    "media",
    "features",
    "audit",
    "models",
    "tasks",
    "training",
    "inference",
    "evaluation",
    "serving",
    "export",
    "verification",
    "cli",
)
#: Beside the flow: what every folder may import, and what imports no folder of the flow.
BESIDE = ("metrics", "execution", "interchange", "errors", "extras", "suggestions", "registry")
#: `affuse/__init__.py` is the outside of the package: it hands on from all folders.
MODULES = sorted(path for path in SOURCES.rglob("*.py") if path.parent != SOURCES)
_HERE = "|".join((*FLOW, *BESIDE))
_TARGET = re.compile(rf"affuse\.({_HERE})(?:\.[\w.]*)?(?::\w+)?|({_HERE})\.[\w.]*:\w+")


def folder_of(path: Path) -> str:
    return path.relative_to(SOURCES).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and folder of everything of affuse that a module imports or names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: line {node.lineno}: a relative import"
            module = node.module or ""
            names = [f"{module}.{a.name}" for a in node.names] if module == "affuse" else [module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value]
        for name in names:
            if found := _TARGET.fullmatch(name):
                yield getattr(node, "lineno", 0), found[1] or found[2]


def allowed(folder: str) -> set[str]:
    if folder in BESIDE:
        return {*BESIDE}
    return {*BESIDE, *FLOW[: FLOW.index(folder) + 1]}


@pytest.mark.parametrize("folder", sorted({folder_of(path) for path in MODULES}))
def test_no_module_imports_from_further_down_the_flow(folder: str) -> None:
    assert folder in FLOW or folder in BESIDE, f"say where {folder} stands in the flow"
    upwards = [
        f"{path.relative_to(SOURCES)}, line {line}: {other}"
        for path in MODULES
        if folder_of(path) == folder
        for line, other in imported(path)
        if other not in allowed(folder)
    ]
    assert upwards == []


@pytest.mark.parametrize("name", ["errors", "extras", "suggestions", "registry"])
def test_what_all_import_imports_nothing_of_the_flow(name: str) -> None:
    assert {other for _, other in imported(SOURCES / f"{name}.py")} <= {*BESIDE}


def test_import_strings_are_seen(tmp_path: Path) -> None:
    module = tmp_path / "x.py"
    module.write_text(
        "from affuse import cli\nimport affuse.training.train\nA = 'affuse.models.x:Y'\n"
        "B = 'features.x:Y'\nC = f'affuse.media.{A}'\nD = 'affuse train x'\n"
    )
    assert {other for _, other in imported(module)} == {
        "cli",
        "training",
        "models",
        "features",
        "media",
    }
