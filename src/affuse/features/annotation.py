"""The stream of continuous valence and arousal that raters gave a clip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.corpora.annotation import VALENCE_AROUSAL, Annotation, read_annotation
from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.arrays import array_pictures, array_values
from affuse.features.pictures import (
    RATE,
    REACH,
    end_of,
    is_close,
    moments,
    nearest,
    numbered_images,
)
from affuse.features.stream import Stream, StreamSpec
from affuse.media.timestamps import picture_times


class AnnotationTrack:
    """`label/valence-arousal`: the annotation of a clip at 30 Hz.

    Rows that belong to images lie at the time stamps of the video, whatever its rate, or 30 per
    second where the video is missing. Each moment takes the row nearest in time; it is absent
    where that row is not valid or more than 0.1 s away. An array (`.npy`) has all its rows valid.

    Args:
        names: The dimensions, in this order.
    """

    def __init__(self, names: tuple[str, ...] = VALENCE_AROUSAL) -> None:
        self.names = names
        recipe: dict[str, Any] = {"extractor": "annotation", "dimensions": list(names)}
        recipe |= {"resampled": "nearest row", "reach": REACH, "default_fps": RATE}
        self.spec = StreamSpec("label/valence-arousal", RATE, (len(names),), recipe=recipe)

    def sources(self, clip: Clip) -> list[Path]:
        """The annotation, and the video that tells when its images are shown."""
        if clip.annotation is None:
            return []
        return [clip.annotation] if clip.video is None else [clip.annotation, clip.video]

    def extract(self, clip: Clip) -> Stream | None:
        """(T, D) float32; None where the clip has no annotation.

        Raises:
            BadInput: The annotation is no table or array of these dimensions, or not of this video:
                it is longer or shorter by more than 5 images and 1 %.
        """
        path = clip.annotation
        if path is None:
            return None
        track = _read(path, clip)
        if missing := [name for name in self.names if name not in track.names]:
            raise BadInput(path, f"line 1: no column {missing[0]}")
        times, end = _placed(track, path, clip.video)
        wanted = moments(clip, end, path)
        rows, near = nearest(times, wanted)
        mask = near & track.valid[rows]
        values = track.values[rows][:, [track.names.index(name) for name in self.names]]
        return Stream(np.where(mask[:, None], values, 0), mask)


def _read(path: Path, clip: Clip) -> Annotation:
    if path.suffix != ".npy":
        return read_annotation(path)
    values = array_values(path, clip, len(VALENCE_AROUSAL))
    return Annotation(VALENCE_AROUSAL, values, np.ones(len(values), bool))


def _placed(track: Annotation, path: Path, video: Path | None) -> tuple[NDArray[np.float64], float]:
    """When the rows hold, in seconds of the recording, and when the recording ends."""
    count = len(track.valid)
    if video is None:
        times = np.arange(count) / RATE if track.times is None else track.times
        return times, end_of(times)
    shown = picture_times(video)
    end = end_of(shown)
    if track.times is None:
        if not is_close(count, len(shown)):
            reason = f"line {count + 1}: {count} rows, but {video} has {len(shown)} images"
            raise BadInput(path, reason)
        return shown[:count], end
    if (last := track.times[-1]) > max(end + 5 / RATE, 1.01 * end):
        raise BadInput(path, f"line {count + 1}: {last:g} s, but {video} ends at {end:.2f} s")
    return track.times, end


def problems(clip: Clip) -> list[str]:
    """What is to be known about the annotation and the face images of a clip, one line each.

    Args:
        clip: Of a corpus with continuous valence and arousal; that it lacks a file is no finding.
    """
    found: list[str] = []
    pictures = None
    if clip.video is not None:
        try:
            pictures = len(picture_times(clip.video))
        except BadInput as error:
            found.append(str(error))
    for examine in (_about_rows, _about_images):
        try:
            found += examine(clip, pictures)
        except BadInput as error:
            found.append(str(error))
    return found


def _about_rows(clip: Clip, pictures: int | None) -> Iterator[str]:
    if clip.annotation is None:
        return
    track = _read(clip.annotation, clip)
    count, invalid = len(track.valid), int((~track.valid).sum())
    if track.times is None and pictures is not None and count != pictures:
        accepted = "" if is_close(count, pictures) else " (too different, it is not used)"
        yield f"{clip.annotation}: {count} rows, {pictures} images{accepted}"
    if invalid:
        share = f"{invalid} of {count} rows ({invalid / count:.1%})"
        yield f"{clip.annotation}: {share} are not valid"


def _about_images(clip: Clip, pictures: int | None) -> Iterator[str]:
    if clip.images is None or clip.row is not None:
        return
    if clip.images.suffix == ".npy":
        _, seen = array_pictures(clip.images, clip)
        if black := int((~seen).sum()):
            share = f"{black} of {len(seen)} face images ({black / len(seen):.1%})"
            yield f"{clip.images}: {share} are black"
        return
    numbers = numbered_images(clip.images)
    last = max(numbers, default=0)
    count = last if pictures is None else pictures
    if pictures is not None and last > pictures:
        accepted = "" if is_close(last, pictures) else " (too different, it is not used)"
        yield f"{clip.images}: last face image is {last}, {pictures} images{accepted}"
    missing = count - sum(number <= count for number in numbers)
    if missing:
        share = f"{missing} of {count} face images ({missing / count:.1%})"
        yield f"{clip.images}: {share} are missing"
