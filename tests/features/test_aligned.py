import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.media.recordings import grey, write_recording

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.aligned import AlignedFaces
from affuse.features.blocks import joined
from affuse.features.catalogue import create_extractor


def faces(folder: Path, numbers: list[int], size: int = 112) -> Path:
    """Images whose grey level is twice their number."""
    folder.mkdir()
    for number in numbers:
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), grey(2 * number, size, size))
    return folder


def video(path: Path, times: np.ndarray) -> Path:
    return write_recording(path, [(time, grey(100)) for time in times.tolist()])


def numbers_of(values: np.ndarray) -> np.ndarray:
    return np.round(values.mean((1, 2, 3)) / 2)


def test_every_picture_comes_at_30_hz_without_a_video(tmp_path: Path) -> None:
    clip = Clip("a", images=faces(tmp_path / "a", list(range(1, 31))))
    extractor = pickle.loads(pickle.dumps(AlignedFaces(48)))
    stream = extractor.extract(clip)
    assert extractor.spec.name == "video/aligned48" and extractor.spec.is_picture
    assert stream.values.shape == (30, 48, 48, 3) and stream.values.dtype == np.uint8
    assert stream.mask.all()
    np.testing.assert_array_equal(numbers_of(stream.values), np.arange(1, 31))
    assert len(extractor.sources(clip)) == 30
    assert extractor.extract(Clip("b")) is None and extractor.sources(Clip("b")) == []


def test_colours_are_red_green_blue_and_shrinking_averages(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    checks = np.zeros((112, 112, 3), np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = (0, 0, 240)  # red in OpenCV's order
    for number in range(1, 21):
        path = str(tmp_path / "a" / f"{number:05d}.jpg")
        cv2.imwrite(path, checks, [cv2.IMWRITE_JPEG_QUALITY, 100])
    stream = AlignedFaces(56).extract(Clip("a", images=tmp_path / "a"))
    red, green, blue = stream.values[3].reshape(-1, 3).astype(float).T
    assert abs(red.mean() - 120) < 12 and red.std() < 6
    assert green.mean() < 20 and blue.mean() < 20


def faces_of_noise(folder: Path, count: int, side: int) -> Path:
    """Blocks of random colours and some random pixels."""
    random = np.random.default_rng(side)
    folder.mkdir()
    for number in range(1, count + 1):
        picture = np.kron(random.integers(0, 256, (8, 8, 3)), np.ones((side // 8, side // 8, 1)))
        picture[:: number + 1, ::3] = random.integers(0, 256, (1, 1, 3))
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), picture)
    return folder


@pytest.mark.parametrize(("size", "side"), [(48, 112), (112, 48), (40, 256), (112, 112)])
def test_reference_pictures_are_those_that_pillow_makes(
    tmp_path: Path, size: int, side: int
) -> None:
    pillow = pytest.importorskip("PIL.Image")
    folder = faces_of_noise(tmp_path / "a", 20, side)
    extractor = create_extractor(f"video/aligned{size}-reference")
    assert extractor.spec.name == f"video/aligned{size}-reference" and extractor.spec.is_picture
    stream = extractor.extract(Clip("a", images=folder))
    theirs = [np.asarray(pillow.open(p).resize((size, size))) for p in sorted(folder.iterdir())]
    np.testing.assert_array_equal(stream.values, theirs)
    plain = create_extractor(f"video/aligned{size}")
    same = np.array_equal(plain.extract(Clip("a", images=folder)).values, theirs)
    assert same == (size == side) and plain.spec.recipe != extractor.spec.recipe


def test_reference_crops_of_a_video_are_resized_the_same_way(shared_data: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    clip = Clip("a", video=shared_data / "videos" / "face_noface.mov", start=1.0, end=2.0)
    large = create_extractor("video/aligned112").extract(clip)
    small = create_extractor("video/aligned48-published").extract(clip)
    np.testing.assert_array_equal(large.mask, small.mask)
    assert small.mask.any()
    theirs = [np.asarray(pillow.fromarray(crop).resize((48, 48))) for crop in large.values]
    np.testing.assert_array_equal(small.values, theirs)


def test_missing_pictures_are_absent_and_black(tmp_path: Path) -> None:
    there = [number for number in range(1, 61) if not 20 <= number < 35 and number != 50]
    stream = AlignedFaces(16).extract(Clip("a", images=faces(tmp_path / "a", there)))
    expected = np.isin(np.arange(1, 61), there)
    np.testing.assert_array_equal(stream.mask, expected)
    assert not stream.values[~expected].any()


@pytest.mark.parametrize("rate", [25.0, None])
def test_pictures_lie_at_the_time_stamps_of_the_video(tmp_path: Path, rate: float | None) -> None:
    steps = np.random.default_rng(1).choice([0.02, 0.04, 0.12], 59)
    times = np.arange(60) / rate if rate else np.concatenate([[0], np.cumsum(steps)])
    images = faces(tmp_path / "a", list(range(1, 61)))
    film = video(tmp_path / "a.mp4", times)
    clip = Clip("a", video=film, images=images)
    stream = AlignedFaces(16).extract(clip)
    shown = times[numbers_of(stream.values).astype(int) - 1]
    moments = np.arange(len(stream.mask)) / 30
    assert stream.mask.all() and abs(moments[-1] - times[-1]) < 0.1
    nearest = np.abs(moments[:, None] - times).min(1)
    np.testing.assert_allclose(np.abs(shown - moments), nearest, atol=2e-3)
    assert AlignedFaces(16).sources(clip)[-1] == film
    part = AlignedFaces(16).extract(Clip("a", video=film, images=images, start=0.5, end=1.5))
    np.testing.assert_array_equal(part.values, stream.values[15:45])


def test_pictures_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    images = faces(tmp_path / "a", list(range(1, 31)))
    broken = images / "00012.jpg"
    whole = broken.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"\xff" * 50 + b"\xff\xd9"):
        broken.write_bytes(damaged)
        with pytest.raises(BadInput, match=r"00012\.jpg: is not a") as error:
            AlignedFaces(16).extract(Clip("a", images=images))
        assert "\n" not in str(error.value)
    broken.write_bytes(whole)
    (images / "face.jpg").touch()
    with pytest.raises(BadInput, match=r"face\.jpg: is not named after"):
        AlignedFaces(16).extract(Clip("a", images=images))
    (images / "face.jpg").rename(images / "12.jpg")
    with pytest.raises(BadInput, match="is image 12, as"):
        AlignedFaces(16).extract(Clip("a", images=images))


def test_folders_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        AlignedFaces(16).extract(Clip("a", images=tmp_path / "absent"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no face image"):
        AlignedFaces(16).extract(Clip("a", images=tmp_path / "empty"))
    film = video(tmp_path / "a.mp4", np.arange(20) / 25)
    images = faces(tmp_path / "a", [1, 2, 40])
    with pytest.raises(BadInput, match=r"00040\.jpg: is image 40, but .*a\.mp4 has 20"):
        AlignedFaces(16).extract(Clip("a", video=film, images=images))


def shifted(picture: np.ndarray, x: int, y: int) -> np.ndarray:
    return np.roll(picture.astype(float), (y, x), (0, 1))[16:-16, 16:-16]


def test_crops_of_a_video_look_like_the_pictures_of_the_corpus(tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="synthetic faces need the demo extra")
    from affuse.corpora.affwild2 import read
    from affuse.corpora.synthetic.affwild2 import synthesise

    synthesise(tmp_path, videos=2, seconds=(3.0, 3.0))
    clip = next(c for c in read(tmp_path).clips if "640" not in c.id)  # one person
    own = AlignedFaces(112).extract(clip)
    crops = AlignedFaces(112).extract(Clip("a", video=clip.video))
    assert len(own.mask) == len(crops.mask) and crops.mask.all() and crops.start == 0
    for k in np.flatnonzero(own.mask)[::20]:
        errors = {
            (x, y): np.corrcoef(shifted(own.values[k], x, y).ravel(),
                                shifted(crops.values[k], 0, 0).ravel())[0, 1]
            for x in range(-16, 17, 4) for y in range(-16, 17, 4)
        }  # fmt: skip
        x, y = max(errors, key=errors.get)
        assert abs(x) <= 4 and abs(y) <= 8  # of 112 pixels
        assert errors[x, y] > 0.6
    names = [path.name for path in AlignedFaces(112).sources(Clip("a", video=clip.video))]
    assert names == [clip.video.name]


def test_a_face_that_vanishes_is_absent(shared_data: Path) -> None:
    path = shared_data / "videos" / "face_noface.mov"
    extractor = AlignedFaces(48)
    blocks = list(extractor.blocks(Clip("a", video=path)))
    assert [b.start for b in blocks] == [k * 256 / 30 for k in range(len(blocks))]
    whole = joined(blocks)
    shown = np.flatnonzero(whole.mask)
    assert 0.1 < whole.mask.mean() < 0.9 and len(whole.mask) == pytest.approx(6.42 * 30, abs=3)
    assert not whole.values[~whole.mask].any()
    assert whole.values[shown].reshape(len(shown), -1).any(1).all()
    part = extractor.extract(Clip("a", video=path, start=1.0, end=2.0))
    assert len(part.mask) == 30


def test_videos_without_a_face_or_without_pictures(shared_data: Path, tmp_path: Path) -> None:
    nobody = AlignedFaces(48).extract(Clip("a", video=shared_data / "videos" / "no_face.mp4"))
    assert not nobody.mask.any() and len(nobody.mask) > 100
    only_sound = write_recording(tmp_path / "a.mp4", sound=np.zeros((1, 48000), np.float32))
    assert AlignedFaces(48).extract(Clip("a", video=only_sound)) is None
    still = tmp_path / "a.png"
    cv2.imwrite(str(still), grey(100, 200, 200))
    assert AlignedFaces(48).extract(Clip("a", video=still)).values.shape == (1, 48, 48, 3)
