"""Folds of runs, and model files, fused into one prediction per clip: files for a challenge."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.fold_predictions import predict_fold
from affuse.evaluation.members import Member, is_model_file, read_members
from affuse.evaluation.submission import submission_text
from affuse.execution.files import write_csv, write_text
from affuse.execution.names import path_below
from affuse.features.batch import TARGET_RATE
from affuse.features.pictures import RATE
from affuse.features.stream import Stream
from affuse.media.timestamps import picture_times
from affuse.metrics.concordance import ccc
from affuse.tasks.annotated_targets import truth_of
from affuse.tasks.fold_fusion import centred_fusion, mean_fusion
from affuse.tasks.registry import TASKS
from affuse.tasks.series import Series, filled

Fusion = Literal["centred", "mean", "weighted"]
Role = Literal["test", "development"]
FUSIONS: tuple[Fusion, ...] = ("centred", "mean", "weighted")
FUSED = "fused"


@dataclass
class Fused:
    """What a fusion made.

    Args:
        names: Of the dimensions.
        clips: Ids of the clips that have a file now.
        failures: Clip id -> why it has none.
        without_video: Ids of clips with 30 rows per second, for lack of their video.
        scores: Who (`fused`, or a run and fold) -> dimension -> CCC over the frames of all clips
            whose values are known; empty where they are of none.
        weights: Fold -> dimension -> CCC on its development clips, where it was asked for.
    """

    names: list[str]
    clips: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    without_video: list[str] = field(default_factory=list)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    weights: dict[str, dict[str, float]] = field(default_factory=dict)


def fuse(
    runs: Sequence[Path],
    out: Path,
    fusion: Fusion = "centred",
    role: Role = "test",
    corpus: Path | None = None,
    truth: Path | None = None,
    store: Path | None = None,
    device: str = "cpu",
    protocol: str | None = None,
    fold: int | None = None,
) -> Fused:
    """Predict clips by all folds of some runs, fuse these frame by frame, and write a file each.

    Each model's values are smoothed as its file says and clipped first. Frames that a model does
    not know lie on a line between those that it knows.

    Args:
        runs: Folders that `train` made, and model files; each may predict some of the dimensions.
        out: Folder for `<clip>.txt`, `summary.csv` and the predictions of the folds, with which
            an interrupted fusion goes on.
        fusion: `centred` (published), `mean`, or `weighted` by the CCC of each fold on its
            development clips.
        role: `test`: the publisher's test clips that every fold tests, or where there are none all
            clips that every fold tests. `development`: each clip by the folds in which it has that
            role.
        corpus: Where the videos are, whose time stamps say when there is a row.
        truth: Folder with `<clip>.csv`, used for scores instead of the annotation.
        store: Where the streams are; of runs, if they have moved since training.
        device: Torch device.
        protocol: Of model files: name or file of a protocol; without one all clips are test clips.
        fold: Of the protocol; by default the one that a file was trained in, or the first.

    Raises:
        BadInput: A path is neither run nor model file, predicts classes, or does not fit its store.
        AffuseError: The runs do not go together, or there is no clip of that role.
    """
    by_role = role == "development" or fusion == "weighted"
    files = [path for path in runs if is_model_file(path)]
    if by_role and files and protocol is None:
        raise BadInput(files[0], "is a model file; --protocol says its development clips")
    folds = read_members(runs, store, protocol, fold)
    if classes := [one.file for one in folds if not TASKS[one.spec.task].over_time]:
        raise BadInput(classes[0], "predicts classes; affuse evaluate scores several files as one")
    if len({one.data.corpus for one in folds}) > 1:
        raise AffuseError("the runs are of different corpora")
    names = _dimensions(folds)
    if truth is not None and not truth.is_dir():
        raise BadInput(truth, "no such folder")
    if fusion == "weighted" and role == "development":
        raise AffuseError(
            "weighted fusion would weigh folds by the clips that are judged: use --role test, or "
            "--fusion centred or mean"
        )
    said: dict[str, dict[Member, Series]] = {}
    clips: dict[str, Clip] = {}
    wanted = _wanted(folds, role)
    for one in folds:
        for clip, series in predict_fold(one, one.usable(wanted[one]), out / "folds", device):
            said.setdefault(clip.id, {})[one] = series
            clips[clip.id] = clip
    result = Fused(names)
    if fusion == "weighted":
        result.weights = {f.name: _development_ccc(f, out / "folds", device) for f in folds}
    rows, judged = [], _Judged()
    for clip_id in sorted(set().union(*wanted.values())):
        try:
            if clip_id not in clips:
                raise BadInput(clip_id, "is not in the store")
            clip, members = clips[clip_id], said[clip_id]
            times, from_video = _times(clip, corpus, members.values())
            stacks = {name: _stack(clip_id, name, members, times) for name in names}
            fused = [_fused(name, *stacks[name], fusion, result.weights) for name in names]
            values = np.stack(fused, 1)
            target = truth_of(clip, folds[0].data, names, truth)
        except BadInput as error:
            result.failures[clip_id] = str(error)
            continue
        write_text(path_below(out, clip_id, ".txt"), submission_text(names, values))
        result.clips.append(clip_id)
        if not from_video:
            result.without_video.append(clip_id)
        if target is not None:
            moments = np.arange(len(target.mask)) / TARGET_RATE
            columns = [np.interp(moments, times, column) for column in values.T]
            judged.add(FUSED, names, target, np.stack(columns, 1))
            for one, series in members.items():
                own = [names.index(name) for name in one.spec.outputs]
                part = Stream(target.values[:, own], target.mask)
                judged.add(one.name, one.spec.outputs, part, filled(series, moments))
        known = min(float(series.mask.mean()) for series in members.values())
        rows.append(
            [
                clip_id,
                len(values),
                "time stamps of the video" if from_video else f"{RATE:g} per second",
                *(len(stacks[name][0]) for name in names),
                f"{known:.4f}",
                *(f"{mean:.5f}" for mean in values.mean(0)),
            ]
        )
    result.scores = judged.scores()
    header = ["clip", "rows", "timing", *(f"folds_{name}" for name in names), "known"]
    write_csv(out / "summary.csv", [*header, *(f"mean_{name}" for name in names)], rows)
    write_csv(out / "failures.csv", ["clip", "reason"], list(result.failures.items()))
    return result


def _dimensions(folds: Sequence[Member]) -> list[str]:
    """All dimensions of the corpus; each has to be predicted by some fold."""
    names = list(folds[0].data.classes)
    told = {name for fold in folds for name in fold.spec.outputs}
    if lacking := [name for name in names if name not in told]:
        raise AffuseError(
            f"the runs predict {', '.join(sorted(told))} only; name a run for {lacking[0]} too"
        )
    return names


def _wanted(folds: Sequence[Member], role: Role) -> dict[Member, set[str]]:
    """Fold -> ids of the clips that it is to predict."""
    if role == "development":
        return {fold: set(fold.split["development"]) for fold in folds}
    always = set.intersection(*(set(fold.split["test"]) for fold in folds))
    if not always:
        raise AffuseError(
            "no clip is tested in every fold, so there is nothing to fuse; affuse evaluate judges "
            "each clip by the fold that tests it"
        )
    clips = [clip for fold in folds for clip in fold.data.clips if clip.id in always]
    published = {clip.id for clip in clips if clip.partition == "test"}
    return dict.fromkeys(folds, published or always)


def _times(
    clip: Clip, corpus: Path | None, series: Collection[Series]
) -> tuple[NDArray[np.float64], bool]:
    """When there are to be values, in seconds of the clip, and whether its video says so."""
    video = clip.video if corpus is None or clip.video is None else corpus / clip.video
    if video is None or not video.is_file():
        length = max(len(one.mask) / one.rate for one in series)
        return np.arange(max(1, round(length * RATE))) / RATE, False
    times = picture_times(video)
    inside = (times >= clip.start) & (times < (clip.end or np.inf))
    return times[inside] - clip.start, True


def _stack(
    clip: str, name: str, members: dict[Member, Series], times: NDArray[np.float64]
) -> tuple[np.ndarray, list[str]]:
    """(K, N): what each fold that predicts a dimension says; and the names of these folds.

    Raises:
        BadInput: No fold predicts it for this clip, or one knows nothing at all.
    """
    rows, who = [], []
    for fold, series in members.items():
        if name in fold.spec.outputs:
            if not series.mask.any():
                raise BadInput(clip, f"{fold.name} knows nothing in any frame")
            rows.append(filled(series, times)[:, fold.spec.outputs.index(name)])
            who.append(fold.name)
    if not rows:
        raise BadInput(clip, f"no fold predicts {name}")
    return np.stack(rows), who


def _fused(
    name: str,
    stack: np.ndarray,
    who: Sequence[str],
    fusion: Fusion,
    weights: dict[str, dict[str, float]],
) -> np.ndarray:
    """(N,); weights below zero count as zero, and if all are, folds count alike."""
    if fusion == "centred":
        return centred_fusion(stack, clip=True)
    if fusion == "mean":
        return mean_fusion(stack, clip=True)
    shares = np.array([weights[fold][name] for fold in who]).clip(0)
    return mean_fusion(stack, shares if shares.any() else None, clip=True)


def _development_ccc(fold: Member, cache: Path, device: str) -> dict[str, float]:
    """Dimension -> CCC over all annotated frames of the development clips of a fold."""
    judged, names = _Judged(), fold.spec.outputs
    clips = fold.usable(fold.split["development"])
    for clip, series in predict_fold(fold, clips, cache, device):
        target = truth_of(clip, fold.data, names, None)
        if target is not None and series.mask.any():
            moments = np.arange(len(target.mask)) / TARGET_RATE
            judged.add(fold.name, names, target, filled(series, moments))
    return judged.scores().get(fold.name, dict.fromkeys(names, 0.0))


class _Judged:
    """Collects the frames whose truth is known."""

    def __init__(self) -> None:
        self.frames: dict[str, dict[str, list[tuple[np.ndarray, np.ndarray]]]] = {}

    def add(self, who: str, names: Sequence[str], truth: Stream, said: np.ndarray) -> None:
        """Add a clip: truth and values (T, D) of these dimensions."""
        for d, name in enumerate(names):
            pairs = self.frames.setdefault(who, {}).setdefault(name, [])
            pairs.append((said[truth.mask, d], truth.values[truth.mask, d]))

    def scores(self) -> dict[str, dict[str, float]]:
        """Who -> dimension -> CCC over all frames together."""
        return {
            who: {
                name: ccc(*(np.concatenate(side) for side in zip(*pairs, strict=True)))
                for name, pairs in part.items()
            }
            for who, part in self.frames.items()
        }
