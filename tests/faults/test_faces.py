"""A face is found however small, and on its side; other people are counted."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from affuse.cli.main import main
from affuse.media.boxes import intersection_over_union
from affuse.media.face import FaceOptions
from affuse.media.people import people_of
from affuse.media.tracks import Track
from tests.media.faces import crop_faces, find_face, key_frames
from tests.media.recordings import grey, write_recording
from tests.media.test_tracks import face, link_faces
from tests.predictions import timeline_of

TIMES = np.array([0.1, 0.5, 0.9])


def person(height: int = 320) -> np.ndarray:
    """A photograph of a face, which is a third as high as the image."""
    pytest.importorskip("skimage")
    from affuse.corpora.synthetic.portrait import photograph

    image = photograph()[:, 64:384]
    return np.asarray(cv2.resize(image, (height, height), interpolation=cv2.INTER_AREA))


def placed(image: np.ndarray, width: int, height: int, x: int, y: int) -> np.ndarray:
    whole = grey(90, width, height)
    whole[y : y + image.shape[0], x : x + image.shape[1]] = image
    return whole


def film(path: Path, *images: np.ndarray, seconds: float = 1.0) -> Path:
    """Each image for so many seconds, at 25 per second."""
    count = round(seconds * 25)
    every = [image for image in images for _ in range(count)]
    pictures = [(k / 25, image) for k, image in enumerate(every)]
    return write_recording(path, pictures, video_codec="mjpeg", pixels="yuvj420p")


def crops(path: Path, track: Track | None) -> np.ndarray:
    assert track is not None
    found, present = crop_faces(path, TIMES, track, 48, 0.1)
    assert present.all()
    return found.astype(float)


@pytest.mark.parametrize("still", [False, True])
def test_a_small_face_in_a_large_picture_is_found_as_in_a_small_one(
    tmp_path: Path, still: bool
) -> None:
    image = person(160)  # the face is 56 pixels high, 28 of them where the longer side is 640
    large, small = placed(image, 1280, 720, 900, 300), placed(image, 320, 240, 100, 20)
    if still:
        paths = []
        for name, picture in (("large.png", large), ("small.png", small)):
            cv2.imwrite(str(tmp_path / name), picture[..., ::-1])
            paths.append(tmp_path / name)
        results = [timeline_of(path) for path in paths]
        assert [result.presence["video"].share for result in results] == [1.0, 1.0]
        np.testing.assert_allclose(results[0].overall, results[1].overall, atol=0.05)
        return
    a, b = film(tmp_path / "large.mov", large), film(tmp_path / "small.mov", small)
    found, expected = (find_face(path, FaceOptions()) for path in (a, b))
    assert found is not None and expected is not None and (found.turn, found.others) == (0, 0)
    boxes, present = found.at(TIMES)
    where = expected.at(TIMES)[0] + [800, 280, 800, 280]
    assert present.all() and intersection_over_union(boxes, where).min() > 0.8


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_face_that_lies_on_its_side_is_found_without_any_flag(tmp_path: Path, turns: int) -> None:
    image = placed(person(), 480, 320, 90, 0)
    plain = film(tmp_path / "plain.mov", image)
    turned = film(tmp_path / "turned.mov", np.rot90(image, -turns))
    track = find_face(turned, FaceOptions())
    assert track is not None and track.turn == turns
    expected = crops(plain, find_face(plain, FaceOptions()))
    assert np.abs(crops(turned, track) - expected).mean() < 8
    pictures = [key_frames(path, 1.0, t)[0].picture for path, t in ((plain, 0), (turned, turns))]
    assert pictures[0].shape == pictures[1].shape
    assert np.abs(pictures[0].astype(float) - pictures[1]).mean() < 4


def test_where_an_upright_face_is_found_nobody_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("affuse.media.face.second_look", lambda *args: pytest.fail("looked again"))
    track = find_face(film(tmp_path / "a.mov", person(), seconds=0.6), FaceOptions())
    assert track is not None and (track.turn, track.others) == (0, 0)


@pytest.mark.parametrize("kind", ["noise", "blobs", "grey"])
def test_nothing_is_found_where_there_is_nobody(tmp_path: Path, kind: str) -> None:
    random = np.random.default_rng(5)
    image = grey(120, 960, 540)
    if kind == "noise":
        image = random.integers(0, 256, image.shape).astype(np.uint8)
    if kind == "blobs":
        image = cv2.resize(random.integers(0, 256, (9, 16, 3)).astype(np.uint8), (960, 540))
    assert find_face(film(tmp_path / "a.mov", image, seconds=0.5), FaceOptions()) is None
    cv2.imwrite(str(tmp_path / "a.png"), image)
    assert find_face(tmp_path / "a.png", FaceOptions()) is None


def test_a_window_of_a_recording_is_looked_at_again_by_itself(tmp_path: Path) -> None:
    image = placed(person(), 480, 320, 90, 0)
    path = film(tmp_path / "a.mov", image, np.rot90(image, 1), grey(90, 480, 320), seconds=1.0)
    late = find_face(path, FaceOptions(), 1.04, 2.0)
    assert late is not None and late.turn == 3 and late.times[0] > 1.0 and late.times[-1] < 2.0
    assert find_face(path, FaceOptions(), 2.04, 3.0) is None


def seen(*people: tuple[float, float, float]) -> list[Track]:
    """Tracks of people: where, and from when to when."""
    times = 0.2 * np.arange(60)
    faces = [[face(x) for x, start, end in people if start <= time < end] for time in times]
    return link_faces(times, faces, 0.2)


def others(found: list[Track]) -> int:
    return people_of(found)[0].others


def test_others_are_those_who_are_seen_at_the_same_time() -> None:
    assert others(seen((100, 0, 12))) == 0
    assert others(seen((100, 0, 12), (400, 3, 9))) == 1
    assert others(seen((100, 0, 12), (400, 3, 9), (700, 5, 7))) == 2
    # one after the other, or the same person who left and came back
    assert others(seen((100, 0, 12), (400, 1, 4), (700, 6, 9))) == 1
    assert others(seen((100, 0, 12), (400, 1, 4), (400, 7, 9))) == 1
    # the main person comes back elsewhere
    assert others(seen((100, 0, 6), (600, 8, 12))) == 0


def test_other_people_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large, small = person(320), person(240)
    two = np.hstack([large, np.vstack([small, grey(90, 240, 80)])])
    path = film(tmp_path / "two.mov", two)
    alone = film(tmp_path / "one.mov", large)
    out = tmp_path / "out"
    assert main(["predict", str(path), str(alone), "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("; 1 other person in the image")
    assert lines[1].endswith("(sound 0%, face 100%)")
    for name, count in (("two", 1), ("one", 0)):
        assert json.loads((out / f"{name}.json").read_text())["others"] == count
