"""`affuse list`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TypeVar

from affuse.cli.tables import print_table
from affuse.errors import AffuseError

T = TypeVar("T")

KINDS = (
    "models",
    "systems",
    "corpora",
    "streams",
    "recipes",
    "protocols",
    "leaks",
    "conditions",
    "changes",
    "detectors",
    "frontends",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("kind", choices=KINDS, help="what to list")
    parser.add_argument("--json", action="store_true", help="print JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Print a table of what there is."""
    rows = globals()[f"_{options.kind}"]()
    if options.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    print_table(rows)
    return 0


def _models() -> list[dict[str, object]]:
    from affuse.models.registry import list_models

    return [
        {
            "model": name,
            "task": entry.task,
            "streams": " ".join(entry.streams),
            "parameters": entry.parameters,
            "what": entry.describe(),
            "paper": entry.paper,
            "licence of the reference": entry.licence,
        }
        for name, entry in list_models().items()
    ]


def _systems() -> list[dict[str, object]]:
    from affuse.models.options import accepted
    from affuse.models.systems import SYSTEMS

    return [
        {
            "system": name,
            "checkpoint": entry.describe(),
            "options": _words(lambda one: accepted(one.load().describe), entry),
        }
        for name, entry in SYSTEMS.items()
    ]


def _detectors() -> list[dict[str, object]]:
    from affuse.media.detectors import DETECTORS

    return [{"detector": name, "what": entry.describe()} for name, entry in DETECTORS.items()]


def _frontends() -> list[dict[str, object]]:
    from affuse.models.frontends.registry import FRONTENDS

    return [{"front-end": name, "what": entry.describe()} for name, entry in FRONTENDS.items()]


def _corpora() -> list[dict[str, object]]:
    from affuse.corpora.registry import CORPORA, corpus_options

    return [
        {"corpus": name, "what": entry.describe(), "options": _words(corpus_options, name)}
        for name, entry in CORPORA.items()
    ]


def _streams() -> list[dict[str, object]]:
    from affuse.features.catalogue import STREAMS

    return [{"stream": name, "what": STREAMS[name].describe()} for name in STREAMS]


def _recipes() -> list[dict[str, object]]:
    from affuse.training.recipe_files import list_recipes, load_recipe

    rows: list[dict[str, object]] = []
    for name in list_recipes():
        recipe = load_recipe(name)
        rows.append(
            {
                "recipe": name,
                "corpus": recipe.corpus,
                "protocol": recipe.protocol,
                "model": recipe.model["name"],
                "streams": " ".join(recipe.streams),
            }
        )
    return rows


def _protocols() -> list[dict[str, object]]:
    protocols = import_module("affuse.corpora.protocols.load")
    rows: list[dict[str, object]] = []
    for name in protocols.list_protocols():
        if name in protocols.MADE:
            facts: tuple[object, ...] = (*protocols.MADE[name], "made of the clips at hand", "")
        else:
            one = protocols.load_protocol(name, [])
            facts = (one.corpus, len(one.folds), one.source, one.flaws)
        columns = ("corpus", "folds", "source", "known flaws")
        rows.append({"protocol": name, **dict(zip(columns, facts, strict=True))})
    return rows


def _leaks() -> list[dict[str, object]]:
    from affuse.audit.leaks import KINDS

    return [{"leak": kind, "what": what} for kind, what in KINDS.items()]


def _conditions() -> list[dict[str, object]]:
    from affuse.evaluation.conditions import CONDITIONS

    return [{"condition": name, "what": entry.describe()} for name, entry in CONDITIONS.items()]


def _changes() -> list[dict[str, object]]:
    from affuse.media.changes.registry import CHANGES, limits, modality_of

    columns = ("change", "modality", "what", "from", "to")
    return [
        dict(zip(columns, (name, modality_of(name), entry.describe(), *limits(name)), strict=True))
        for name, entry in CHANGES.items()
    ]


def _words(tell: Callable[[T], Iterable[str]], one: T) -> str:
    """Words in a row; none of what another package registers and cannot import."""
    try:
        return " ".join(tell(one))
    except AffuseError:
        return ""
