"""The model card of a run or a model file, from what is recorded alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from affuse.corpora.together import TOGETHER
from affuse.errors import BadInput, shown
from affuse.evaluation.members import is_model_file
from affuse.evaluation.paper_tables import markdown_table
from affuse.evaluation.report import words
from affuse.evaluation.report.evaluated import (
    METRICS_FILE,
    Evaluated,
    main_metric,
    read_evaluated,
)
from affuse.evaluation.report.groups import group_tables
from affuse.evaluation.report.people import people_facts
from affuse.evaluation.report.record import (
    NOT_RECORDED,
    calibration_of,
    first_model,
    licence_of,
    training_facts,
)
from affuse.evaluation.report.tables import HEADS, Row, score_tables
from affuse.models.bundled import BUNDLED, CARD
from affuse.models.spec import ModelSpec
from affuse.models.spec_files import read_spec
from affuse.models.trained_on import source_of, trainings
from affuse.tasks.registry import TASKS
from affuse.training.run import MODEL_FILE, evaluation_folder

#: How licences are called that model hubs know.
_LICENCES = re.compile(r"CC0[- ]1\.0|CC BY(?:-NC)?(?:-SA|-ND)? \d\.\d|Apache-2\.0|MIT\b")
#: Facts of a training that a card has under another heading.
_ELSEWHERE = ("task", "licence of the data", "licence of the model", "calibration")
#: Tables of scores that a card has.
_TABLES = ("scores", "scores-by-corpus", "raters", "recall", "sets", "bands", "spread")


def model_card(path: Path) -> str:
    """The card as Markdown with a YAML front matter.

    Args:
        path: A run that was evaluated, or a model file. Of a model file the results are those of
            `<model>-evaluation` beside it.

    Raises:
        BadInput: It is neither, or cannot be read.
    """
    if is_model_file(path):
        spec, one = read_spec(path), _beside(path)
        name, file = path.stem, path
    else:
        one = read_evaluated(path)
        if one.run is None:
            raise BadInput(path, "is no run and no model file")
        found = first_model(one.run)
        if found is None:
            raise BadInput(one.run, f"has no model file ({MODEL_FILE} of a fold) any more")
        spec, name, file = read_spec(found), one.run.name, found
    front = yaml.safe_dump(_front(name, spec, one), sort_keys=False, allow_unicode=True, width=100)
    own = CARD if file.resolve() == BUNDLED.resolve() else None
    text = own.read_text(encoding="utf-8") if own is not None else _text(name, file, spec, one)
    return f"---\n{front}---\n\n{text}"


def _beside(file: Path) -> Evaluated | None:
    """The results of a model file, where they lie beside it."""
    folder = evaluation_folder(file.parent, model=file.stem)
    return read_evaluated(folder) if (folder / METRICS_FILE).is_file() else None


def _front(name: str, spec: ModelSpec, one: Evaluated | None) -> dict[str, Any]:
    """What machines read."""
    licence = licence_of(spec)
    known = {*_LICENCES.findall(licence)}
    single = len(known) == 1 and licence.count(";") == 0
    corpora = sorted({x for part in trainings(spec.training) for x in _corpora(part)})
    modalities = sorted({stream.modality for stream in spec.streams.values()})
    front: dict[str, Any] = {
        "license": known.pop().lower().replace(" ", "-") if single else "other",
        **({} if single else {"license_name": licence}),
        "library_name": "affuse",
        "tags": ["emotion-recognition", spec.task, *modalities],
        "datasets": corpora or [NOT_RECORDED],
    }
    if one is not None:
        metric, _ = main_metric([one])
        front["metrics"] = [metric]
        front["model-index"] = [{"name": name, "results": [_result(one, spec.task, metric)]}]
    return front


def _corpora(part: Mapping[str, Any]) -> list[str]:
    return [x for x in source_of(part).split(TOGETHER) if x]


def _result(one: Evaluated, task: str, metric: str) -> dict[str, Any]:
    corpus = one.first.facts.get("corpus") or one.metrics.get("corpus") or NOT_RECORDED
    return {
        "task": {"type": task, "name": "emotion recognition"},
        "dataset": {
            "name": corpus,
            "type": corpus,
            "split": str(one.metrics.get("role", NOT_RECORDED)),
        },
        "metrics": [
            {"type": metric, "name": f"{HEADS[metric]}, {condition}", "value": value}
            for condition, scores in one.conditions.items()
            if (value := _value(scores, metric)) is not None
        ],
    }


def _value(scores: Mapping[str, Any], metric: str) -> float | None:
    for part in (scores, scores.get("raters", {}), scores.get("mean", {})):
        if part.get(metric) is not None:
            return round(float(part[metric]), 4)
    return None


def _text(name: str, file: Path, spec: ModelSpec, one: Evaluated | None) -> str:
    """What people read."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # of Markdown, so nothing is escaped
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    facts = {} if one is None else training_facts(one)
    told = {key: x for key, x in facts.items() if key not in _ELSEWHERE}
    text: str = environment.get_template("card.md").render(
        name=shown(name),
        task=spec.task,
        outputs=", ".join(shown(x) for x in spec.outputs),
        streams=", ".join(spec.streams),
        parts=markdown_table(_learned(spec)),
        facts=markdown_table([{"fact": key, "value": x} for key, x in told.items()] or [_NONE]),
        licence=licence_of(spec),
        data_licence=facts.get("licence of the data", ""),
        calibration=calibration_of(spec),
        results=_results(one),
        scored=None if one is None else one.first,
        metrics={} if one is None else one.metrics,
        baseline=NOT_RECORDED if one is None else one.baseline,
        people=[] if one is None else [*people_facts(one).items()],
        words=words,
        file=file.as_posix(),
        described=_described(spec),
        version=version("affuse"),
        not_recorded=NOT_RECORDED,
    )
    return text


_NONE: Row = {"fact": "record of the training", "value": NOT_RECORDED}


def _described(spec: ModelSpec) -> str:
    """The model in a sentence."""
    modalities = sorted({stream.modality for stream in spec.streams.values()})
    of = {"audio": "sound", "video": "images"}
    what = " and ".join(of.get(name, name) for name in modalities)
    predicts = TASKS[spec.task].predicts if spec.task in TASKS else spec.task
    return f"`{spec.model}` reads {what} in windows of {spec.seconds:g} s and gives {predicts}."


def _learned(spec: ModelSpec) -> list[Row]:
    """What the weights have learned from: a row for each training."""
    rows: list[Row] = [
        {
            "recipe": part.get("recipe") or part.get("system") or NOT_RECORDED,
            "data": source_of(part) or NOT_RECORDED,
            "licence": part.get("licence") or NOT_RECORDED,
            "protocol": part.get("protocol") or NOT_RECORDED,
            "fold": _told(part.get("fold")),
            "seed": _told(part.get("seed")),
            "clips": _told(part.get("clips")),
        }
        for part in trainings(spec.training)
    ]
    return rows


def _told(value: object) -> object:
    return NOT_RECORDED if value is None else value


def _results(one: Evaluated | None) -> list[tuple[str, str, str]]:
    """Caption, table and note of every table of scores."""
    if one is None:
        return []
    metric, _ = main_metric([one])
    tables = [*score_tables([one]), *group_tables([one], metric)]
    return [(x.caption, markdown_table(x.rows), x.note) for x in tables if x.name in _TABLES]
