"""Features of TSAV: which images and which sound a row is about, and what it is of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from affuse.corpora.clip import Clip
from affuse.corpora.synthetic.encode import write_wav
from affuse.features.catalogue import create_extractor, stream_spec
from affuse.features.sequences import clip_ending
from affuse.features.stream import Stream
from affuse.features.tsav_mel import SHORTEST, tsav_mel, tsav_normalised
from affuse.models.backbones.tsav import R2Plus1D
from affuse.models.frozen import tsav as frozen
from affuse.models.modelfile import ModelSpec, load_model, save_model
from affuse.models.registry import create_model
from affuse.models.systems.tsav.model import TwoStreamAuralVisual
from affuse.models.systems.tsav.published import NORMALISATION, three_channels

RATE = 44100


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of TSAV with four channels and weights of chance."""
    torch.manual_seed(0)
    streams = {n: stream_spec(n) for n in ("audio/logmel64-tsav", "video/aligned112")}
    options: dict[str, Any] = {"channels": 4, "face_mask": 1.0}
    model = create_model("tsav", streams, 7, **options)
    path = tmp_path_factory.mktemp("tsav") / "tsav.safetensors"
    classes = [str(i) for i in range(7)]
    save_model(
        path, model, ModelSpec("tsav", options, streams, NORMALISATION, classes, window=10.0)
    )
    return path


@pytest.fixture(scope="module")
def model(source: Path) -> TwoStreamAuralVisual:
    model, _ = load_model(source)
    assert isinstance(model, TwoStreamAuralVisual)
    return model


def pictures(folder: Path, numbers: list[int]) -> Clip:
    """Small images whose grey level tells their number."""
    (folder / "faces").mkdir()
    for number in numbers:
        level = np.full((8, 8, 3), number % 250, np.uint8)
        cv2.imwrite(str(folder / "faces" / f"{number:05d}.jpg"), level)
    return Clip("a", images=folder / "faces")


def extract(name: str, source: Path, clip: Clip) -> Stream:
    extractor = create_extractor(name, source)
    stream = extractor.extract(clip)
    assert stream is not None and stream.values.shape == (len(stream.mask), *extractor.spec.shape)
    assert stream.values.dtype == extractor.spec.dtype
    return stream


class Levels(nn.Module):
    """Instead of the network: the levels of the eight images, and of the masks of the face."""

    channels = 4

    def forward(self, clips: Tensor) -> Tensor:
        """(N, 4, 8, H, W) -> (N, 512, 7, 7)."""
        maps = clips.new_zeros(len(clips), 512, 7, 7)
        mean, std = (
            NORMALISATION["video/aligned112"].mean[0],
            NORMALISATION["video/aligned112"].std[0],
        )
        maps[:, :8] = (clips[:, 0].mean((2, 3)) * std + mean)[..., None, None]
        maps[:, 8:16] = clips[:, 3].mean((2, 3))[..., None, None]
        return maps


@pytest.mark.parametrize("published", [False, True])
def test_the_pictures_of_a_row(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, published: bool
) -> None:
    missing = {*range(50, 75), *range(100, 145), 160, 161, 162, 290}
    there = [n for n in range(1, 601) if n not in missing]
    clip = pictures(tmp_path, there)
    statistics = NORMALISATION["video/aligned112"]
    monkeypatch.setattr(frozen, "_network", lambda *_: (Levels(), statistics, (-2.0, 2.0)))
    stream = extract("video/tsav-published" if published else "video/tsav", source, clip)
    levels, faces = (stream.values[:, i : i + 8, 3, 3].astype(float) for i in (0, 8))
    assert len(stream.mask) == (600 if published else 75) and stream.start == 0
    for row in range(len(stream.mask)):
        if published:
            seen = clip_ending(row + 1, there).frames
            present, wanted = bool(seen), np.array(seen or (0,) * 8)
            shown = np.ones(8, bool)
        else:
            wanted = np.arange(row * 8 - 42, row * 8 + 1, 6) + 1
            shown = np.isin(wanted, there)
            present = bool(shown[-1])
        assert stream.mask[row] == present
        if present:
            np.testing.assert_allclose(levels[row], np.where(shown, wanted % 250, 0), atol=1.5)
            np.testing.assert_array_equal(faces[row], np.where(shown, 2, -2))
        else:
            assert not stream.values[row].any()


@pytest.mark.slow
@torch.no_grad()
def test_the_maps_of_a_row(tmp_path: Path, source: Path, model: TwoStreamAuralVisual) -> None:
    clip = pictures(tmp_path, [15, 16])
    mean, std = (np.array(x) for x in vars(NORMALISATION["video/aligned112"]).values())

    def clips(numbers: list[int]) -> Tensor:
        levels = (np.array(numbers, float)[:, None] - mean) / std
        return torch.from_numpy(levels.T[None, :, :, None, None]).float().expand(1, 3, 8, 112, 112)

    stream = extract("video/tsav-published", source, clip)
    assert stream.mask.tolist() == [False] * 14 + [True] * 2
    network = R2Plus1D(3, pooled=False).eval()
    network.load_state_dict(three_channels(model.video.state_dict()))
    for row, numbers in ((14, [15] * 8), (15, [15] + [16] * 7)):
        expected = network(clips(numbers))[0].numpy()
        np.testing.assert_allclose(stream.values[row], expected, atol=2e-2 * expected.max())

    (tmp_path / "b").mkdir()
    stream = extract("video/tsav", source, pictures(tmp_path / "b", [11, 17]))
    assert stream.mask.tolist() == [False, False, True]
    whole = R2Plus1D(4, pooled=False).eval()
    whole.load_state_dict(model.video.state_dict())
    face = torch.full((1, 1, 8, 112, 112), (0 - 0.5) / 0.225)
    face[:, :, 6:] = model.face_mask
    expected = whole(torch.cat((clips([0] * 6 + [11, 17]), face), 1))[0].numpy()
    np.testing.assert_allclose(stream.values[2], expected, atol=2e-2 * expected.max())


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """1.9 s of noise that grows louder, so that every stretch has its own level."""
    noise = np.random.default_rng(0).normal(0, 0.1, round(1.9 * RATE))
    path = tmp_path_factory.mktemp("sound") / "a.wav"
    write_wav(path, (noise * np.linspace(0, 1, len(noise))).astype(np.float32), RATE)
    return Clip("a", audio=path)


@torch.no_grad()
def test_the_sound_of_a_row(sound: Clip, source: Path, model: TwoStreamAuralVisual) -> None:
    from tests.media.recordings import read_audio

    assert sound.audio is not None
    audio = read_audio(sound.audio, RATE)
    assert audio is not None

    def heard(part: np.ndarray) -> np.ndarray:
        return model.hear(torch.from_numpy(tsav_normalised(tsav_mel(part)))[None])[0].numpy()

    stream = extract("audio/tsav-published", source, sound)
    assert stream.mask.all() and len(stream.mask) == 57 and stream.start == 0
    for row, (first, last) in {
        0: (0, 1),
        1: (0, 1),
        20: (0, 20),
        31: (0, 31),
        50: (19, 50),
    }.items():
        part = audio[first * RATE // 30 : last * RATE // 30]
        assert len(part) < SHORTEST
        np.testing.assert_allclose(stream.values[row], heard(part), atol=1e-4)

    stream = extract("audio/tsav", source, sound)
    assert stream.mask.all() and len(stream.mask) == 8  # 3.75 Hz
    silence = np.zeros(5 * RATE, np.float32)
    around = np.concatenate([silence, audio, silence, silence])
    for row in (0, 3, 7):
        first = round(row / 3.75 * RATE)
        expected = heard(around[first : first + 10 * RATE])
        np.testing.assert_allclose(stream.values[row], expected, atol=1e-4)


def test_nothing_without_the_modality(source: Path, sound: Clip) -> None:
    for name in ("video/tsav", "video/tsav-published"):
        assert create_extractor(name, source).extract(Clip("b", audio=sound.audio)) is None
    for name in ("audio/tsav", "audio/tsav-published"):
        assert create_extractor(name, source).extract(Clip("b")) is None
