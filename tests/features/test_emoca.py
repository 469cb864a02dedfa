"""Expression codes imported from EMOCA's files: which image is where, and what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.media.recordings import counting, write_recording

from affuse.corpora.clip import Clip, Corpus
from affuse.errors import AffuseError, BadInput
from affuse.features.catalogue import create_extractor
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import Stream


def code(number: int) -> np.ndarray:
    """What EMOCA says of an image: all its values tell the number."""
    return np.full(50, number, np.float32)


def write(folder: Path, numbers: list[int], digits: int = 1) -> Path:
    """Codes of a clip; returns the source that it is in."""
    folder.mkdir(parents=True)
    for number in numbers:
        np.save(folder / f"{number:0{digits}d}.npy", code(number))
    return folder.parent


def extract(source: Path, clip: Clip) -> Stream:
    stream = create_extractor("video/emoca50", source).extract(clip)
    assert stream is not None
    return stream


@pytest.mark.parametrize("digits", [1, 5])
def test_pictures_are_in_the_order_of_their_numbers(tmp_path: Path, digits: int) -> None:
    source = write(tmp_path / "s" / "a", list(range(1, 46)), digits)
    stream = extract(source, Clip("a"))
    np.testing.assert_array_equal(stream.values[:, 0], np.arange(1, 46))
    assert stream.values.shape == (45, 50) and stream.values.dtype == np.float32
    assert stream.mask.all() and stream.start == 0.0


def test_pictures_may_count_from_zero(tmp_path: Path) -> None:
    stream = extract(write(tmp_path / "s" / "a", list(range(12))), Clip("a"))
    np.testing.assert_array_equal(stream.values[:, 49], np.arange(12))


@settings(max_examples=20, deadline=None)
@given(numbers=st.sets(st.integers(1, 30), min_size=1))
def test_a_missing_number_is_an_absent_frame(
    tmp_path_factory: pytest.TempPathFactory, numbers: set[int]
) -> None:
    source = write(tmp_path_factory.mktemp("emoca") / "s" / "a", sorted(numbers))
    stream = extract(source, Clip("a"))
    assert len(stream.mask) == max(numbers)
    assert set(np.flatnonzero(stream.mask) + 1) == numbers
    there = np.flatnonzero(stream.mask)
    np.testing.assert_array_equal(stream.values[there, 7], there + 1)
    assert not stream.values[~stream.mask].any()


def test_one_file_per_clip_says_the_same(tmp_path: Path) -> None:
    write(tmp_path / "s" / "a", list(range(1, 21)))
    np.save(tmp_path / "s" / "b.npy", np.stack([code(n) for n in range(1, 21)]).astype(np.float64))
    one, all_ = (extract(tmp_path / "s", Clip(name)) for name in "ab")
    np.testing.assert_array_equal(one.values, all_.values)
    assert all_.values.dtype == np.float32 and all_.mask.all()


def test_a_video_tells_the_rate(tmp_path: Path) -> None:
    video = write_recording(tmp_path / "film.mp4", counting(50))  # 25 images a second
    source = write(tmp_path / "s" / "film", list(range(1, 51)))
    stream = extract(source, Clip("x", video=video))
    assert abs(len(stream.mask) - 59) <= 1 and stream.mask.all()
    picture = 1 + 25 * np.arange(len(stream.mask)) / 30
    assert np.abs(stream.values[:, 0] - picture).max() <= 0.5 + 1e-6
    without = extract(source, Clip("film"))
    assert len(without.mask) == 50, "30 Hz where the video is not at hand"


def test_a_part_of_a_recording_starts_at_the_clip(tmp_path: Path) -> None:
    source = write(tmp_path / "s" / "a", list(range(1, 91)))
    part = extract(source, Clip("a", start=1.0, end=2.0))
    np.testing.assert_array_equal(part.values[:, 0], np.arange(31, 62))
    np.testing.assert_array_equal(extract(source, Clip("a", start=2.0)).values[0], code(61))
    assert not extract(source, Clip("a", start=9.0)).mask.any()


def test_a_clip_is_found_by_its_id_or_its_file(tmp_path: Path) -> None:
    source = write(tmp_path / "s" / "p1", [1, 2])
    write(source / "sub" / "p2", [1, 2, 3])
    assert len(extract(source, Clip("x", audio=Path("sounds/p1.wav"))).mask) == 2
    assert len(extract(source, Clip("sub/p2")).mask) == 3
    assert create_extractor("video/emoca50", source).extract(Clip("p3")) is None


def test_wrong_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="--source"):
        create_extractor("video/emoca50")
    with pytest.raises(AffuseError, match="--source"):
        create_extractor("video/emoca50", {"video/openface": tmp_path})
    with pytest.raises(BadInput, match="nowhere: no such folder"):
        create_extractor("video/emoca50", tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"holds no \.npy file"):
        create_extractor("video/emoca50", {"video/emoca50": tmp_path})


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("3.npy", np.zeros(53), r"float64 of shape \(53,\), not numbers \(50,\)"),
        ("3.npy", np.zeros((1, 50)), r"shape \(1, 50\)"),
        ("3.npy", np.full(50, "x"), "not numbers"),
        ("3.npy", np.full(50, np.nan), "not finite"),
        ("3.npy", np.array([print] * 50, object), "pickled"),
        ("3.npy", b"", "no NumPy array"),
        ("3.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr'", "damaged"),
        ("3.npy", pickle.dumps([0.0] * 50), "pickled"),
        ("third.npy", code(3), "not named after the number"),
        ("-3.npy", code(3), "not named after the number"),
        ("02.npy", code(2), "is image 2, as "),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, content: np.ndarray | bytes, reason: str
) -> None:
    source = write(tmp_path / "s" / "a", [1, 2])
    path = source / "a" / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(BadInput, match=reason) as error:
        extract(source, Clip("a"))
    assert error.value.path.parent == source / "a"


def test_an_empty_folder_is_not_an_absent_face(tmp_path: Path) -> None:
    source = write(tmp_path / "s" / "a", [1])
    (source / "b").mkdir()
    with pytest.raises(BadInput, match="b: holds no images"):
        extract(source, Clip("b"))


@pytest.mark.parametrize("shape", [(0, 50), (50,), (7, 53)])
def test_a_file_per_clip_of_another_shape_is_named(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(BadInput, match=r"a\.npy: .*not numbers \(T, 50\)"):
        extract(tmp_path, Clip("a"))


def test_a_picture_that_changes_is_read_again(tmp_path: Path) -> None:
    source = write(tmp_path / "s" / "a", list(range(1, 31)))
    corpus = Corpus("folder", tmp_path, [Clip("a", label="joy")], ("joy",), "none")

    def run() -> int:
        return prepare(
            corpus, tmp_path / "store", [create_extractor("video/emoca50", source)]
        ).computed

    assert (run(), run()) == (1, 0)
    np.save(source / "a" / "12.npy", np.float64(code(99)))
    assert run() == 1
    stream = Store(tmp_path / "store").stream("video/emoca50")
    assert stream["a"].values[11, 0] == 99
    assert len(stream.made_from["a"]) < 100, "not a line for every image"
