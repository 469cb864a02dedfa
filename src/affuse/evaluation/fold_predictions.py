"""What models say about the clips of a role, kept on disk to go on with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from affuse.corpora.clip import Clip
from affuse.evaluation.members import Member
from affuse.execution.files import atomic_path, file_digest
from affuse.execution.names import path_below
from affuse.execution.progress import progress
from affuse.inference.clips import ClipModel
from affuse.tasks.series import Series
from affuse.training.run import MODEL_FILE


def predict_fold(
    fold: Member, clips: Sequence[Clip], cache: Path, device: str
) -> Iterator[tuple[Clip, Series]]:
    """What a model says about clips, smoothed as its file says and clipped.

    Args:
        fold: The model.
        clips: Of its store.
        cache: Folder where predictions are kept; those made by the same weights of the same files
            are read instead of made again.
        device: Torch device.

    Yields:
        Each clip and its series.
    """
    place = cache / f"{_label(fold.file)}-{file_digest(fold.file)[:12]}"
    model: ClipModel | None = None
    for clip in progress(clips, f"predict {fold.name}"):
        path, made_from = path_below(place, clip.id, ".npz"), _made_from(fold, clip)
        series = _kept(path, made_from)
        if series is None:
            if model is None:
                model = ClipModel(fold.open(device), fold.spec, fold.data)
            ((said,),) = model.predict([clip]).values()
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


def _label(file: Path) -> str:
    """A model file in a few letters; those of runs are all called the same."""
    if file.name != MODEL_FILE:
        return file.stem
    folder = file.parent.resolve()
    return f"{folder.parent.name}-{folder.name}"


def _made_from(fold: Member, clip: Clip) -> str:
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
