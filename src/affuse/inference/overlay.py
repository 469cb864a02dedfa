"""A recording as a video with what a model says about it below the images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from affuse.media.video import Frame, read_frames
from affuse.tasks.prediction import Prediction

_LONGEST, _LEAST_WIDTH = 1280, 480  # of the images, in pixels
#: Red, green and blue of the boxes of people, in their order; colour-blind people see them too.
PEOPLE_COLOURS = (
    (102, 204, 238),
    (238, 204, 102),
    (187, 136, 221),
    (136, 204, 136),
    (238, 136, 119),
)

Image = NDArray[np.uint8]


def write_overlay(timelines: Sequence[Prediction], path: Path) -> None:
    """Write a video: the frames with the faces that are read, and below them what is read.

    Every frame stays at its own time; the sound goes with them. One frame is held at a time. Below
    is what is said about the main person; beside the faces of several people are their numbers,
    and what is said about each then.

    Args:
        timelines: Of the people of a recording with images, the main person's first.
        path: The `.mp4`, H.264 and AAC.

    Raises:
        BadInput: The recording has no images, was in memory, or cannot be decoded any more.
    """
    main = timelines[0]
    main.check_file()
    info = probe(main.source, main.tracks)
    if not info.has_video:
        raise BadInput(main.source, "has no images; there is nothing to draw on")
    turn = main.face.turn if main.face is not None else 0
    turned = (info.height, info.width) if turn % 2 else (info.width, info.height)
    width, height = _size(*turned)
    panel = panel_of(main, width)
    total = len(picture_times(main.source, main.tracks))
    frames = progress(read_frames(main.source, tracks=main.tracks), f"draw {path.name}", total)
    with atomic_path(path) as temporary:
        write_mp4(
            temporary,
            _pictures(frames, timelines, turn, (width, height), panel),
            (height + panel.height, width),
            info.fps,
            info if info.has_audio else None,
        )


def _size(width: int, height: int) -> tuple[int, int]:
    """Even width and height of the images: neither huge nor too small for words below."""
    scale = min(1.0, _LONGEST / max(width, height))
    scale = max(scale, _LEAST_WIDTH / width)
    return 2 * round(width * scale / 2), 2 * round(height * scale / 2)


def _pictures(
    frames: Iterator[Frame],
    timelines: Sequence[Prediction],
    turn: int,
    size: tuple[int, int],
    panel: Panel,
) -> Iterator[tuple[float, Image]]:
    for upright in frames:
        frame = upright.turned(turn)
        shown = cv2.resize(frame.rgb(max(size)), size, interpolation=cv2.INTER_LINEAR)
        for timeline in timelines:
            if timeline.face is None:
                continue
            (box,), (there,) = timeline.face.at(np.array([frame.time]))
            if there:
                corners = (box * (size[0] / frame.width)).round().astype(int).tolist()
                colour = PEOPLE_COLOURS[(timeline.person - 1) % len(PEOPLE_COLOURS)]
                cv2.rectangle(shown, corners[:2], corners[2:], colour, 2, cv2.LINE_AA)
                if len(timelines) > 1:
                    said = f"{timeline.person} {timeline.brief(frame.time)}".rstrip()
                    _label(shown, said, corners, colour)
        yield frame.time, np.vstack([shown, panel.draw(frame.time)]).astype(np.uint8, copy=False)


def _label(
    image: cv2.typing.MatLike, text: str, corners: list[int], colour: tuple[int, int, int]
) -> None:
    """Words on a strip above a box, or inside of it where there is no room."""
    scale = max(0.45, image.shape[1] / 1600)
    text = text.encode("ascii", "replace").decode()
    (wide, tall), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    x = min(max(corners[0], 0), max(0, image.shape[1] - wide - 6))
    y = max(corners[1], tall + base + 4)
    cv2.rectangle(image, (x, y - tall - base - 4), (x + wide + 6, y), colour, cv2.FILLED)
    place = (x + 3, y - base - 1)
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)
