"""Commands in the documentation are ones that the program takes: verbs, options, recipe keys."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from affuse.cli.main import VERBS, main, module_of
from affuse.models.checkpoints import system_module
from affuse.models.options import check_options
from affuse.models.registry import MODELS
from affuse.training.recipe_files import list_recipes, load_recipe, parse_change

ROOT = Path(__file__).parents[2]

#: Pages that lead through all steps, and what a reader of each has before the first one.
STEPS = {
    "get-started": "demo",
    "calibrate": "store",
    "compare": "run-a run-b",
    "report": "run-a run-b",
    "corpora": "",
    "own-features": "clip",
    "own-recordings": "recordings",
    "protocols": "store",
    "published-checkpoints": "release emoca",
    "ravdess": "openface whisper-base.safetensors units.csv",
    "several-corpora": "",
    "shift": "",
    "table": "",
    "valence-arousal": "",
    "valence-arousal-submission": "run synthetic",
    "auxformer": "release Videos",
    "avt-ca": "",
    "leader-follower": "",
    "recursive-joint-attention": "",
    "self-attention-fusion": "",
    "combined": "",
}
#: Number of names that a published checkpoint needs because its weights tell none.
NAMES = {"tsav": 7}
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


def in_text(page: Path) -> list[list[str]]:
    """The words of every `affuse` command inside a line, where it is given in full."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    whole = [" ".join(code.split()) for code in re.findall(r"`(affuse [^`]+)`", text)]
    found = [shlex.split(code)[1:] for code in whole]
    return [words for words in found if len(words) > 1 and "..." not in words]


def after(words: list[str], option: str) -> list[str]:
    """What stands behind an option, however often it is given."""
    found: list[str] = []
    for number, word in enumerate(words):
        if word == option:
            rest = words[number + 1 :]
            ends = [k for k, one in enumerate(rest) if one.startswith("--")]
            found += rest[: ends[0] if ends else None]
    return found


def makes(words: list[str]) -> list[str]:
    """Files and folders that a command makes."""
    made = after(words, "--out")[:1]
    if words[0] == "prepare":
        made += after(words, "--store")[:1]
    return made + (words[2:3] if words[0] in ("synth", "fetch") else [])


def needs(words: list[str]) -> list[str]:
    """Files and folders that a command reads and that another one makes."""
    read = [word.partition("=")[2] or word for word in after(words, "--source")]
    if words[0] in ("train", "evaluate", "ensemble", "check", "check-model", "table"):
        read += after(words, "--store")[:1]
    for option in ("--model", "--audio", "--video", "--audio-held-back"):
        read += after(words, option)[:1]
    read += after(words, "--from") if words[0] == "power" else []
    if words[0] in ("evaluate", "ensemble", "compare", "report", "card", "check-model"):
        ends = [k for k, one in enumerate(words) if one.startswith("--")]
        read += words[1 : ends[0] if ends else None]
    changes = (word.partition("=") for word in words)
    read += [x for key, _, x in changes if key in ("init", "backbone", "tsav", "vggish")]
    return [name for name in read if name.upper() != name]  # capitals stand for the reader's own


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
        names = [word for word in str(told.get("classes") or "").split(",") if word]
        if count := NAMES.get(options.system):
            assert options.back or len(names) == count, f"{options.system} needs {count} classes"
    return 0


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda page: page.stem)
def test_every_command_is_taken(
    page: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for verb in VERBS:
        monkeypatch.setattr(module_of(verb), "run", check)
    shown = commands(page)
    for words in shown + in_text(page):
        assert not any("=" in word and "..." in word for word in words), " ".join(words)
        try:
            assert main(words) == 0, " ".join(words)
        except SystemExit:
            if words not in shown and re.search("are required|'VERB'", capsys.readouterr().err):
                continue  # a sentence names a part of a command
            pytest.fail(f"{page.name}: affuse {' '.join(words)}")


@pytest.mark.parametrize("page", [p for p in PAGES if p.stem in STEPS], ids=lambda page: page.stem)
def test_no_step_uses_what_no_step_made(page: Path) -> None:
    if page.parent.name == "models" and page.stem != "combined":
        return
    made = {*STEPS[page.stem].split(), *(name for words in in_text(page) for name in makes(words))}
    stores: dict[str, str] = {}
    streams: dict[str, set[str]] = {}
    for words in commands(page):
        for name in needs(words):
            known = any(name.rstrip("/") == one or name.startswith(f"{one}/") for one in made)
            assert known, f"{name} in: affuse {' '.join(words)}"
        made.update(makes(words))
        if words[0] == "prepare" and words[1] != "CORPUS":  # a store is of one corpus
            (store,) = after(words, "--store")[:1]
            assert stores.setdefault(store, words[1]) == words[1], " ".join(words)
            (told,) = after(words, "--streams")[:1]
            streams.setdefault(store, set()).update(told.split(","))
        (store,) = after(words, "--store")[:1] or [""]
        if words[0] == "train" and words[1] in list_recipes() and store in streams:
            changes = [w for w in words[2:] if w.startswith(("streams=", "corpus="))]
            recipe = load_recipe(words[1], changes)
            assert {*recipe.streams} <= streams[store], " ".join(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tables_are_whole(page: Path) -> None:
    lines = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S).splitlines()
    cells = 0
    for number, line in enumerate(lines):
        if not line.startswith("|"):
            cells = 0
            continue
        count = len(re.findall(r"(?<!\\)\|", re.sub(r"`[^`]*`", "", line)))
        if not cells:
            assert re.fullmatch(r"[|:\- ]+", lines[number + 1]), f"{page.name}: {line}"
            cells = count
        assert count == cells, f"{page.name}: {line}"


def test_the_pages_for_those_who_come_from_a_published_system() -> None:
    pages = {page.stem: commands(page) for page in PAGES if page.parent.name == "coming-from"}
    assert len(pages) == 5
    for found in pages.values():
        assert {"prepare", "convert", "train", "evaluate"} <= {words[0] for words in found}
