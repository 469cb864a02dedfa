"""What a report says, section by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from affuse.errors import BadInput, shown
from affuse.evaluation.conditions import CONDITIONS
from affuse.evaluation.report import words
from affuse.evaluation.report.charts import Chart, DrawnChart, drawn
from affuse.evaluation.report.checks import checks_table
from affuse.evaluation.report.comparisons import comparisons
from affuse.evaluation.report.confusions import Confusion, confusion_table, confusions
from affuse.evaluation.report.evaluated import Evaluated, main_metric
from affuse.evaluation.report.figures import confidence_charts, speaker_charts, training_curves
from affuse.evaluation.report.groups import group_tables
from affuse.evaluation.report.record import NOT_RECORDED, training_facts
from affuse.evaluation.report.recordings import excerpts
from affuse.evaluation.report.surfaces import surfaces
from affuse.evaluation.report.tables import HEADS, Row, Table, cell, led, score_tables, why_none
from affuse.evaluation.report.worst import worst_clips, worst_table
from affuse.metrics.over_time import SERIES_METRICS
from affuse.tasks.class_scores import CLASS_METRICS, RATER_METRICS

#: The scores of a condition that go first, of those that it has.
_HEADLINES = {
    "classification": ("accuracy", "uar"),
    "distribution": ("divergence", "accuracy"),
    "valence-arousal": ("ccc", "rmse"),
}


@dataclass(frozen=True)
class ShownClip:
    """A clip that is shown.

    Args:
        title: Its id.
        sentences: What was said about it, a line for each model.
        images: Alternative text and data URI.
        sound: Data URI, or empty.
        note: What is not there.
    """

    title: str
    sentences: list[str]
    images: list[tuple[str, str]]
    sound: str
    note: str


@dataclass(frozen=True)
class Section:
    """A section of a report.

    Args:
        anchor: For links.
        title: Its heading.
        texts: Paragraphs.
        points: A list of sentences.
        tables: Tables.
        charts: Figures.
        matrices: Confusion matrices.
        excerpts: Clips with images and sound.
        terms: Terms and what they mean.
        links: Words and targets.
        code: A command.
    """

    anchor: str
    title: str
    texts: Sequence[str] = ()
    points: Sequence[str] = ()
    tables: Sequence[Table] = ()
    charts: Sequence[DrawnChart] = ()
    matrices: Sequence[Confusion] = ()
    excerpts: Sequence[ShownClip] = field(default_factory=tuple)
    terms: Sequence[tuple[str, str]] = ()
    links: Sequence[tuple[str, str]] = ()
    code: str = ""


def sections_of(
    evaluated: Sequence[Evaluated], root: Path | None, count: int, every_pair: bool
) -> list[Section]:
    """All that is known of evaluated models; sections without content are left out.

    Args:
        evaluated: The models.
        root: Where the recordings lie; without it none is shown.
        count: Worst clips of each model.
        every_pair: Whether all pairs are compared.

    Raises:
        BadInput: Something of the runs cannot be read, or the recordings are not there.
    """
    metric, kind = main_metric(evaluated)
    facts = {one.name: _facts(one) for one in evaluated}
    verdicts, tests = comparisons(evaluated, metric, every_pair)
    by_name = {table.name: table for table in score_tables(evaluated)}
    by_name |= {table.name: table for table in group_tables(evaluated, metric)}
    panels, surface = surfaces(evaluated, metric)

    def some(*names: str) -> list[Table]:
        return [by_name[name] for name in names if name in by_name]

    found = [
        Section("summary", "Summary", (), _points(evaluated, verdicts), [_headline(evaluated)]),
        Section("training", "What was trained on what", tables=[_training(facts)]),
        Section(
            "scores",
            "Scores",
            tables=some("scores", "scores-by-corpus", "raters"),
            terms=_terms(evaluated),
        ),
        Section("classes", "Classes", tables=some("recall", "classes")),
        Section(
            "confusions",
            "Confusion matrices",
            [_CONFUSIONS],
            matrices=confusions(evaluated),
        ),
        Section(
            "speakers",
            "Folds and speakers",
            tables=some("folds", "spread", "speakers"),
            charts=_drawn(speaker_charts(evaluated, metric, kind)),
        ),
        Section(
            "confidence",
            "Confidence",
            tables=some("sets", "bands"),
            charts=_drawn(confidence_charts(evaluated)),
        ),
        Section(
            "robustness",
            "Robustness",
            tables=[surface] if surface is not None else [],
            charts=_drawn(panels),
        ),
        Section("comparisons", "Comparisons", (), verdicts, [tests] if tests is not None else []),
        Section("curves", "Training curves", charts=_drawn(training_curves(evaluated, metric))),
        Section("checks", "Checks", tables=_there(checks_table(evaluated))),
        _worst(evaluated, root, count),
        Section(
            "limits",
            "Limits and intended use",
            [words.MEANING, f"Intended: {words.INTENDED}", f"Not intended: {words.OUT_OF_SCOPE}"],
            words.LIMITS,
            [_licences(facts)],
        ),
    ]
    return [x for x in found if x.points or x.tables or x.charts or x.matrices or x.excerpts]


def all_tables(sections: Sequence[Section]) -> list[Table]:
    """Every table of a report, confusion matrices among them."""
    found = [table for section in sections for table in section.tables]
    return found + [confusion_table(x) for section in sections for x in section.matrices]


def scored_clips(evaluated: Sequence[Evaluated]) -> str:
    """What was scored, in a sentence."""
    part, metrics = evaluated[0].first, evaluated[0].metrics
    videos = evaluated[0].task == "valence-arousal"
    clips = f"{len(set(part.clips)):,} {'videos' if videos else 'clips'}"
    groups = "groups of videos that share a speaker" if videos else "speakers"
    who = "" if part.speakers is None else f" of {len(set(part.speakers)):,} {groups}"
    roles = {
        "test": ", of test speakers or recordings by the protocol",
        "development": ", the development clips",
        "all": ", all labelled clips of a store",
    }
    role = roles.get(str(metrics.get("role")), "")
    return f"Scored on {clips}{who}{role}. Known of each speaker: {evaluated[0].baseline}."


def _training(facts: Mapping[str, Mapping[str, str]]) -> Table:
    """What was trained on what: a column for each model."""
    names = dict.fromkeys(name for own in facts.values() for name in own)
    rows: list[Row] = [
        {"fact": name, **{model: own.get(name, NOT_RECORDED) for model, own in facts.items()}}
        for name in names
    ]
    return Table("training", "Training and evaluation", rows)


def _facts(one: Evaluated) -> dict[str, str]:
    metrics = one.metrics
    return training_facts(one) | {
        "results": str(one.path),
        "clips scored": f"{len(one.first.clips):,}, {metrics.get('role', NOT_RECORDED)}",
        "folds scored": str(metrics.get("folds", NOT_RECORDED)),
        "known of each speaker": one.baseline,
        "changed recordings": "; ".join(metrics.get("changes", ())) or "none",
        "warnings": "; ".join(metrics.get("warnings", ())) or "none",
    }


def _points(evaluated: Sequence[Evaluated], verdicts: Sequence[str]) -> list[str]:
    several = len(evaluated) > 1
    warnings = [
        f"{one.name}: {line}" if several else line
        for one in evaluated
        for line in one.metrics.get("warnings", ())
    ]
    return [*verdicts, *warnings]


def _headline(evaluated: Sequence[Evaluated]) -> Table:
    rows: list[Row] = []
    metrics = _HEADLINES[min(one.task for one in evaluated)]
    for one in evaluated:
        for condition, scores in one.conditions.items():
            known = {**scores, **scores.get("raters", {}), **scores.get("mean", {})}
            found: Row = {HEADS[name]: cell(known, name) for name in metrics}
            rows.append(led(one, evaluated, {"condition": condition} | found))
    heads = 1 + (len(evaluated) > 1)
    caption = "Main scores, with 95 % intervals over speakers"
    return Table("summary", caption, rows, why_none(evaluated), heads)


_CONFUSIONS = (
    "Rows are the true classes. A cell has the number of clips and their share of the true class; "
    "the fuller its shade, the larger the share."
)


def _terms(evaluated: Sequence[Evaluated]) -> list[tuple[str, str]]:
    """What the conditions and metrics on the page mean."""
    names = dict.fromkeys(name for one in evaluated for name in one.conditions)
    terms = [(name, CONDITIONS[name].describe()) for name in names if name in CONDITIONS]
    metrics = dict(SERIES_METRICS)
    if evaluated[0].task != "valence-arousal":
        votes = any("raters" in x for one in evaluated for x in one.conditions.values())
        metrics = CLASS_METRICS | (RATER_METRICS if votes else {})
    told = [(HEADS[name], metric.title) for name, metric in metrics.items()]
    return terms + [(head, title) for head, title in told if head != title]


def _there(table: Table | None) -> list[Table]:
    return [] if table is None else [table]


def _drawn(charts: Sequence[Chart]) -> list[DrawnChart]:
    return [drawn(chart) for chart in charts]


def _licences(facts: Mapping[str, Mapping[str, str]]) -> Table:
    kinds = {"data": "licence of the data", "weights": "licence of the model"}
    rows: list[Row] = [
        {"model": model, **{kind: own.get(name, NOT_RECORDED) for kind, name in kinds.items()}}
        for model, own in facts.items()
    ]
    return Table("licences", "Licences", rows)


def _worst(evaluated: Sequence[Evaluated], root: Path | None, count: int) -> Section:
    table = worst_table(evaluated, count)
    anchor, title = "worst", "Worst clips"
    if table is None:
        return Section(anchor, title)
    if root is None:
        text = "Without recordings; affuse report --root shows a little of them."
        return Section(anchor, title, [text], tables=[table])
    corpus = evaluated[0].first.facts.get("corpus")
    if corpus is None:
        raise BadInput(evaluated[0].path, "does not say its corpus, so its clips cannot be found")
    task = min(one.task for one in evaluated)
    worst = [(one, x) for one in evaluated for x in worst_clips(one.first, task, count)]
    cut = excerpts([x.clip for _, x in worst], corpus, root)
    clips = [
        ShownClip(
            shown(name),
            [
                x.sentence if len(evaluated) == 1 else f"{one.name}: {x.sentence}"
                for one, x in worst
                if x.clip == name
            ],
            [(f"clip {shown(name)} at {time:.1f} s", uri) for time, uri in own.images],
            own.sound,
            own.note,
        )
        for name, own in cut.items()
    ]
    return Section(anchor, title, tables=[table], excerpts=clips)
