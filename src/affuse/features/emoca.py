"""Facial expression codes imported from EMOCA's files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.files import (
    FOLDER,
    array_files,
    clip_place,
    first_file,
    numbered_files,
    read_array,
)
from affuse.features.stream import Stream, StreamSpec

#: Rate in Hz of the stream, and of the images of a clip whose video is missing.
_RATE = 30.0
_CODES = 50
SPEC = StreamSpec(
    "video/emoca50",
    _RATE,
    (_CODES,),
    recipe={"extractor": "emoca", "resampled": "nearest picture", "default_fps": _RATE},
)


class Emoca:
    """`video/emoca50`: the first 50 FLAME expression coefficients, 30 Hz.

    Args:
        source: A folder with, per clip (named after the clip or its file), either a folder
            `<clip>/<frame>.npy` of (50,) arrays, one per image of the video, counted from 1
            (from 0 where there is a `0.npy`), or one `<clip>.npy` of (T, 50) with all images.

    Images are as many per second as the clip's video has, or 30 where it is missing; other
    rates are brought to 30 Hz by the image nearest in time. A number that is missing is an absent
    frame.

    Raises:
        BadInput: The source is not such a folder.

    Source: Danecek et al. 2022 (EMOCA); layout of the AuxFormer release (Goncalves et al. 2022).
    """

    def __init__(self, source: Path) -> None:
        self.source = Path(source)
        if not self.source.is_dir():
            raise BadInput(source, "no such folder of EMOCA codes")
        if first_file(self.source, (".npy",)) is None:
            raise BadInput(source, "holds no .npy file")
        self.spec = SPEC

    def sources(self, clip: Clip) -> list[Path]:
        """The clip's files, and the video that tells their rate."""
        place = clip_place(self.source, clip, (FOLDER, ".npy"))
        if place is None:
            return []
        files = array_files(place) if place.is_dir() else [place]
        return files if clip.video is None else [*files, clip.video]

    def extract(self, clip: Clip) -> Stream | None:
        """(T, 50) float32; None where there are no codes of the clip."""
        place = clip_place(self.source, clip, (FOLDER, ".npy"))
        if place is None:
            return None
        codes: Mapping[int, np.ndarray | Path]
        if place.is_dir():
            codes = numbered_files(place, "image")
        else:
            codes = dict(enumerate(_read(place, "T", _CODES)))
        fps = _frame_rate(clip)
        last = max(codes) / fps if clip.end is None else min(clip.end, max(codes) / fps)
        times = clip.start + np.arange(max(1, int((last - clip.start) * _RATE + 1e-6) + 1)) / _RATE
        pictures = np.round(times * fps + 1e-6).astype(int)  # what is halfway takes the later one
        mask = np.isin(pictures, list(codes))
        values = np.zeros((len(pictures), _CODES), np.float32)
        for row in np.flatnonzero(mask):
            code = codes[pictures[row]]
            values[row] = _read(code, _CODES) if isinstance(code, Path) else code
        return Stream(values, mask)


def _frame_rate(clip: Clip) -> float:
    from affuse.media.probe import probe

    return (probe(clip.video, clip.tracks).fps if clip.video is not None else 0.0) or _RATE


def _read(path: Path, *shape: int | str) -> np.ndarray:
    """Codes as float32."""
    values = read_array(path, shape)
    with np.errstate(over="ignore"):  # what is too large becomes infinite
        codes: np.ndarray = values.astype(np.float32)
    wrong = np.flatnonzero(~np.isfinite(np.atleast_2d(codes)).all(1))
    if len(wrong):
        rows = "" if codes.ndim == 1 else f" (row {wrong[0] + 1}, {len(wrong)} in all)"
        raise BadInput(path, f"holds values that are not finite{rows}")
    return codes
