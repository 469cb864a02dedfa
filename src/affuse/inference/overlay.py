"""A recording as a video with what a model says about it below the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.errors import BadInput
from affuse.execution.files import atomic_path
from affuse.execution.progress import progress
from affuse.inference.panel import Panel, panel_of
from affuse.media.encode import write_mp4
from affuse.media.probe import probe
from affuse.media.timestamps import picture_times
from affuse.media.tracks import Track
from affuse.media.video import Frame, read_frames
from affuse.tasks.prediction import Prediction

_LONGEST, _LEAST_WIDTH = 1280, 480  # of the pictures, in pixels
_BOX = (102, 204, 238)

Image = NDArray[np.uint8]


def write_overlay(timeline: Prediction, path: Path) -> None:
    """Write a video: the pictures with the face that is read, and below them what is read from it.

    Every picture stays at its own time; the sound goes with them. One picture is held at a time.

    Args:
        timeline: Of a recording with pictures.
        path: The `.mp4`, H.264 and AAC.

    Raises:
        BadInput: The recording has no pictures, or cannot be decoded any more.
    """
    info = probe(timeline.source, timeline.tracks)
    if not info.has_video:
        raise BadInput(timeline.source, "has no pictures; there is nothing to draw on")
    track = timeline.face
    turn = track.turn if track is not None else 0
    turned = (info.height, info.width) if turn % 2 else (info.width, info.height)
    width, height = _size(*turned)
    panel = panel_of(timeline, width)
    total = len(picture_times(timeline.source, timeline.tracks))
    frames = progress(
        read_frames(timeline.source, tracks=timeline.tracks), f"draw {path.name}", total
    )
    with atomic_path(path) as temporary:
        write_mp4(
            temporary,
            _pictures(frames, track, (width, height), panel),
            (height + panel.height, width),
            info.fps,
            info if info.has_audio else None,
        )


def _size(width: int, height: int) -> tuple[int, int]:
    """Even width and height of the pictures: neither huge nor too small for words below."""
    scale = min(1.0, _LONGEST / max(width, height))
    scale = max(scale, _LEAST_WIDTH / width)
    return 2 * round(width * scale / 2), 2 * round(height * scale / 2)


def _pictures(
    frames: Iterator[Frame], track: Track | None, size: tuple[int, int], panel: Panel
) -> Iterator[tuple[float, Image]]:
    for upright in frames:
        frame = upright.turned(track.turn if track is not None else 0)
        shown = cv2.resize(frame.rgb(max(size)), size, interpolation=cv2.INTER_LINEAR)
        if track is not None:
            (box,), (there,) = track.at(np.array([frame.time]))
            if there:
                corners = (box * (size[0] / frame.width)).round().astype(int).tolist()
                cv2.rectangle(shown, corners[:2], corners[2:], _BOX, 2, cv2.LINE_AA)
        yield frame.time, np.vstack([shown, panel.draw(frame.time)]).astype(np.uint8, copy=False)
