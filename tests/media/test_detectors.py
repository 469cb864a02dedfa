from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.errors import AffuseError
from affuse.media.detectors import DETECTORS, create_detector
from affuse.media.video import read_frames
from affuse.verification.media_cases import check_mtcnn


def assert_parity(case: dict[str, Any], videos: Path) -> None:
    for quantity, error, tolerance in check_mtcnn(case, videos):
        assert error <= tolerance, quantity


def test_mtcnn_finds_what_the_published_one_finds(parity_cases: Path, shared_data: Path) -> None:
    case = json.loads((parity_cases / "data_mtcnn.json").read_text())
    files = ("bbaf2n.mpg", "no_face.mp4", "single_face.mp4", "expressive_s18.mp4")
    case["items"] = [
        item
        for item in case["items"]
        if item["file"] in files or (item["file"], item["frame"]) == ("crowd_1080p.mp4", 0)
    ]
    assert len(case["items"]) >= 20
    assert_parity(case, shared_data / "videos")


@pytest.mark.slow
def test_mtcnn_finds_what_the_published_one_finds_in_all_cases(
    parity_cases: Path, shared_data: Path
) -> None:
    case = json.loads((parity_cases / "data_mtcnn.json").read_text())
    assert_parity(case, shared_data / "videos")


@pytest.mark.slow
def test_parity_notices_a_difference(parity_cases: Path, shared_data: Path) -> None:
    case = json.loads((parity_cases / "data_mtcnn.json").read_text())
    case["items"] = case["items"][:2]
    case["items"][0]["faces"][0]["box"][0] += 1
    case["items"][1]["faces"] = []
    failed = [
        name for name, error, limit in check_mtcnn(case, shared_data / "videos") if error > limit
    ]
    assert failed == ["number of faces", "box, pixels"]


@pytest.fixture(scope="module")
def faces(shared_data: Path) -> list[np.ndarray]:
    return [
        next(read_frames(shared_data / "videos" / name)).rgb()
        for name in ("bbaf2n.mpg", "lwbsza.mpg", "no_face.mp4", "single_face.mp4", "pwij3p.mpg")
    ]


@pytest.mark.parametrize("name", DETECTORS)
def test_faces_do_not_depend_on_what_else_is_searched(name: str, faces: list[np.ndarray]) -> None:
    detector = create_detector(name, min_face_size=40)
    together = detector.detect(faces)
    alone = [detector.detect([image])[0] for image in faces]
    assert [len(found) for found in together] == [len(found) for found in alone]
    assert [bool(found) for found in alone] == [True, True, False, True, True]
    for (a, *_), (b, *_) in zip(together[:2], alone[:2], strict=True):
        assert a.box == pytest.approx(b.box, abs=1e-3)
        assert a.probability == pytest.approx(b.probability, abs=1e-5)


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("max_side", [200, 320])
def test_searching_a_smaller_image_gives_boxes_of_the_image_itself(
    name: str, max_side: int, faces: list[np.ndarray]
) -> None:
    (full,), (small,) = (
        create_detector(name, min_face_size=40, max_side=side).detect(faces[:1])
        for side in (None, max_side)
    )
    assert np.array(small[0].box) == pytest.approx(np.array(full[0].box), abs=20)
    if full[0].landmarks is not None:
        assert small[0].landmarks == pytest.approx(full[0].landmarks, abs=6)


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("shape", [(1, 1, 3), (8, 400, 3), (50, 50, 3), (301, 203, 3)])
def test_images_without_a_face(name: str, shape: tuple[int, ...]) -> None:
    black = np.zeros(shape, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert create_detector(name).detect([black, noise]) == [[], []]
    assert create_detector(name).detect([]) == []


def test_a_face_that_is_cut_off_at_the_edge(faces: list[np.ndarray]) -> None:
    (whole,) = create_detector("mtcnn").detect(faces[:1])[0]
    x1, _, x2, _ = whole.box
    image = np.ascontiguousarray(faces[0][:, int(x1 + 0.2 * (x2 - x1)) :])
    (cut,) = create_detector("mtcnn").detect([image])[0]
    assert cut.probability > 0.9
    assert cut.box[0] < 20 < 50 < cut.box[2] < 0.9 * (x2 - x1)


def test_the_largest_face_comes_first(shared_data: Path) -> None:
    image = next(read_frames(shared_data / "videos" / "crowd_1080p.mp4")).rgb()
    (found,) = create_detector("mtcnn", min_face_size=40, max_side=1280).detect([image])
    assert len(found) >= 4
    areas = [face.area for face in found]
    assert areas == sorted(areas, reverse=True)


def test_unknown_detector() -> None:
    with pytest.raises(AffuseError, match="mtcnn, haar"):
        create_detector("magic")


@pytest.mark.parametrize("options", [{"min_face_size": 0}, {"max_side": -1}])
def test_sizes_must_be_positive(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        create_detector("mtcnn", **options)
