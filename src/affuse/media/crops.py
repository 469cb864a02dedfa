"""Cut a face out of the pictures of a recording."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Tracks
from affuse.media.detectors import create_detector
from affuse.media.shown import Showing, showing
from affuse.media.tracks import Floats, Track
from affuse.media.video import Frame, read_frames

ALIGNED_LANDMARKS = np.array(
    [[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]]
)
"""Where five landmarks come to lie in an aligned crop of 112 by 112 pixels (Deng et al. 2019)."""

REFERENCE_WINDOW = 108
"""Pictures in the window of the published rule: 3.6 s at 30 Hz."""

Images = NDArray[np.uint8]


def crop_faces(
    path: str | Path,
    times: NDArray[np.floating],
    track: Track | None,
    size: int,
    margin: float = 0.0,
    align: bool = False,
    tracks: Tracks | None = None,
) -> tuple[Images, NDArray[np.bool_]]:
    """Cut a face out of the pictures nearest to some times, in one pass.

    A crop is a square around the box, as large as the longer side of the box and `margin` more. It
    is moved, or else made smaller, to lie inside the picture, so nothing is distorted or made up.

    Args:
        path: The recording.
        times: (N,) seconds of the recording, in any order.
        track: The face; None is a face that is nowhere.
        size: Side of the crops in pixels.
        margin: Part of the longer side of the box by which the square is larger.
        align: Turn, scale and shift so that the landmarks come to lie in the same places; the
            margin then enlarges what is seen around them.
        tracks: Which of the tracks of the recording are wanted; by default the file decides.

    Returns:
        (N, size, size, 3) RGB, and (N,) bool: whether there is a picture that is shown then or
        is at most 1.5 usual intervals away, and the face in it. Crops without are black.

    Raises:
        BadInput: The recording has no pictures or cannot be decoded.
        ValueError: Alignment, but a detector without landmarks.
    """
    times = np.asarray(times, np.float64)
    order = np.argsort(times, kind="stable")
    crops = np.zeros((len(times), size, size, 3), np.uint8)
    present = np.zeros(len(times), bool)
    for part, block, there in crop_blocks(
        path, times[order], track, size, margin, align, tracks=tracks
    ):
        crops[order[part]], present[order[part]] = block, there
    return crops, present


def crop_blocks(
    path: str | Path,
    times: NDArray[np.floating],
    track: Track | None,
    size: int,
    margin: float = 0.0,
    align: bool = False,
    count: int = 256,
    tracks: Tracks | None = None,
) -> Iterator[tuple[slice, Images, NDArray[np.bool_]]]:
    """Cut a face out as `crop_faces` does, for long recordings: a block of crops after the other.

    Args:
        path: The recording.
        times: (N,) seconds of the recording, not falling.
        track: The face; None is a face that is nowhere.
        size: Side of the crops in pixels.
        margin: Part of the longer side of the box by which the square is larger.
        align: Bring the landmarks to the same places.
        count: Crops of a block at most.
        tracks: Which of the tracks of the recording are wanted; by default the file decides.

    Yields:
        Which of the times these are, and of them crops and presence.

    Raises:
        BadInput: The recording has no pictures or cannot be decoded.
        ValueError: Alignment, but a detector without landmarks.
    """
    times = np.asarray(times, np.float64)
    found: Iterator[tuple[Frame, float, NDArray[np.intp]]] = iter(())
    if track is not None and len(times):
        found = _nearest_frames(path, times, tracks)
    crop: Images | None = None
    waiting = np.zeros(0, np.intp)  # of the times, those that `crop` stands for
    for first in range(0, len(times), count):
        stop = min(first + count, len(times))
        crops = np.zeros((stop - first, size, size, 3), np.uint8)
        present = np.zeros(stop - first, bool)
        while True:
            here = waiting[waiting < stop] - first
            if crop is not None:
                crops[here], present[here] = crop, True
            waiting = waiting[len(here) :]
            if len(waiting) or (following := next(found, None)) is None:
                break
            frame, moment, waiting = following
            assert track is not None
            crop = _crop(frame, moment, track, size, margin, align)
        yield slice(first, stop), crops, present


def _crop(
    frame: Frame, time: float, track: Track, size: int, margin: float, align: bool
) -> Images | None:
    """The face in a picture, as it was followed at a time, or None where it is not there."""
    moment = np.array([time])
    (box,), (seen,) = track.at(moment)
    if not seen:
        return None
    frame = frame.turned(track.turn)
    if align:
        (points,), _ = track.landmarks_at(moment)
        return _aligned(frame.rgb(), points, size, margin)
    return _square(frame.rgb(), box, size, margin)


def _nearest_frames(
    path: str | Path, times: NDArray[np.floating], tracks: Tracks | None
) -> Iterator[tuple[Frame, float, NDArray[np.intp]]]:
    """Yield each picture that stands for some of the (not falling) times, and their indices.

    Between them comes the time at which the face in it is looked up: that of the picture, or the
    first of the times when the picture is held from before.
    """
    shown = showing(path, tracks)
    begin = min(shown.begin(float(times[0])), float(times[0]) - shown.reach)
    frames = read_frames(path, begin, times[-1] + shown.reach, tracks)
    first = 0
    previous: Frame | None = None
    for frame in chain(frames, [None]):
        if previous is not None:
            since, until = shown.stands(previous.time)
            stop = len(times) if frame is None else _stop(times, previous, frame, shown)
            here = times[first:stop]
            near = (since - 1e-9 <= here) & (here <= until + 1e-9)
            if near.any():
                held = shown.is_held(previous.time)
                moment = max(previous.time, float(times[0])) if held else previous.time
                yield previous, moment, first + np.flatnonzero(near)
            first = stop
        previous = frame


def _stop(times: NDArray[np.floating], previous: Frame, frame: Frame, shown: Showing) -> int:
    """The first of the times for which the next picture stands rather than the one before."""
    until, since = shown.stands(previous.time)[1], shown.stands(frame.time)[0]
    change = (previous.time + frame.time) / 2
    if since <= until + 1e-6:  # else there is a hole between them
        change = min(max(change, since), until)
    return int(np.searchsorted(times, change))


def _square(image: Images, box: Floats, size: int, margin: float) -> Images:
    height, width = image.shape[:2]
    longer = max(box[2] - box[0], box[3] - box[1]) * (1 + margin)
    side = int(np.clip(round(longer), 1, min(height, width)))
    x = int(np.clip(round((box[0] + box[2] - side) / 2), 0, width - side))
    y = int(np.clip(round((box[1] + box[3] - side) / 2), 0, height - side))
    return _resized(image[y : y + side, x : x + side], size)


def _resized(image: cv2.typing.MatLike, size: int) -> Images:
    method = cv2.INTER_AREA if image.shape[0] > size else cv2.INTER_LINEAR
    return cv2.resize(image, (size, size), interpolation=method).astype(np.uint8, copy=False)


def _aligned(image: Images, points: Floats, size: int, margin: float) -> Images:
    """The similarity transform that maps landmarks (5, 2) best onto the template, applied."""
    target = size / 2 + (ALIGNED_LANDMARKS / 112 - 0.5) * size / (1 + margin)
    # least squares over complex numbers: turning and scaling are one multiplication
    z, w = points @ (1, 1j), target @ (1, 1j)
    turn = np.vdot(z - z.mean(), w - w.mean()) / np.vdot(z - z.mean(), z - z.mean()).real
    # a strong reduction by bilinear interpolation would skip pixels: sample finely, then average
    fine = int(np.clip(np.ceil(1 / max(abs(turn), 1e-3)), 1, 8))
    turn, shift = turn * fine, (w.mean() - turn * z.mean() + 0.5 + 0.5j) * fine - (0.5 + 0.5j)
    matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    wide = (size * fine, size * fine)
    warped = cv2.warpAffine(
        image, matrix, wide, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return _resized(warped, size)


def reference_frames(count: int) -> tuple[int, ...]:
    """Numbers of the pictures in the published rule, counted from zero.

    Args:
        count: How many of them, 1 to `REFERENCE_WINDOW`.
    """
    window = REFERENCE_WINDOW
    return tuple(i * window // count + window // (2 * count) for i in range(count))


def reference_faces224(
    path: str | Path,
    start: float | None = None,
    count: int = 15,
    tracks: Tracks | None = None,
) -> tuple[Images, NDArray[np.bool_]]:
    """Crop faces as the published preprocessing of RAVDESS does.

    Pictures number 3, 10, ... 103 of the file for 15, whatever its frame rate; the largest face of
    MTCNN at full size; the rounded box, resized without keeping its proportions. Where no face is
    found the last box is used again. Unlike the original, boxes are clamped to the picture, and a
    box is never carried over from another file.

    Args:
        path: The recording.
        start: Second from which pictures are counted; by default the start of the file.
        count: Number of crops N.
        tracks: Which of its tracks are wanted; by default the file decides.

    Returns:
        (N, 224, 224, 3) in the order blue, green, red, as published weights expect, and (N,)
        bool: False, and black, after the end of the file and before the first face.

    Raises:
        BadInput: The recording has no pictures or cannot be decoded.

    Source: Chumachenko, Iosifidis, Gabbouj 2022, code release, extraction of faces.
    """
    detector = create_detector("mtcnn")
    wanted = reference_frames(count)
    crops = np.zeros((count, 224, 224, 3), np.uint8)
    present = np.zeros(count, bool)
    box = None
    for number, frame in enumerate(read_frames(path, start, tracks=tracks)):
        if number in wanted:
            image = frame.rgb()
            (faces,) = detector.detect([image])
            if faces:
                box = [round(edge) for edge in faces[0].box]
            if box is not None:
                x1, y1, x2, y2 = box
                part = image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0), ::-1]
                if part.size:
                    row = wanted.index(number)
                    crops[row] = cv2.resize(part, (224, 224), interpolation=cv2.INTER_LINEAR)
                    present[row] = True
        if number == wanted[-1]:
            break
    return crops, present
