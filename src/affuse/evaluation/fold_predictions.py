"""What every fold of some runs says about the clips of a role, kept on disk to go on with."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.trained import open_fold, predicted_series
from affuse.execution.files import atomic_path, file_digest
from affuse.execution.progress import progress
from affuse.features.store import Store
from affuse.models.modelfile import ModelSpec, read_spec
from affuse.models.sliding import Series
from affuse.training.run import MODEL_FILE, fold_number, read_run, read_split, trained_folds


@dataclass(frozen=True, eq=False)
class Fold:
    """A trained fold of one of the runs.

    Args:
        run: Folder of the run.
        folder: Of the fold.
        data: Where its streams are.
        spec: Of its model.
        split: Role -> clip ids.
    """

    run: Path
    folder: Path
    data: Store
    spec: ModelSpec
    split: dict[str, list[str]]

    @property
    def name(self) -> str:
        """Run and number, as the user named the run."""
        return f"{self.run}/fold{fold_number(self.folder)}"

    def usable(self, ids: Collection[str]) -> list[Clip]:
        """Those of some clips that have the streams of the model."""
        return [clip for clip in self.data.usable(list(self.spec.streams)) if clip.id in ids]


def read_folds(runs: Sequence[Path], store: Path | None = None) -> list[Fold]:
    """The trained folds of some runs.

    Args:
        runs: Folders that `train` made.
        store: Where the streams are, if they have moved since training.

    Raises:
        BadInput: A folder is no run, or its models give no values over time.
        AffuseError: The runs are of different corpora, or one is named twice.
    """
    if len({run.resolve() for run in runs}) < len(runs):
        raise AffuseError("a run is named twice")
    folds = []
    for run in runs:
        data = Store(store or Path(read_run(run)["store"]))
        for folder in trained_folds(run):
            spec = read_spec(folder / MODEL_FILE)
            if spec.task != "valence-arousal":
                raise BadInput(run, f"predicts no values over time ({spec.task})")
            folds.append(Fold(run, folder, data, spec, read_split(folder)))
    if len({fold.data.corpus for fold in folds}) > 1:
        raise AffuseError("the runs are of different corpora")
    return folds


def predict_fold(
    fold: Fold, clips: Sequence[Clip], cache: Path, device: str
) -> Iterator[tuple[Clip, Series]]:
    """What the model of a fold says about clips, smoothed as its file says and clipped.

    Args:
        fold: The fold.
        clips: Of its store.
        cache: Folder where predictions are kept; those made by the same weights of the same files
            are read instead of made again.
        device: Torch device.

    Yields:
        Each clip and its series.
    """
    digest = file_digest(fold.folder / MODEL_FILE)[:12]
    place = cache / f"{fold.run.resolve().name}-{fold.folder.name}-{digest}"
    model = None
    for clip in progress(clips, f"predict {fold.name}"):
        path, made_from = place / f"{clip.id}.npz", _made_from(fold, clip)
        series = _kept(path, made_from)
        if series is None:
            if model is None:
                model, _ = open_fold(fold.folder, fold.data, device)
            said = predicted_series(model, fold.spec, fold.data, clip)
            series = said.smoothed(fold.spec.smoothing).clipped()
            with atomic_path(path) as temporary:
                np.savez(
                    temporary,
                    values=series.values,
                    mask=series.mask,
                    rate=series.rate,
                    made_from=made_from,
                )
        yield clip, series


def _made_from(fold: Fold, clip: Clip) -> str:
    """The files that the streams of a clip were made from, as the store tells them."""
    streams = (fold.data.stream(name) for name in sorted(fold.spec.streams))
    return json.dumps([stream.made_from[clip.id] for stream in streams])


def _kept(path: Path, made_from: str) -> Series | None:
    """A prediction from an earlier time, or None."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["made_from"]) != made_from:
                return None
            return Series(file["values"], file["mask"], float(file["rate"]))
    except (OSError, ValueError, KeyError, BadZipFile):
        return None
