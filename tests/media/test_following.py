"""Following looks where faces are expected, and finds what a search of every image finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affuse.media import following
from affuse.media.boxes import intersection_over_union
from affuse.media.detectors import Detector, Face, create_detector
from affuse.media.mtcnn import MTCNN
from affuse.media.people import people_of
from affuse.media.tracks import Track
from tests.media.faces import track_faces
from tests.media.recordings import grey, write_recording
from tests.media.test_tracks import face


class Counting(MTCNN):
    """Says how many images it searched."""

    searched = 0

    def _search(self, images: NDArray[np.uint8]) -> list[list[Face]]:
        self.searched += len(images)
        return super()._search(images)


def photograph(side: int) -> np.ndarray:
    pytest.importorskip("skimage")
    from affuse.corpora.synthetic.portrait import photograph

    image = photograph()
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA))


def moving(path: Path, *positions: tuple[np.ndarray, np.ndarray], sides: tuple[int, ...]) -> Path:
    """Photographs on grey, each at (N,) x and y at 25 Hz."""
    pictures = []
    for k in range(len(positions[0][0])):
        image = grey(90, 640, 360)
        for (x, y), side in zip(positions, sides, strict=True):
            if np.isfinite(x[k]):
                left, top = int(x[k]), int(y[k])
                image[top : top + side, left : left + side] = photograph(side)
        pictures.append((k / 25, image))
    return write_recording(path, pictures, video_codec="mjpeg", pixels="yuvj420p")


def follow(path: Path, kind: type[MTCNN] = MTCNN) -> tuple[list[Track], Any]:
    detector = kind(min_face_size=40, max_side=640)
    return track_faces(path, detector), detector


def agreement(path: Path) -> tuple[list[float], list[bool]]:
    """Of every searched moment of every face: overlap with the yardstick, and presence equal."""
    found, _ = follow(path)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SEARCH", "SETTLED"):  # every image is searched
            patch.setattr(following, name, 0.0)
        expected, _ = follow(path)
    overlaps, same = [], []
    for track in expected:
        for time, box in zip(track.times, track.boxes, strict=True):
            places = [t.at(np.array([time])) for t in found]
            there = [boxes[0] for boxes, seen in places if seen[0]]
            best = max((float(intersection_over_union(box, b)) for b in there), default=0.0)
            overlaps += [best] if best > 0.3 else []
            same.append(best > 0.3)
    (main, *_), (ours, *_) = people_of(expected) or [None], people_of(found) or [None]
    assert (main is None) == (ours is None)
    if main is not None and ours is not None:
        times = np.arange(0, max(main.times[-1], ours.times[-1]), 0.2)
        same += (main.at(times)[1] == ours.at(times)[1]).tolist()
    return overlaps, same


def test_a_moving_face_is_followed_with_few_searches(tmp_path: Path) -> None:
    steps = np.arange(75)
    path = moving(tmp_path / "a.mov", (40 + 4.0 * steps, 40 + 30 * np.sin(steps / 8)), sides=(220,))
    overlaps, same = agreement(path)
    assert all(same) and np.mean(overlaps) >= 0.9
    (track,), detector = follow(path, Counting)
    assert len(track.times) == 16 and detector.searched <= 5


def test_who_comes_in_is_found_within_two_seconds_and_who_leaves_at_once(tmp_path: Path) -> None:
    steps = np.arange(100)
    stays = np.full(100, 20.0), np.full(100, 60.0)
    comes = np.where((steps >= 30) & (steps < 90), 380.0, np.nan), np.full(100, 80.0)
    path = moving(tmp_path / "a.mov", stays, comes, sides=(230, 220))
    first, second = follow(path)[0]
    assert first.times[[0, -1]] == pytest.approx([0.0, 3.96])
    assert 1.2 <= second.times[0] <= 3.2 and second.times[-1] == pytest.approx(3.4, abs=0.21)


def test_a_cut_to_somebody_else_is_searched_at_once(tmp_path: Path) -> None:
    steps = np.arange(50)
    first = np.where(steps < 27, 20.0, np.nan), np.full(50, 60.0)
    second = np.where(steps < 27, np.nan, 390.0), np.full(50, 20.0)
    path = moving(tmp_path / "a.mov", first, second, sides=(230, 230))
    one, other = follow(path)[0]
    assert one.times[-1] == pytest.approx(1.0) and other.times[0] == pytest.approx(1.2)


class Fickle(Detector):
    """Loses the face in some images where it looks, but not where it searches."""

    def __init__(self) -> None:
        super().__init__(min_face_size=1)
        self.searched = 0

    def confirm(self, image: NDArray[np.uint8], boxes: NDArray[np.floating]) -> list[Face | None]:
        return [None] * len(boxes)

    def _search(self, images: NDArray[np.uint8]) -> list[list[Face]]:
        self.searched += len(images)
        return [[face(24, 24, 24)] for _ in images]


def test_what_is_not_where_expected_is_searched_for(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.mp4", [(k / 25, grey(90)) for k in range(50)])
    detector = Fickle()
    (track,) = track_faces(path, detector)
    assert len(track.times) == detector.searched == 11


class Trusting(Fickle):
    """Finds the face wherever it is expected."""

    def confirm(self, image: NDArray[np.uint8], boxes: NDArray[np.floating]) -> list[Face | None]:
        return [face(24, 24, 24) for _ in boxes]


@pytest.mark.parametrize(("after", "searches"), [(95, 2), (200, 3)])
def test_the_whole_image_is_searched_after_a_cut(tmp_path: Path, after: int, searches: int) -> None:
    pictures = [(k / 25, grey(90 if k < 37 else after)) for k in range(50)]
    detector = Trusting()
    track_faces(write_recording(tmp_path / "a.mp4", pictures), detector)
    assert detector.searched == searches


def test_confirming_nothing_finds_nothing() -> None:
    detector = create_detector("mtcnn")
    assert detector.confirm(grey(90), np.zeros((0, 4))) == []
    boxes = np.array([[5.0, 5, 30, 30], [-50, -50, -20, -20]])
    assert detector.confirm(grey(90), boxes) == [None, None]


NAMES = ["bbaf2n.mpg", "single_face.mp4", "expressive_s13.mp4", "crowd_1080p.mp4"]


@pytest.mark.parametrize("name", NAMES)
def test_real_faces_are_where_a_search_finds_them(shared_data: Path, name: str) -> None:
    overlaps, same = agreement(shared_data / "videos" / name)
    assert np.mean(overlaps) >= 0.9 and np.mean(same) >= 0.95


@pytest.mark.slow
def test_all_real_faces_are_where_a_search_finds_them(shared_data: Path) -> None:
    paths = sorted((shared_data / "videos").iterdir())
    overlaps, same = zip(*map(agreement, paths), strict=True)
    assert np.mean(np.concatenate(overlaps)) >= 0.9
    assert np.mean(np.concatenate(same)) >= 0.99
