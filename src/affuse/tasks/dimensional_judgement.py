"""Predicted values beside the annotation of every frame, scored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.keys import group_clips
from affuse.errors import BadInput
from affuse.features.store import Store
from affuse.features.stream import TARGET_RATE
from affuse.models.spec import ModelSpec, Smoothing
from affuse.tasks.annotated_targets import truth_of
from affuse.tasks.dimensional_files import Judged, draw_judged, write_judged, write_list
from affuse.tasks.dimensional_scores import SeriesTable, dimensional_scores
from affuse.tasks.fold_fusion import centred_fusion
from affuse.tasks.judgement import Judgement, Scored
from affuse.tasks.published_rules import Track, compare_rules
from affuse.tasks.series import Series, filled


class DimensionalJudgement(Judgement):
    """Continuous valence and arousal of clips that were annotated.

    Values are smoothed as the model file says and clipped. All annotated frames count: where the
    model knows nothing, the value lies on a line between the known neighbours. Several models are
    fused, dimension by dimension, as `fuse` does by default.

    Args:
        names: Of the dimensions.
        data: Where the annotation is.
        streams: That clips need.
        truth: Folder with `<clip>.csv` (`time` and the dimensions), used instead of the annotation.
        conditions: Names.

    Raises:
        BadInput: There is no such folder, or a table in it is none.
    """

    def __init__(
        self,
        names: Sequence[str],
        data: Store,
        streams: Sequence[str],
        truth: Path | None,
        conditions: Sequence[str],
    ) -> None:
        self.names, self.truth = list(names), truth
        usable = data.usable(streams)
        if truth is not None and not truth.is_dir():
            raise BadInput(truth, "no such folder")
        found = {clip.id: truth_of(clip, data, names, truth) for clip in usable}
        self._truths = {clip: track for clip, track in found.items() if track is not None}
        self.clips = [clip for clip in usable if clip.id in self._truths]
        self.known = "with annotation" + (f"; {truth} holds no <clip>.csv of one" if truth else "")
        ids = [clip.id for clip in data.clips]
        self._groups = dict(zip(ids, group_clips(data.clips), strict=True))
        self.judged: dict[str, list[Judged]] = {name: [] for name in conditions}
        self._total = dict.fromkeys(conditions, 0)
        self._by_one = True

    def add(
        self,
        condition: str,
        fold: int,
        clip: Clip,
        said: Sequence[Series],
        members: Sequence[ModelSpec],
    ) -> None:
        """See `Judgement.add`; a clip of which a model knows nothing is counted alone."""
        self._total[condition] += 1
        self._by_one &= all(len(_tellers(members, name)) == 1 for name in self.names)
        if all(series.mask.any() for series in said):
            self.judged[condition].append(self._judge(fold, clip, said, members))

    def _judge(
        self, fold: int, clip: Clip, said: Sequence[Series], specs: Sequence[ModelSpec]
    ) -> Judged:
        target = self._truths[clip.id]
        seconds = max(len(series.mask) / series.rate for series in said)
        count = math.ceil(seconds * TARGET_RATE - 1e-6)
        times = np.arange(max(count, len(target.mask))) / TARGET_RATE
        truth = np.zeros((len(times), target.values.shape[1]), np.float32)
        labelled = np.zeros(len(times), bool)
        truth[: len(target.mask)], labelled[: len(target.mask)] = target.values, target.mask
        pairs = zip(said, specs, strict=True)
        smoothed = [series.smoothed(spec.smoothing).clipped() for series, spec in pairs]
        raw, final = np.zeros_like(truth), np.zeros_like(truth)
        smoothing: list[Smoothing] = []
        for d, name in enumerate(self.names):
            own = _tellers(specs, name)
            for column, series, clip_values in ((raw, said, False), (final, smoothed, True)):
                rows = [filled(series[k], times)[:, specs[k].outputs.index(name)] for k in own]
                column[:, d] = centred_fusion(np.stack(rows), clip=clip_values)
            smoothing.append(specs[own[0]].smoothing_of(name))
        known = np.logical_and.reduce([~np.isnan(series.at(times)).any(1) for series in said])
        return Judged(fold, clip, raw, final, known, truth, labelled, smoothing)

    def scored(self, condition: str) -> Scored:
        """See `Judgement.scored`."""
        judged = self.judged[condition]
        return Scored([x.clip.id for x in judged], _series_table(judged, self.names))

    def result(
        self, labels: Mapping[str, Any] | None, members: Mapping[str, ModelSpec]
    ) -> dict[str, Any]:
        """See `Judgement.result`."""
        result: dict[str, Any] = {
            "dimensions": self.names,
            "truth": "annotation" if self.truth is None else self.truth.name,
            "smoothing": {name: spec.smoothing for name, spec in members.items()},
            "conditions": {
                name: _scores(part, self.names, self._groups, self._total[name])
                | _bands(part, name, members)
                for name, part in self.judged.items()
            },
        }
        shown = next((name for name, part in self.judged.items() if part), None)
        if shown is not None and self._by_one:
            part = self.judged[shown]
            tracks = {name: _tracks(part, d) for d, name in enumerate(self.names)}
            result["rules"] = {"condition": shown, "ccc": compare_rules(tracks)}
        return result

    def write(self, out: Path, result: Mapping[str, Any]) -> None:
        """Predictions and their list, `scores.csv`, `metrics.json`."""
        write_list(out, result["baseline"], self.judged, self._groups)
        write_judged(out, result, self.judged, self.names)

    def draw(self, out: Path, result: Mapping[str, Any], title: str) -> None:
        """Curves per condition."""
        draw_judged(out, self.judged, self.names, title)


def _tellers(members: Sequence[ModelSpec], name: str) -> list[int]:
    """Which of some models predict a dimension."""
    return [k for k, spec in enumerate(members) if name in spec.outputs]


def _tracks(judged: Sequence[Judged], d: int) -> list[Track]:
    return [
        Track(x.raw[:, d], x.final[:, d], x.truth[:, d], x.labelled, x.smoothing[d]) for x in judged
    ]


def _bands(
    judged: Sequence[Judged], condition: str, members: Mapping[str, ModelSpec]
) -> dict[str, Any]:
    """How often the truth lies within the bands of calibrated models, in known frames."""
    only = next(iter(members.values())) if len(members) == 1 else None
    held: dict[str, list[np.ndarray]] = {}
    for x in judged:
        spec = members.get(str(x.fold), only)
        own = None if spec is None or spec.calibration is None else spec.calibration
        mask = None if own is None else own.masks.get(condition)
        if spec is None or mask is None:
            return {}
        far = np.abs(x.final - x.truth)[x.known & x.labelled]
        for name, column, limit in zip(spec.outputs, far.T, mask.thresholds, strict=True):
            if limit is not None:
                held.setdefault(name, []).append(column <= limit)
    found = {name: {"coverage": float(np.concatenate(x).mean())} for name, x in held.items()}
    return {"bands": found} if found else {}


def _scores(
    judged: Sequence[Judged], names: list[str], groups: dict[str, str], total: int
) -> dict[str, Any]:
    """The scores of a condition as JSON values."""
    facts: dict[str, Any] = {
        "predictions": len(judged),
        "unknown_predictions": total - len(judged),
        "videos": len({x.clip.id for x in judged}),
        "groups": len({groups[x.clip.id] for x in judged}),
        "frames": int(sum(x.labelled.sum() for x in judged)),
        "known_frames": int(sum((x.labelled & x.known).sum() for x in judged)),
    }
    if not judged:
        return facts | {"dimensions": {}, "mean": {}}
    table = _series_table(judged, names)
    return facts | dimensional_scores(table, [groups[x.clip.id] for x in judged])


def _series_table(judged: Sequence[Judged], names: list[str]) -> SeriesTable:
    """The annotated frames."""
    return SeriesTable(
        names, [x.final[x.labelled] for x in judged], [x.truth[x.labelled] for x in judged]
    )
