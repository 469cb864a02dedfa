"""The synthetic Aff-Wild2: its layout, that it is reproducible, and that it can be learned from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("skimage", reason="synthetic faces need the demo extra")

from tests.folders import digests

from affuse.audit.leaks import find_leaks
from affuse.corpora.affwild2 import LICENCE, read
from affuse.corpora.annotation import read_annotation
from affuse.corpora.clip import Clip
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.synthetic.affwild2 import plan, synthesise
from affuse.errors import AffuseError, BadInput
from affuse.features.aligned import AlignedFaces
from affuse.features.annotation import AnnotationTrack, problems
from affuse.media.audio import read_sound
from affuse.media.probe import probe
from affuse.media.timestamps import picture_times
from affuse.media.video import read_frames
from affuse.training.recipe_files import load_recipe

SECONDS = (4.0, 4.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five videos that stand for all kinds."""
    out = tmp_path_factory.mktemp("affwild2")
    assert synthesise(out, videos=5, seconds=SECONDS) == 5
    return out


@pytest.fixture(scope="module")
def clips(corpus: Path) -> dict[str, Clip]:
    return {clip.id: clip for clip in read(corpus).clips}


def truth(corpus: Path, clip: Clip, times: np.ndarray) -> np.ndarray:
    """Valence and arousal (N, 2) that face and voice follow."""
    track = read_annotation(corpus / "truth" / f"{clip.id}.csv")
    return np.stack([np.interp(times, track.times, v) for v in track.values.T], axis=1)


def test_it_is_read_as_the_corpus_that_it_looks_like(corpus: Path, clips: dict[str, Clip]) -> None:
    found = read(corpus)
    assert not found.missing and not found.left_out
    assert "synthetic" in found.licence and found.licence != LICENCE
    partitions = {name: clip.partition for name, clip in clips.items()}
    assert partitions == {
        "1-30-640x240_left": "train",
        "1-30-640x240_right": "train",
        "3-25-320x240": "test",
        "video2": "validation",
        "video4_1": "train",
        "video4_2": "train",
    }
    assert clips["video4_1"].speaker == clips["video4_2"].speaker
    assert clips["1-30-640x240_left"].video == clips["1-30-640x240_right"].video


def test_a_dozen_videos_have_all_rates_containers_and_partitions() -> None:
    videos = [plan(number) for number in range(1, 25)]
    assert len({video.name for video in videos}) == 24
    assert len({trial for video in videos for trial in video.people}) == 26
    dozen = videos[:12]
    assert {video.suffix for video in dozen} == {".mp4", ".avi"}
    assert len({video.fps for video in dozen}) == 4
    partitions = [video.partition for video in dozen]
    assert [partitions.count(p) for p in ("train", "validation", "test")] == [7, 3, 2]


def test_videos_have_their_rates_and_sound(clips: dict[str, Clip]) -> None:
    infos = {name: probe(clip.video) for name, clip in clips.items()}
    assert infos["3-25-320x240"].fps == 25 and infos["1-30-640x240_left"].fps == 30
    assert infos["video4_1"].fps == pytest.approx(29.97, abs=0.01)
    assert (infos["1-30-640x240_left"].width, infos["video2"].width) == (640, 320)
    for info in infos.values():
        assert info.has_audio and info.duration == pytest.approx(4, abs=0.1)
    steps = np.diff(picture_times(clips["video2"].video))
    assert steps.max() > 1.5 * steps.min()


def test_time_stamps_are_those_of_the_truth(corpus: Path, clips: dict[str, Clip]) -> None:
    for name, clip in clips.items():
        track = read_annotation(corpus / "truth" / f"{name}.csv")
        times = picture_times(clip.video)
        np.testing.assert_allclose(times, track.times, atol=1e-3)
        np.testing.assert_allclose([f.time for f in read_frames(clip.video)], times, atol=1e-3)


def test_annotations_follow_the_truth_late_and_with_gaps(
    corpus: Path, clips: dict[str, Clip]
) -> None:
    for clip in clips.values():
        stream = AnnotationTrack().extract(clip)
        if clip.partition == "test":
            assert stream is None
            continue
        moments = np.arange(len(stream.mask)) / 30
        assert 0.6 < stream.mask.mean() < 1
        late = truth(corpus, clip, np.maximum(moments - 0.35, 0))
        error = np.abs(stream.values - late)[stream.mask]
        assert 0.01 < error.mean() < 0.15


def test_faces_are_cut_out_where_they_are_and_missing_ones_are_absent(
    clips: dict[str, Clip],
) -> None:
    for clip in clips.values():
        there = sorted(clip.images.iterdir())
        frames = list(read_frames(clip.video))
        assert 0 < len(frames) - len(there) < 0.4 * len(frames)
        assert any("face images" in line for line in problems(clip))
        stream = AlignedFaces(112).extract(clip)
        assert 0.6 < stream.mask.mean() < 1
        number = int(there[len(there) // 2].stem)
        crop = cv2.imread(str(there[len(there) // 2]), cv2.IMREAD_COLOR_RGB)
        picture = frames[number - 1].rgb()
        if "_" in clip.id and clip.id.startswith("1-"):
            half = slice(0, 320) if clip.id.endswith("left") else slice(320, 640)
            picture = picture[:, half]
        best = max(
            cv2.matchTemplate(picture, cv2.resize(crop, (side, side)), cv2.TM_CCOEFF_NORMED).max()
            for side in range(112, 186, 4)
        )
        assert best > 0.97


def test_a_file_depends_on_the_seed_and_the_name_only(corpus: Path, tmp_path: Path) -> None:
    synthesise(tmp_path / "again", videos=3, seconds=SECONDS)
    again = digests(tmp_path / "again")
    assert len(again) > 200 and again.items() <= digests(corpus).items()
    synthesise(tmp_path / "other", seed=1, videos=1, seconds=SECONDS)
    assert not digests(tmp_path / "other").items() & again.items()


def test_an_interrupted_run_is_completed(corpus: Path, tmp_path: Path) -> None:
    def break_off(done: Iterable[None], label: str, total: int) -> Iterator[None]:
        assert total == 3
        yield next(iter(done))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesise(tmp_path, videos=3, seconds=SECONDS, progress=break_off)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.name for path in (tmp_path / "videos").iterdir()} == {"1-30-640x240.mp4"}
    (tmp_path / "cropped_aligned" / "video2").mkdir()  # as when the power fails
    assert synthesise(tmp_path, videos=3, seconds=SECONDS) == 3
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    made = digests(tmp_path)
    assert made.items() <= digests(corpus).items()
    assert {path.name for path in (tmp_path / "cropped_aligned").iterdir()} == {
        "1-30-640x240_left",
        "1-30-640x240_right",
        "3-25-320x240",
        "video2",
    }


def test_a_folder_of_something_else_is_left_alone(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"README\.txt"):
        synthesise(corpus, seed=5, videos=1, seconds=SECONDS)
    with pytest.raises(BadInput, match=r"README\.txt"):
        synthesise(corpus, videos=1, seconds=(3.0, 4.0))
    (tmp_path / "VA_Set").mkdir()
    with pytest.raises(BadInput, match=r"no README\.txt"):
        synthesise(tmp_path, videos=1, seconds=SECONDS)


@pytest.mark.parametrize("wrong", [{"videos": 0}, {"seconds": (1.0, 4.0)}, {"seconds": (5.0, 4.0)}])
def test_options_out_of_range_are_refused(
    tmp_path: Path, wrong: dict[str, int | tuple[float, float]]
) -> None:
    with pytest.raises(AffuseError, match="expected"):
        synthesise(tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_face_tells_valence_and_the_voice_tells_arousal(tmp_path: Path) -> None:
    synthesise(tmp_path, videos=4, seconds=(14.0, 14.0))
    pixels, values, levels, clips = [], [], [], []
    for number, clip in enumerate(c for c in read(tmp_path).clips if "640" not in c.id):
        stream = AlignedFaces(24).extract(clip)
        rows = np.flatnonzero(stream.mask)[::5]
        faces = stream.values[rows].reshape(len(rows), -1) / 255
        pixels.append(faces - faces.mean(0))
        values.append(truth(tmp_path, clip, rows / 30))
        sound = read_sound(clip.audio, 16000).samples
        around = [
            sound[max(0, int((t - 0.75) * 16000)) : int((t + 0.75) * 16000)] for t in rows / 30
        ]
        level = np.array([10 * np.log10(np.mean(part**2)) for part in around])
        levels.append(level - level.mean())
        clips += [number] * len(rows)
    x, y, of = np.concatenate(pixels), np.concatenate(values), np.array(clips)
    y = y - np.stack([y[of == k].mean(0) for k in of])
    valence, arousal = y.T
    assert np.corrcoef(np.concatenate(levels), arousal)[0, 1] > 0.6
    train = of != 1
    kernel = x[train] @ x[train].T + 30 * np.eye(train.sum())
    guess = x[~train] @ x[train].T @ np.linalg.solve(kernel, valence[train])
    assert np.corrcoef(guess, valence[~train])[0, 1] > 0.7


@pytest.mark.slow
def test_workers_write_the_same_files(corpus: Path, tmp_path: Path) -> None:
    synthesise(tmp_path, videos=5, seconds=SECONDS, workers=2)
    assert digests(tmp_path) == digests(corpus)


def test_the_how_to_lets_pass_what_the_published_folds_of_the_look_alike_leak(
    tmp_path: Path,
) -> None:
    for video in map(plan, range(1, 25)):
        for path in (tmp_path / file for file in video.files()):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".txt":
                path.write_text("valence,arousal\n0,0\n")
            elif path.suffix in (".mp4", ".avi"):
                path.touch()
            else:
                path.mkdir()
    clips = read(tmp_path).clips
    protocol = load_protocol(load_recipe("leader-follower-affwild2-published").protocol, clips)
    kinds = {leak.kind for fold in range(6) for leak in find_leaks(protocol, fold, clips)}
    page = Path(__file__).parents[2] / "docs/how-to/valence-arousal.md"
    command = re.search(
        r"train leader-follower-affwild2-published .*--allow (\S+)", page.read_text("utf-8")
    )
    assert command and set(command[1].split(",")) == kinds
