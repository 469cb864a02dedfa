from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from affuse.errors import AffuseError
from affuse.features.catalogue import create_extractor
from affuse.features.published import PublishedFaces
from affuse.media.crops import ALIGNED_LANDMARKS
from affuse.media.detectors import create_detector
from affuse.media.face import FaceOptions
from affuse.media.published_faces import published_faces, reference_frames
from affuse.media.tracks import Track
from affuse.media.video import read_frames
from affuse.verification.media_cases import check_faces224
from tests.media.faces import crop_faces, find_face
from tests.media.recordings import counting, grey, write_recording


def still(box: tuple[float, float, float, float], until: float = 1.0) -> Track:
    """A face that stays in place from 0 s on."""
    times = np.arange(0, until + 1e-9, 0.2)
    points = np.array([[box[0], box[1]], [box[2], box[1]], [20, 20], [18, 25], [25, 25]], float)
    return Track(
        times=times,
        boxes=np.tile(np.array(box, float), (len(times), 1)),
        probabilities=np.ones(len(times)),
        landmarks=np.tile(points, (len(times), 1, 1)),
        step=0.2,
        parts=np.zeros(len(times), np.intp),
    )


def level_at(time: float) -> float:
    return float(counting(25)[round(time * 25)][1][0, 0, 0])


def test_crops_come_from_the_nearest_picture_in_any_order(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "v.mp4", counting(25))
    times = np.array([0.5, 0.0, 0.979, 0.5, 0.21])
    crops, present = crop_faces(path, times, still((10, 10, 30, 30)), 16)
    assert crops.shape == (5, 16, 16, 3)
    assert present.all()
    expected = [level_at(t) for t in (0.48, 0.0, 0.96, 0.48, 0.2)]
    assert crops.mean((1, 2, 3)) == pytest.approx(expected, abs=9)


def test_no_picture_near_or_no_face_is_absent_and_black(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "v.mp4", counting(25))
    times = np.array([0.1, 0.4, 1.015, 1.03, 2.0])
    crops, present = crop_faces(path, times, still((10, 10, 30, 30), until=2.0), 8)
    assert present.tolist() == [True, True, True, False, False]
    assert not crops[3:].any()
    assert crops[:3].any((1, 2, 3)).all()
    left, present = crop_faces(path, times, still((10, 10, 30, 30), until=0.2), 8)
    assert present.tolist() == [True, False, False, False, False]
    assert not left[1:].any()
    nowhere, present = crop_faces(path, times, None, 8)
    assert nowhere.shape == (5, 8, 8, 3)
    assert not present.any()
    assert crop_faces(path, np.zeros(0), still((1, 1, 9, 9)), 8)[0].shape == (0, 8, 8, 3)


@pytest.fixture
def patch(tmp_path: Path) -> Path:
    """A red rectangle, 40 wide and 80 high, in a blue image."""
    image = grey(0, 320, 240)
    image[..., 2] = 255
    image[60:140, 100:140] = 255, 0, 0
    options = {"crf": "1"}
    return write_recording(
        tmp_path / "patch.mkv", [(i / 25, image) for i in range(3)], options=options,
        pixels="yuv444p",
    )  # fmt: skip


def red(crop: np.ndarray) -> np.ndarray:
    return (crop[..., 0] > 128) & (crop[..., 2] < 128)


def test_a_crop_is_a_square_around_the_box(patch: Path) -> None:
    track = still((100, 60, 140, 140))
    (crop,), _ = crop_faces(patch, np.zeros(1), track, 80)
    assert red(crop).mean() == pytest.approx(0.5, abs=0.03)
    assert red(crop)[:, 20:60].mean() > 0.95
    (wide,), _ = crop_faces(patch, np.zeros(1), track, 80, margin=1.0)
    assert red(wide).mean() == pytest.approx(0.125, abs=0.02)
    assert red(wide)[20:60, 30:50].mean() > 0.95


@pytest.mark.parametrize(
    "box", [(-30, -30, 50, 50), (300, 200, 360, 280), (-50, 100, 5, 160), (-99, -99, 500, 500)]
)
def test_boxes_beyond_the_edge_are_moved_inside(
    patch: Path, box: tuple[float, float, float, float]
) -> None:
    crops, present = crop_faces(patch, np.zeros(1), still(box), 32)
    assert present.all()
    assert (crops.sum(3) > 150).all()  # nothing black was added


@pytest.mark.parametrize(("size", "margin"), [(112, 0.0), (224, 0.5), (40, 0.0)])
def test_alignment_puts_landmarks_onto_the_template(
    tmp_path: Path, size: int, margin: float
) -> None:
    turned = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    points = 2.2 * (ALIGNED_LANDMARKS - 56) @ turned.T + (170, 130)
    image = grey(0, 320, 240)
    for i, (x, y) in enumerate(points):
        cv2.circle(image, (round(x), round(y)), 6, ((255, 80, 160, 60, 120)[i],) * 3, -1)
    path = write_recording(tmp_path / "dots.mkv", [(0.0, image)], video_codec="ffv1",
                           pixels="yuv444p")  # fmt: skip
    track = still((100, 60, 140, 140))
    assert track.landmarks is not None
    track.landmarks[:] = points
    (crop,), _ = crop_faces(path, np.zeros(1), track, size, margin=margin, align=True)
    expected = size / 2 + (ALIGNED_LANDMARKS - 56) * size / 112 / (1 + margin)
    found = cv2.connectedComponentsWithStats((crop[..., 0] > 25).astype(np.uint8))[3][1:]
    assert len(found) == 5
    distance = np.linalg.norm(found[:, None] - expected[None], axis=2).min(0)
    assert distance.max() < 0.012 * size


def test_alignment_needs_landmarks(patch: Path) -> None:
    track = still((100, 60, 140, 140))
    without = Track(track.times, track.boxes, track.probabilities, None, 0.2, track.parts)
    with pytest.raises(ValueError, match="no landmarks"):
        crop_faces(patch, np.zeros(1), without, 32, align=True)


def test_real_crops_hold_one_centred_face(shared_data: Path) -> None:
    path = shared_data / "videos" / "single_face.mp4"
    options = FaceOptions()
    times = np.arange(0, 2.3, 0.24)
    crops, present = crop_faces(path, times, find_face(path, options), 112, options.margin)
    assert present.all()
    for found in create_detector("mtcnn", min_face_size=40).detect(list(crops)):
        x1, y1, x2, y2 = found[0].box
        assert abs(x1 + x2 - 112) < 24
        assert abs(y1 + y2 - 112) < 24
        assert y2 - y1 > 75


@pytest.mark.slow
def test_the_published_rule(parity_cases: Path, shared_data: Path) -> None:
    case = json.loads((parity_cases / "data_faces224.json").read_text())
    for quantity, error, tolerance in check_faces224(case, shared_data / "videos"):
        assert error <= tolerance, quantity


def test_the_published_rule_without_a_face(shared_data: Path) -> None:
    found = published_faces(shared_data / "videos" / "no_face.mp4")
    assert found.crops.shape == (15, 224, 224, 3)
    assert not found.present.any()
    assert not found.crops.any()


def test_the_published_rule_repeats_the_last_box(shared_data: Path) -> None:
    assert published_faces(shared_data / "videos" / "face_noface.mov").present.all()
    count = sum(1 for _ in read_frames(shared_data / "videos" / "face_noface.mov"))
    assert count > 103


def test_numbers_of_the_pictures_in_the_published_rule() -> None:
    fifteen = (3, 10, 17, 24, 31, 39, 46, 53, 60, 67, 75, 82, 89, 96, 103)
    assert reference_frames(15) == fifteen
    for count in (1, 2, 30, 108):
        numbers = reference_frames(count)
        assert len(set(numbers)) == count and 0 <= min(numbers) <= max(numbers) < 108
    assert PublishedFaces().spec.recipe["frames"] == "3, 10, ... 103"
    assert PublishedFaces(30).spec.name == "video/faces224-published-30"
    with pytest.raises(AffuseError, match="1 to 108 images"):
        create_extractor("video/faces224-published-109")
