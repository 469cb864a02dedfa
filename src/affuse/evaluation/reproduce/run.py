"""A row done again: prepare, train and score, as published and by default."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from affuse.corpora.clip import Corpus
from affuse.corpora.registry import read_corpus
from affuse.errors import AffuseError
from affuse.evaluation.evaluate import evaluate
from affuse.evaluation.reproduce.needs import absent, takes_backbone
from affuse.evaluation.reproduce.rows import WAYS, Row, Score
from affuse.evaluation.subject import Role
from affuse.execution.files import write_text
from affuse.execution.progress import progress
from affuse.features.arrays import corpus_extractor
from affuse.features.catalogue import Sources
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.training.recipe import Recipe
from affuse.training.train import train

RESULTS = "results.json"


@dataclass(frozen=True)
class Plan:
    """How a row is done.

    Args:
        row: The row.
        out: Folder of stores, runs and results.
        root: Where the corpus lies; None for a store alone.
        store: Prepared streams, or where they are put; by default in `out`.
        sources: Imported stream -> its source.
        ways: Some of `WAYS`.
        changes: Of both recipes.
        folds: Of the protocols; all by default.
        rehearsal: Whether it is done on a small synthetic corpus, with recipes cut down.
        workers: Processes of `prepare`.
        device: Torch device.
        say: Called with a line.
    """

    row: Row
    out: Path
    root: Path | None = None
    store: Path | None = None
    sources: Sources = None
    ways: Sequence[str] = WAYS
    changes: tuple[str, ...] = ()
    folds: list[int] | None = None
    rehearsal: bool = False
    workers: int = 2
    device: str = "auto"
    say: Callable[[str], None] = lambda line: None

    @property
    def folder(self) -> Path:
        """Where everything lies; a rehearsal has a folder of its own."""
        return self.out / "rehearsal" if self.rehearsal else self.out

    @property
    def corpus_root(self) -> Path | None:
        """Where the recordings lie; None for a store alone."""
        return self.folder / "corpus" if self.rehearsal else self.root

    def recipe(self, way: str, score: Score) -> Recipe:
        """The recipe of a number; `backbone` is left to those whose images pass one."""
        recipe = self.row.recipe(way, score, self.changes, rehearsal=self.rehearsal)
        return recipe if takes_backbone(recipe) else replace(recipe, backbone="")


def reproduce(plan: Plan) -> dict[str, Any]:
    """Do a row again; what is there of an earlier call is kept.

    Returns:
        As written to `results.json` in `plan.folder` after each run: what is done so far,
        the row, and way -> score -> value, interval, run and recipe.

    Raises:
        AffuseError: The row cannot be done here, or something that it needs is absent (one line
            names all of it).
    """
    row = plan.row
    if row.not_here:
        raise AffuseError(f"{row.name} ({row.paper}) is quoted only: {row.not_here}")
    if plan.rehearsal:
        _synthesise(plan)
    store, root = plan.store or plan.folder / "store", plan.corpus_root
    corpus = read_corpus(row.corpus, root) if root else None
    recipes = [plan.recipe(way, score) for way in plan.ways for score in row.scores]
    if not plan.rehearsal:
        stored = _stored(store, recipes)
        if lacking := absent(row, recipes, corpus, plan.sources, stored, plan.changes):
            what = "; ".join(lacking)
            raise AffuseError(f"{row.name} needs {what}. --synthetic rehearses it without")
    _prepare(plan, corpus, store, recipes)
    results: dict[str, Any] = {
        "row": {key: value for key, value in asdict(row).items() if key != "rehearsal"},
        "rehearsal": plan.rehearsal,
        "changes": list(plan.changes),
        "folds": plan.folds,
        "ways": {way: {} for way in plan.ways},
    }
    for way in plan.ways:
        for run, scores in _runs(plan, way).items():
            results["ways"][way] |= _do(plan, way, run, scores, store)
            write_text(plan.folder / RESULTS, json.dumps(results, indent=2) + "\n")
    return results


def _synthesise(plan: Plan) -> None:
    root = plan.folder / "corpus"
    plan.say(f"a synthetic {plan.row.corpus}, nobody was recorded: {root}")
    module = import_module(f"affuse.corpora.synthetic.{plan.row.corpus.replace('-', '_')}")
    size = plan.row.rehearsal["corpus"]
    module.synthesise(root, workers=plan.workers, progress=progress, **size)


def _stored(store: Path, recipes: Sequence[Recipe]) -> list[str]:
    """Streams that the store holds already."""
    if not (store / "store.json").is_file():
        return []
    data = Store(store)
    return [name for recipe in recipes for name in recipe.streams if data.has(name)]


def _prepare(plan: Plan, corpus: Corpus | None, store: Path, recipes: Sequence[Recipe]) -> None:
    if corpus is None:
        return
    names = list(dict.fromkeys(name for recipe in recipes for name in recipe.streams))
    known = _stored(store, recipes)
    todo = [name for name in names if name not in known]
    plan.say(f"streams of {len(corpus.clips)} clips: {', '.join(names)}")
    extractors = [corpus_extractor(corpus, name, plan.sources) for name in todo]
    report = prepare(corpus, store, extractors, plan.workers) if extractors else None
    for clip, _, reason in report.failures if report else ():
        plan.say(f"{reason} (clip {clip})")


def _runs(plan: Plan, way: str) -> dict[Path, list[Score]]:
    """Folder -> the numbers that one training gives."""
    runs: dict[Path, list[Score]] = {}
    for score in plan.row.scores:
        alone = way == "published" and score.published
        runs.setdefault(plan.folder / (f"{way}-{score.dimension}" if alone else way), []).append(
            score
        )
    return runs


def _do(
    plan: Plan, way: str, run: Path, scores: Sequence[Score], store: Path
) -> dict[str, dict[str, Any]]:
    """Train, and score: title of the number -> what came out."""
    row, recipe = plan.row, plan.recipe(way, scores[0])
    doing = row.ways[way]
    allow = [*doing.allow, *(["missing"] if plan.rehearsal else [])]
    plan.say(f"{way}: {recipe.name}, {recipe.protocol}, {', '.join(s.title for s in scores)}")
    folds = plan.folds or ([row.rehearsal["folds"][way]] if plan.rehearsal else None)
    for fold, _ in train(recipe, store, run, folds, True, allow, plan.device, plan.say):
        plan.say(f"{way}: fold {fold} is trained")
    role: Role | None = "development" if doing.role == "development" else None
    found = evaluate(run, list(dict.fromkeys(s.condition for s in scores)), role=role)
    facts = {
        "recipe": recipe.name,
        "protocol": recipe.protocol,
        "role": found["role"],
        "run": str(run),
    }
    numbers = {score.title: read_score(found, score, doing.rule) for score in scores}
    return {
        title: {"value": value, "interval_95": bounds, **facts}
        for title, (value, bounds) in numbers.items()
    }


def read_score(
    found: Mapping[str, Any], score: Score, rule: str = ""
) -> tuple[float | None, list[float] | None]:
    """A number and its 95 % interval from what `evaluate` returns; no interval for a rule."""
    part = found["conditions"][score.condition]
    if rule and score.dimension:
        return found.get("rules", {}).get("ccc", {}).get(rule, {}).get(score.dimension), None
    if score.dimension:
        part = part["dimensions"].get(score.dimension, {})
    bounds = part.get(f"{score.metric}_interval_95")
    return part.get(score.metric), bounds if bounds and None not in bounds else None
