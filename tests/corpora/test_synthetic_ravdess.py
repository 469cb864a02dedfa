"""The synthetic RAVDESS: its layout, that it is reproducible, and that its files are sound."""

from __future__ import annotations

import importlib.util
import re
from fractions import Fraction
from pathlib import Path

import av
import cv2
import cv2.data as cascades
import numpy as np
import pytest

pytest.importorskip("skimage", reason="synthetic faces need the demo extra")

from tests.corpora.interrupt import interrupted
from tests.folders import digests

from affuse.corpora.synthetic.portrait import photograph
from affuse.corpora.synthetic.ravdess import synthesise
from affuse.errors import AffuseError, BadInput

ONE_OF_EACH = {"intensities": (1,), "statements": (1,), "repetitions": (1,)}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three actors, each emotion once."""
    out = tmp_path_factory.mktemp("ravdess")
    assert synthesise(out, actors=(1, 2, 11), seconds=1.5, **ONE_OF_EACH) == 24
    return out


def test_an_actor_has_the_publishers_sixty_clips(tmp_path: Path) -> None:
    assert synthesise(tmp_path, actors=(7,), modalities=("03",), seconds=1) == 60
    names = [path.name for path in (tmp_path / "Actor_07").iterdir()]
    assert len(names) == 60
    pattern = re.compile(r"03-01-(01-01|0[2-8]-0[12])-0[12]-0[12]-07\.wav")
    assert all(pattern.fullmatch(name) for name in names)


def test_the_folder_says_that_it_is_synthetic(corpus: Path) -> None:
    readme = (corpus / "README.txt").read_text()
    assert "synthetic" in readme and "seed 0" in readme and "Licence" in readme


def test_nothing_but_clips_and_the_readme_is_left(corpus: Path) -> None:
    for path in digests(corpus):
        assert path == "README.txt" or re.fullmatch(r"Actor_\d\d/01(-\d\d){6}\.mp4", path)


def test_clips_hold_pictures_and_sound_of_the_same_length(corpus: Path) -> None:
    for path in sorted((corpus / "Actor_02").iterdir()):
        with av.open(str(path)) as container:
            video, audio = container.streams.video[0], container.streams.audio[0]
            assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
            assert video.average_rate == Fraction(30000, 1001)
            times = [float(frame.pts * frame.time_base) for frame in container.decode(video)]
            container.seek(0)
            samples = sum(frame.samples for frame in container.decode(audio))
        assert np.allclose(np.diff(times), 1001 / 30000, atol=1e-4)
        assert len(times) == 45
        assert abs(samples / 48_000 - len(times) * 1001 / 30000) < 0.03


def test_modalities_of_one_take_agree(tmp_path: Path) -> None:
    chosen = {"actors": (4,), "seconds": 1, **ONE_OF_EACH}
    assert synthesise(tmp_path, modalities=("01", "02", "03"), **chosen) == 24
    take = "01-08-01-01-01-04"
    both, silent, wav = (
        tmp_path / "Actor_04" / f"{name}-{take}{suffix}"
        for name, suffix in (("01", ".mp4"), ("02", ".mp4"), ("03", ".wav"))
    )
    with av.open(str(silent)) as container:
        assert not container.streams.audio
    with av.open(str(both)) as one, av.open(str(silent)) as other:
        for a, b in zip(one.decode(video=0), other.decode(video=0), strict=True):
            assert np.array_equal(a.to_ndarray(), b.to_ndarray())
    with av.open(str(both)) as container:
        compressed = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    with av.open(str(wav)) as container:
        assert container.streams.audio[0].codec_context.name == "pcm_s16le"
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)]) / 32768
    assert np.corrcoef(compressed[: len(sound)], sound)[0, 1] > 0.98


def test_files_depend_on_seed_and_name_only(corpus: Path, tmp_path: Path) -> None:
    chosen = {"actors": (11,), "seconds": 1.5, **ONE_OF_EACH}
    synthesise(tmp_path / "again", **chosen)
    again = digests(tmp_path / "again")
    assert again.items() <= digests(corpus).items()
    synthesise(tmp_path / "other", seed=1, **chosen)
    other = digests(tmp_path / "other")
    assert other.keys() == again.keys()
    assert not other.items() & again.items()


@pytest.mark.slow
def test_workers_write_the_same_files(corpus: Path, tmp_path: Path) -> None:
    synthesise(tmp_path, actors=(2, 1, 11), seconds=1.5, workers=2, **ONE_OF_EACH)
    assert digests(tmp_path) == digests(corpus)


def test_an_interrupted_run_is_completed(tmp_path: Path) -> None:
    chosen = {"actors": (3,), "seconds": 1, "modalities": ("03",), **ONE_OF_EACH}
    with pytest.raises(KeyboardInterrupt):
        synthesise(tmp_path / "broken", progress=interrupted("synth ravdess", 8, after=3), **chosen)
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "broken").rglob("*.wav")}
    assert 0 < len(kept) < 8
    assert synthesise(tmp_path / "broken", **chosen) == 8
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    synthesise(tmp_path / "whole", **chosen)
    assert digests(tmp_path / "broken") == digests(tmp_path / "whole")


def test_a_folder_of_something_else_is_left_alone(corpus: Path, tmp_path: Path) -> None:
    before = digests(corpus)
    with pytest.raises(BadInput, match=r"README\.txt"):
        synthesise(corpus, seed=5, actors=(1,))
    assert digests(corpus) == before
    (tmp_path / "Actor_01").mkdir()
    with pytest.raises(BadInput, match="holds recordings but no README"):
        synthesise(tmp_path, actors=(1,))
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="not a folder"):
        synthesise(tmp_path / "file", actors=(1,))


@pytest.mark.parametrize(
    "wrong",
    [
        {"actors": (0,)},
        {"actors": ()},
        {"intensities": (3,)},
        {"modalities": ("04",)},
        {"modalities": ()},
        {"seconds": 0.5},
        {"fps": 0},
    ],
)
def test_options_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(AffuseError, match="expected"):
        synthesise(tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_without_scikit_image_the_user_learns_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph.cache_clear()
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "affuse.extras.find_spec", lambda name: None if name == "skimage" else real(name)
    )
    with pytest.raises(AffuseError, match=r"pip install \"affuse\[demo\]\""):
        synthesise(tmp_path / "out", actors=(1,))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_face_detector_finds_the_face(corpus: Path) -> None:
    cascade = cv2.CascadeClassifier(cascades.haarcascades + "haarcascade_frontalface_default.xml")
    found = []
    for path in sorted(corpus.rglob("*.mp4")):
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
        found += [
            len(cascade.detectMultiScale(frame, 1.1, 4, minSize=(50, 50))) == 1
            for frame in frames[4::20]
        ]
    assert len(found) == 72
    assert np.mean(found) >= 0.95
