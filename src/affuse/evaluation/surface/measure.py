"""Measure a surface: change, predict, score, one point after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from affuse.errors import AffuseError
from affuse.evaluation.conditions import default_conditions
from affuse.evaluation.evaluate import Evaluation
from affuse.evaluation.surface.plot import surface_png
from affuse.evaluation.surface.points import Points
from affuse.evaluation.surface.result import HEADER, areas_of, metrics_of, rows_of, score_of
from affuse.evaluation.surface.spec import Axis, axes_of
from affuse.evaluation.surface.stores import ChangedStores, is_imported
from affuse.execution.files import atomic_path, write_csv, write_json
from affuse.features.catalogue import Rated
from affuse.features.stream import StreamSpec
from affuse.media.changes.registry import CHANGES

#: Facts of an evaluation that a surface repeats.
_FACTS = ("run", "models", "task", "corpus", "protocol", "fold", "role", "folds", "warnings")


def surface(
    evaluation: Evaluation,
    root: Path,
    words: Sequence[str] = (),
    *,
    sources: Mapping[str, Path | Rated] | None = None,
    stores: Path | None = None,
    workers: int = 1,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Score models on changed recordings of their test clips.

    The clips are the same at every point; a clip of which a change leaves nothing in a modality
    counts as what the models say without. A surface that was interrupted goes on.

    Args:
        evaluation: The models, with their clips.
        root: Where the corpus lies.
        words: Changes and values; see `axes_of`.
        sources: Where networks of frozen streams are, by stream; by default as the store keeps
            them.
        stores: Folder in which the stores of changed recordings stay, for this and other models;
            by default each is removed once it is scored.
        workers: Processes that make streams.
        tell: Is told how far it is, line by line.

    Returns:
        As `surface.json` has it; `surface.csv`, `surface.png` and the predictions lie beside it.

    Raises:
        BadInput: The recordings are not there, or results cannot be written.
        AffuseError: A change is unknown, or not of what the models read and recordings hold.
    """
    subject = evaluation.subject
    axes = _axes(words, subject.streams, tell)
    conditions = default_conditions(subject.streams)
    out = subject.out / "surface"
    _, parts = evaluation.parts(evaluation.empty(conditions))
    wanted = {clip.id for part in parts for clip in part.clips}
    clips = [clip for clip in subject.data.clips if clip.id in wanted]
    made = ChangedStores(
        subject.data, clips, subject.streams, root, stores or out / "stores", sources or {}, workers
    )
    changes = [change for axis in axes for change in axis.changes]
    for change in changes:
        made.touched(change)  # what cannot be made is told before anything is
    points = Points(evaluation, conditions, clips, out / "points")
    unchanged = points.known(None) or points.measure(None, subject.data)
    found: dict[str, dict[str, Any]] = {}
    for number, change in enumerate(changes, 1):
        scores = points.known(change)
        if scores is None:
            tell(f"{number} of {len(changes)}: {change}")
            scores = points.measure(change, made.opened(change))
        if stores is None:
            made.remove(change)
        found[str(change)] = scores
    metric = metrics_of(subject.task.name, unchanged)[0]
    told = areas_of(unchanged, axes, found, metric)
    result = {
        **{name: unchanged[name] for name in _FACTS if name in unchanged},
        "baseline": unchanged["baseline"],
        "metric": metric,
        "clips": len(clips),
        "unchanged": {
            name: dict(
                zip(("score", "low", "high"), score_of(unchanged, name, metric), strict=True)
            )
            for name in conditions
        },
        "changes": [one | {"unit": CHANGES[one["change"]].describe()} for one in told],
    }
    write_csv(
        out / "surface.csv",
        HEADER,
        [[_cell(x) for x in row] for row in rows_of(unchanged, axes, found, subject.task.name)],
    )
    with atomic_path(out / "surface.png") as path:
        path.write_bytes(surface_png(result, f"{subject.title}, {len(clips)} clips"))
    write_json(out / "surface.json", result)
    return result


def _axes(
    words: Sequence[str], streams: Mapping[str, StreamSpec], tell: Callable[[str], None]
) -> list[Axis]:
    """The changes; by default of the modalities whose streams are made of recordings."""
    read = {spec.modality for spec in streams.values()}
    axes = axes_of(words, read)
    if words:
        return axes
    for name in (name for name, spec in streams.items() if is_imported(spec)):
        tell(f"stream {name} is imported: changes that touch it are left out")
        axes = [axis for axis in axes if not any(one.touches(name) for one in axis.changes)]
    if not axes:
        raise AffuseError("all streams of the model are imported: there is no recording to change")
    return axes


def _cell(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value
