"""What is done to the frames of recordings, and to faces, before streams are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.synthetic.ravdess import synthesise
from affuse.errors import AffuseError
from affuse.features.blocks import joined
from affuse.features.catalogue import create_extractor
from affuse.features.prepare import prepare
from affuse.features.recorded import begin_all
from affuse.features.stream import Stream
from affuse.media.changes.clip import ClipChanges
from affuse.media.changes.faces import band
from affuse.media.changes.registry import Change
from affuse.media.face import Readings
from affuse.media.geometry import Geometry
from affuse.media.video import Frame
from tests.commands import run
from tests.folders import touch

HEIGHT, WIDTH = 48, 64
BOX = np.array([10.0, 4.0, 40.0, 44.0])
LANDMARKS = np.array([[18.0, 18.0], [32.0, 18.0], [25.0, 26.0], [19.0, 35.0], [31.0, 35.0]])


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def frame_of(image: np.ndarray, time: float = 0.0) -> Frame:
    picture = av.VideoFrame.from_ndarray(image, "rgb24")
    return Frame(picture, time, Geometry(image.shape[1], image.shape[0]))


def changed(*texts: str, clip: str = "clip") -> ClipChanges:
    return ClipChanges([Change.parse(text) for text in texts], clip)


def pixels(*texts: str) -> np.ndarray:
    frame = changed(*texts).frame(frame_of(noise()))
    assert frame is not None
    return frame.rgb()


def difference(*texts: str) -> float:
    return float(np.abs(pixels(*texts).astype(int) - noise()).mean())


@given(st.sampled_from(["blur=0:0.1", "darkness=0:12", "low-resolution=8:100"]), st.text())
@settings(max_examples=20, deadline=None)
def test_frames_keep_their_size_and_the_clip_alone_decides(text: str, clip: str) -> None:
    once, again = (changed(text, clip=clip).frame(frame_of(noise(), 1.5)) for _ in range(2))
    assert once is not None and again is not None
    assert once.rgb().shape == (HEIGHT, WIDTH, 3) and once.rgb().dtype == np.uint8
    assert (once.time, once.width, once.height) == (1.5, WIDTH, HEIGHT)
    np.testing.assert_array_equal(once.rgb(), again.rgb())
    np.testing.assert_array_equal(once.part(5, 3, 20, 30), once.rgb()[3:30, 5:20])
    np.testing.assert_array_equal(once.turned(1).rgb(), np.rot90(once.rgb()))


@pytest.mark.parametrize("text", ["blur=0", "darkness=0", "low-resolution=48", "lost-frames=0"])
def test_what_changes_nothing_leaves_the_frame(text: str) -> None:
    frame = frame_of(noise())
    assert changed(text).frame(frame) is frame


@pytest.mark.parametrize("part", ["eyes", "mouth"])
def test_nothing_is_covered_by_a_band_without_height(part: str) -> None:
    frame = frame_of(noise())
    assert changed(f"covered-{part}=0").face(frame, BOX, LANDMARKS) is frame


@pytest.mark.parametrize(
    "values", [("blur", 0.01, 0.05), ("darkness", 1, 3), ("low-resolution", 40, 12)]
)
def test_stronger_is_not_weaker(values: tuple[str, float, float]) -> None:
    name, weak, strong = values
    assert 0 < difference(f"{name}={weak}") < difference(f"{name}={strong}")


def test_a_stop_halves_the_light() -> None:
    grey = np.full((4, 4, 3), 188, np.uint8)  # half of the light of white in sRGB
    frame = changed("darkness=1").frame(frame_of(np.full_like(grey, 255)))
    assert frame is not None
    np.testing.assert_allclose(frame.rgb(), grey, atol=1)


def test_a_blur_depends_on_the_height_alone() -> None:
    step = np.zeros((48, 64, 3), np.uint8)
    step[:, 32:] = 255
    large = step.repeat(4, 0).repeat(4, 1)
    small, wide = (changed("blur=0.05").frame(frame_of(one)) for one in (step, large))
    assert small is not None and wide is not None
    between = wide.rgb()[::4, ::4].astype(int)
    assert np.abs(between - small.rgb()).max() < 40  # of 255, half a pixel apart


@given(st.floats(0, 0.95) | st.just(1.0), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_about_the_share_is_lost_half_a_second_at_a_time(share: float, number: int) -> None:
    times = np.arange(9000) / 30
    lost = lost_of(times, share, str(number))
    assert lost.mean() == pytest.approx(share, abs=0.12)
    if 0.2 < share < 0.8:
        begins = np.count_nonzero(lost[1:] & ~lost[:-1]) + 1
        assert lost.sum() / begins / 30 == pytest.approx(0.5, rel=0.3)


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_what_is_lost_does_not_depend_on_which_frames_are_asked_for(number: int) -> None:
    times = np.arange(6000) / 30  # beyond what is drawn at once
    late = times[-300:]
    assert (lost_of(late, 0.5, str(number)) == lost_of(times, 0.5, str(number))[-300:]).all()


def lost_of(times: Sequence[float] | np.ndarray, share: float, clip: str) -> np.ndarray:
    changes, image = ClipChanges([Change("lost-frames", share, share)], clip), noise()
    return np.array([changes.frame(frame_of(image, float(t))) is None for t in times])


@given(st.floats(-45, 45), st.sampled_from(["eyes", "mouth"]), st.floats(0.05, 0.5))
@settings(max_examples=20, deadline=None)
def test_a_band_lies_on_its_part_and_turns_with_the_face(
    degrees: float, part: str, share: float
) -> None:
    angle, middle = np.radians(degrees), LANDMARKS.mean(0)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = (LANDMARKS - middle) @ turn + middle
    assert part in ("eyes", "mouth")
    corners = band(BOX, turned, "eyes" if part == "eyes" else "mouth", share)
    points = turned[:2] if part == "eyes" else turned[3:]
    np.testing.assert_allclose(corners.mean(0), points.mean(0), atol=1e-9)
    along, up = corners[1] - corners[0], corners[0] - corners[3]
    assert np.hypot(*up) == pytest.approx(40 * share) and abs(along @ up) < 1e-6
    line = points[1] - points[0]
    assert along @ line == pytest.approx(np.hypot(*along) * np.hypot(*line))


def test_a_band_is_black_and_the_rest_stays() -> None:
    image = changed("covered-mouth=0.3").face(frame_of(noise()), BOX, LANDMARKS).rgb()
    assert not image[30:41, 10:40].any()
    np.testing.assert_array_equal(image[:28], noise()[:28])


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One synthetic actor of a second and a half."""
    root = tmp_path_factory.mktemp("faces") / "ravdess"
    once = {"intensities": (1,), "statements": (1,), "repetitions": (1,)}
    synthesise(root, actors=[1], seconds=1.5, **once)
    return sorted(root.glob("Actor_01/*.mp4"))[0]


def streams(video: Path, *texts: str) -> dict[str, Stream]:
    """What is made of a recording: faces, and its sound."""
    clip = Clip("clip", video=video, audio=video)
    made = {name: create_extractor(name) for name in ("video/aligned64", "audio/logmel64-16k")}
    readings = Readings(changes=changed(*texts) if texts else None)
    found = {name: joined(blocks()) for name, blocks in begin_all(made, clip, readings).items()}
    return {name: stream for name, stream in found.items() if stream is not None}


def test_faces_are_found_in_what_is_left(video: Path) -> None:
    plain = streams(video)
    same = streams(video, "lost-frames=0", "blur=0", "covered-eyes=0")
    face, sound = (plain[name].values for name in ("video/aligned64", "audio/logmel64-16k"))
    for name, stream in plain.items():
        np.testing.assert_array_equal(stream.values, same[name].values)
        np.testing.assert_array_equal(stream.mask, same[name].mask)
    dark, lost = streams(video, "darkness=12"), streams(video, "lost-frames=0.5")
    assert plain["video/aligned64"].mask.all() and not dark["video/aligned64"].mask.any()
    mask = lost["video/aligned64"].mask
    assert len(mask) == len(face) and 0 < mask.sum() < len(mask)
    covered = streams(video, "covered-eyes=0.3", "blur=0.01")["video/aligned64"]
    assert covered.mask.all() and np.median(covered.values[:, 26:34, 20:44]) == 0
    for other in (dark, lost):
        np.testing.assert_array_equal(other["audio/logmel64-16k"].values, sound)


def test_what_was_imported_cannot_be_changed(
    tmp_path: Path, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows").mkdir()
    np.save(tmp_path / "rows/a.npy", np.ones((10, 3), np.float32))
    own = ["--streams", "video/imported-own", "--rate", 10, "--source", tmp_path / "rows"]
    words = ["prepare", "ravdess", video.parents[1], "--store", tmp_path / "store"]
    assert run(*words, *own, "--change", "blur=0.01") == 2
    assert "video/imported-own is imported: its images cannot" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_face_images_of_the_corpus_cannot_be_changed(tmp_path: Path) -> None:
    touch(tmp_path, "images/a/00001.jpg")
    clips = [Clip("a", images=tmp_path / "images/a", label="joy")]
    corpus = Corpus("folder", tmp_path, clips, ("joy",), "none")
    faces = [create_extractor("video/aligned48")]
    with pytest.raises(AffuseError, match="face images that came with the corpus"):
        prepare(corpus, tmp_path / "store", faces, changes=[Change.parse("blur=0.01")])
