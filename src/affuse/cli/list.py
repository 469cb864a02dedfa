"""`affuse list`."""

from __future__ import annotations

import argparse
import json
from importlib import import_module

from affuse.cli.tables import print_table

KINDS = (
    "models",
    "systems",
    "corpora",
    "streams",
    "recipes",
    "protocols",
    "leaks",
    "conditions",
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
            "what": entry.summary,
            "paper": entry.paper,
            "licence of the reference": entry.licence,
        }
        for name, entry in list_models().items()
    ]


def _systems() -> list[dict[str, object]]:
    from affuse.models.checkpoints import system_module
    from affuse.models.options import accepted
    from affuse.models.systems import SYSTEMS

    modules = {name: system_module(name) for name in SYSTEMS}
    return [
        {
            "system": name,
            "checkpoint": module.__doc__.splitlines()[0],
            "options": " ".join(accepted(module.describe)),
        }
        for name, module in modules.items()
    ]


def _corpora() -> list[dict[str, object]]:
    from affuse.corpora.registry import CORPORA, corpus_options

    return [
        {"corpus": name, "what": what, "options": " ".join(corpus_options(name))}
        for name, (_, what) in CORPORA.items()
    ]


def _streams() -> list[dict[str, object]]:
    from affuse.features.catalogue import STREAMS

    return [{"stream": name, "what": what} for name, (_, _, what) in STREAMS.items()]


def _recipes() -> list[dict[str, object]]:
    from affuse.training.recipe import list_recipes, load_recipe

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
    protocol = import_module("affuse.corpora.protocols.protocol")
    rows: list[dict[str, object]] = []
    for name in protocol.list_protocols():
        if name == protocol.LEAVE_ONE_SPEAKER_OUT:
            facts: tuple[object, ...] = (
                "any",
                "one per speaker",
                "made of the speakers at hand",
                "",
            )
        else:
            one = protocol.load_protocol(name, [])
            facts = (one.corpus, len(one.folds), one.source, one.flaws)
        columns = ("corpus", "folds", "source", "known flaws")
        rows.append({"protocol": name, **dict(zip(columns, facts, strict=True))})
    return rows


def _leaks() -> list[dict[str, object]]:
    from affuse.audit.leaks import KINDS

    return [{"leak": kind, "what": what} for kind, what in KINDS.items()]


def _conditions() -> list[dict[str, object]]:
    from affuse.evaluation.conditions import CONDITIONS

    return [{"condition": name, "what": what} for name, (_, what) in CONDITIONS.items()]
