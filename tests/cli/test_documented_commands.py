"""Commands in the documentation are ones that the program takes: verbs, options, recipe keys."""

from __future__ import annotations

import argparse
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from affuse.cli.main import VERBS, main
from affuse.models.checkpoints import system_module
from affuse.models.options import check_options
from affuse.models.registry import MODELS
from affuse.training.recipe import load_recipe, parse_change

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(page: Path) -> list[list[str]]:
    """The words of every `affuse` command in a block of code, lines that go on joined."""
    found = []
    for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.strip().removeprefix("$ ")
            words = shlex.split(line, comments=True) if line.startswith("affuse ") else []
            printed = len(words) > 1 and words[1].endswith(":")  # what a command prints
            if words and not printed and not {"...", "--help"} & {*words}:
                found.append(words[1:])
    return found


def check(options: argparse.Namespace) -> int:
    """What a command names, without doing anything."""
    recipe = str(getattr(options, "recipe", ""))
    meant = recipe == "RECIPE" or recipe.endswith(".yaml") or "$" in recipe  # the reader's own
    if options.verb == "train" and not meant:
        folds = [x for x in options.changes if x.startswith("fold=")]
        loaded = load_recipe(recipe, [x for x in options.changes if x not in folds])
        assert loaded.model["name"] in MODELS
    if options.verb == "convert":
        told = dict(parse_change(change) for change in options.changes)
        check_options(options.system, system_module(options.system).describe, told)
    return 0


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda page: page.stem)
def test_every_command_is_taken(
    page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for verb in VERBS:
        monkeypatch.setattr(import_module(f"affuse.cli.{verb}"), "run", check)
    for words in commands(page):
        try:
            assert main(words) == 0, " ".join(words)
        except SystemExit:
            pytest.fail(f"{page.name}: affuse {' '.join(words)}")


def test_the_pages_for_those_who_come_from_a_published_system() -> None:
    pages = {page.stem: commands(page) for page in PAGES if page.parent.name == "coming-from"}
    assert len(pages) == 5
    for found in pages.values():
        assert {"prepare", "convert", "train", "evaluate"} <= {words[0] for words in found}
