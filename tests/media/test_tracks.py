from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from affuse.errors import BadInput
from affuse.media.detectors import Detector, Face
from affuse.media.face import FaceOptions
from affuse.media.linking import Linking
from affuse.media.people import people_of
from affuse.media.tracks import Track
from tests.media.faces import find_face, track_faces
from tests.media.recordings import beep, counting, write_recording


def face(x: float, y: float = 100.0, side: float = 80.0, probability: float = 0.99) -> Face:
    points = np.array([[x, y]] * 5)
    return Face((x - side / 2, y - side / 2, x + side / 2, y + side / 2), probability, points)


def link_faces(times: np.ndarray, faces: list[list[Face]], every: float) -> list[Track]:
    linking = Linking(every)
    for time, found in zip(times.tolist(), faces, strict=True):
        linking.add(time, found)
    return linking.tracks()


def link(positions: list[list[float]], every: float = 0.2) -> list[Track]:
    times = every * np.arange(len(positions))
    return link_faces(times, [[face(x) for x in found] for found in positions], every)


def test_two_faces_stay_apart_while_they_move() -> None:
    tracks = link([[100 + 10 * i, 500 - 10 * i] for i in range(12)])
    assert [len(track.times) for track in tracks] == [12, 12]
    first, second = (track.boxes[:, [0, 2]].mean(1) for track in tracks)
    assert first == pytest.approx(100 + 10 * np.arange(12))
    assert second == pytest.approx(500 - 10 * np.arange(12))


def test_the_order_of_detections_does_not_matter() -> None:
    tracks = link([[100, 500] if i % 2 else [500, 100] for i in range(6)])
    assert all(np.ptp(track.boxes[:, 0]) == 0 for track in tracks)


def test_boxes_are_interpolated_between_detections() -> None:
    (track,) = link([[100], [120]])
    boxes, present = track.at(np.array([0.0, 0.05, 0.1, 0.2]))
    assert boxes[:, 0] == pytest.approx([60, 65, 70, 80])
    assert present.all()
    points, _ = track.landmarks_at(np.array([0.05]))
    assert points[0, 0] == pytest.approx([105, 100])


def test_one_missed_detection_is_bridged() -> None:
    (track,) = link([[100], [], [140]])
    boxes, present = track.at(np.array([0.2]))
    assert present.all()
    assert boxes[0, 0] == pytest.approx(80)


def test_a_short_loss_continues_the_track_but_stays_absent() -> None:
    (track,) = link([[100], [100], [], [], [], [100], [100]])
    times = np.array([0.2, 0.29, 0.31, 0.5, 0.6, 0.89, 0.91, 1.0])
    assert track.at(times)[1].tolist() == [True, True, False, False, False, False, True, True]


def test_a_long_loss_or_another_place_begins_a_new_track() -> None:
    assert len(link([[100]] + [[]] * 6 + [[100]])) == 2
    assert len(link([[100], [300]])) == 2


def test_the_ends_reach_half_a_step() -> None:
    (track,) = link([[], [100], [100], []])
    times = np.array([0.05, 0.11, 0.45, 0.51, 9.0, -9.0])
    assert track.at(times)[1].tolist() == [False, True, True, False, False, False]


def test_the_main_face_is_the_largest_or_the_longest() -> None:
    small = [(0.2 * i, face(100, side=40)) for i in range(20)]
    large = [(0.2 * i, face(400, side=160)) for i in range(5)]
    faces = [[f for t, f in small + large if t == 0.2 * i] for i in range(20)]
    tracks = link_faces(0.2 * np.arange(20), faces, 0.2)
    largest, longest = people_of(tracks)[0], people_of(tracks, "longest")[0]
    assert (len(largest.times), len(longest.times)) == (5, 20)
    assert np.array_equal(people_of(tracks[::-1])[0].boxes, largest.boxes)
    assert people_of([]) == []
    with pytest.raises(ValueError, match="largest, longest"):
        people_of(tracks, "loudest")


def test_a_person_who_comes_back_elsewhere_stays_the_main_face() -> None:
    faces = [[100.0]] * 5 + [[]] * 10 + [[600.0]] * 5
    track = people_of(link(faces))[0]
    boxes, present = track.at(np.array([0.4, 1.9, 3.4]))
    assert present.tolist() == [True, False, True]
    assert boxes[[0, 2], 0] == pytest.approx([60, 560])


def test_nothing_is_interpolated_across_a_cut() -> None:
    track = people_of(link([[100.0]] * 5 + [[600.0]] * 5))[0]
    boxes, present = track.at(np.array([0.85, 0.95]))
    assert present.all()
    assert boxes[:, 0] == pytest.approx([60, 560])


class Scripted(Detector):
    """Finds a face in bright images and sometimes mistakes something else for one."""

    def __init__(self, mistakes: int = 0, probability: float = 0.99) -> None:
        super().__init__(min_face_size=1)
        self.searched = 0
        self.mistakes = mistakes
        self.probability = probability

    def _search(self, images: np.ndarray) -> list[list[Face]]:
        found = []
        for image in images:
            self.searched += 1
            faces = [face(24, 24, 24, self.probability)] if image.mean() > 100 else []
            if self.searched <= self.mistakes:
                faces.append(face(50, 30, 10))
            found.append(faces)
        return found


def test_pictures_are_searched_by_time_and_the_last_one_too(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "v.mp4", counting(29))
    detector = Scripted()
    (track,) = track_faces(path, detector, every=0.2)
    assert detector.searched == 7
    assert track.times == pytest.approx([0.6, 0.8, 1.0, 1.12])
    dense = Scripted()
    track_faces(path, dense, every=0.0)
    assert dense.searched == 29


def test_a_window_of_a_recording(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "v.mp4", counting(50))
    (track,) = track_faces(path, Scripted(), every=0.2, start=1.2, end=1.7)
    assert track.times == pytest.approx([1.2, 1.4, 1.6, 1.68])


def test_rare_or_doubtful_faces_are_dropped(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "v.mp4", counting(50))
    assert len(track_faces(path, Scripted(mistakes=2), every=0.2)) == 1
    assert len(track_faces(path, Scripted(mistakes=3), every=0.2)) == 2
    assert track_faces(path, Scripted(probability=0.8), every=0.2) == []


def test_rare_pictures_are_still_one_track(tmp_path: Path) -> None:
    pictures = [(0.8 * i, image) for i, (_, image) in enumerate(counting(8))][4:]
    path = write_recording(tmp_path / "slow.mkv", pictures)
    (track,) = track_faces(path, Scripted(), every=0.2)
    assert track.at(np.linspace(0, 2.4, 20))[1].all()


def test_sound_alone_has_no_faces_to_track(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.m4a", sound=beep(0.5, 0.1, 16000), rate=16000)
    with pytest.raises(BadInput, match="has no images"):
        track_faces(path, Scripted())


def test_options_are_plain_json() -> None:
    assert FaceOptions(**json.loads(json.dumps(asdict(FaceOptions())))) == FaceOptions()


SINGLE = ["bbaf2n.mpg", "single_face.mp4", "expressive_s13.mp4", "square_1.mp4"]


def presence(path: Path) -> np.ndarray:
    from affuse.media.video import read_frames

    track = find_face(path, FaceOptions())
    times = np.array([frame.time for frame in read_frames(path)])
    return np.zeros(len(times), bool) if track is None else track.at(times)[1]


@pytest.mark.parametrize("name", SINGLE)
def test_a_single_face_is_followed_throughout(shared_data: Path, name: str) -> None:
    assert presence(shared_data / "videos" / name).mean() >= 0.95


@pytest.mark.slow
def test_all_single_faces_are_followed_throughout(shared_data: Path) -> None:
    others = {"crowd_1080p.mp4", "face_noface.mov", "no_face.mp4"}
    names = sorted({path.name for path in (shared_data / "videos").iterdir()} - others)
    assert len(names) >= 14
    for name in names:
        assert presence(shared_data / "videos" / name).mean() >= 0.95, name


def test_no_face_is_found_where_there_is_none(shared_data: Path) -> None:
    assert find_face(shared_data / "videos" / "no_face.mp4", FaceOptions()) is None


def test_a_face_that_leaves_is_absent_afterwards(shared_data: Path) -> None:
    present = presence(shared_data / "videos" / "face_noface.mov")
    last = int(np.flatnonzero(present)[-1])
    assert present[: last + 1].all()
    # the scene changes at 2.40 s
    assert 2.2 <= last / 30 <= 2.45
