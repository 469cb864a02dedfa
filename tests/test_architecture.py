"""Names and paths that the pages about the code give are there."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / "docs" / "architecture.md", ROOT / "CONTRIBUTING.md"),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
]
#: Groups of entry points that have no module of their name, and what readers write themselves.
GROUPS = {"affuse.frontends", "affuse.streams", "affuse.detectors"}
GROUPS |= {"affuse.conditions", "affuse.changes", "affuse.systems"}
THEIRS = {"affuse.models.baselines.added"}
_NAME = re.compile(r"\baffuse(?:\.\w+)+")
_PATH = re.compile(r"`((?:src|tests|docs)/[\w./-]*[\w/])`(?!:\n)")  # before a colon: to write


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for count in range(len(parts), 1, -1):
        module = ".".join(parts[:count])
        try:
            found = find_spec(module) is not None
        except ModuleNotFoundError:
            found = False
        if found:
            thing = import_module(module)
            for part in parts[count:]:
                if not hasattr(thing, part):
                    return False
                thing = getattr(thing, part)
            return True
    return hasattr(import_module("affuse"), parts[1]) and len(parts) == 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_name_is_there(page: Path) -> None:
    named = {*_NAME.findall(page.read_text(encoding="utf-8"))} - GROUPS - THEIRS
    assert [name for name in sorted(named) if not exists(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_path_is_there(page: Path) -> None:
    named = {*_PATH.findall(page.read_text(encoding="utf-8"))}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_a_name_that_is_not_there_is_noticed() -> None:
    assert exists("affuse.models.base.Model") and exists("affuse.predict")
    assert not exists("affuse.models.base.Modell") and not exists("affuse.modells.base")
