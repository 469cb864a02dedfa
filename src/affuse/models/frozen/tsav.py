"""Features of TSAV's two networks, for clips around or before every frame."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affuse.corpora.clip import Clip
from affuse.features.batch import Normalisation
from affuse.features.blocks import pieces
from affuse.features.catalogue import create_extractor
from affuse.features.pictures import RATE
from affuse.features.recorded import Blocks, RecordingExtractor, begin
from affuse.features.sequences import CLIP_FRAMES, PICTURES, clip_ending
from affuse.features.sound import SoundExtractor, heard
from affuse.features.stream import Stream, StreamSpec
from affuse.features.tsav_mel import RATE as SOUND_RATE
from affuse.features.tsav_mel import tsav_mel
from affuse.media.audio import Sound
from affuse.media.face import Readings
from affuse.models.backbones.tsav import FEATURES, R2Plus1D
from affuse.models.frozen.network import (
    as_input,
    device,
    frozen_model,
    weights_digest,
    weights_recipe,
)
from affuse.models.modelfile import ModelSpec
from affuse.models.systems.tsav.model import MASK_MEAN, MASK_STD, TwoStreamAuralVisual
from affuse.models.systems.tsav.published import three_channels

FrameAlignment = Literal["trained", "published"]

SIZE = 112  # pixels
#: Frames of 30 Hz from one row to the next of what the networks were trained for.
STEP = 8
#: Frames from one of the 8 images to the next, as TSAV was trained.
DILATION = 6
#: Seconds of sound around a frame, as TSAV was trained.
SOUND = 10.0
#: Frames of sound that end with a frame, as joint attention takes them.
SOUND_FRAMES = 31
#: Largest number that the maps can hold.
_LARGEST = float(np.finfo(np.float16).max)


def _spec(
    modality: str,
    alignment: FrameAlignment,
    shape: tuple[int, ...],
    dtype: str,
    recipe: dict[str, Any],
) -> StreamSpec:
    name, rate = f"{modality}/tsav", RATE / STEP
    if alignment == "published":
        name, rate = f"{name}-published", RATE
    return StreamSpec(
        name, rate, shape, dtype, {"extractor": "tsav", "alignment": alignment, **recipe}
    )


class TsavPictures(RecordingExtractor):
    """`video/tsav`: the maps of TSAV's network for images before their mean is taken.

    Args:
        source: Model file of the model `tsav`.
        alignment: `trained`: at 3.75 Hz, of 8 images 6 frames of 30 Hz apart up to the frame, black
            where no face is seen; absent where that is so in the frame itself. `published`: at
            30 Hz, of 8 of the images in the 32 frames up to the frame that have a face, without
            the weights for a mask; absent where there are none.

    Raises:
        BadInput: No model file, or one of another model.

    Source: Kuhnke et al. 2020 (TSAV); for `published` Praveen et al. 2023, released code.
    """

    def __init__(self, source: Path, alignment: FrameAlignment = "trained") -> None:
        self.source = Path(source)
        self.digest = weights_digest(self.source, "tsav")
        self.input = create_extractor(f"video/aligned{SIZE}")
        self.published = alignment == "published"
        recipe = weights_recipe(self.source, self.digest) | {"reads": self.input.spec.to_json()}
        shape = (FEATURES, SIZE // 16, SIZE // 16)
        self.spec = _spec("video", alignment, shape, "float16", recipe)

    def sources(self, clip: Clip) -> list[Path]:
        """The face images, and the video."""
        return self.input.sources(clip)

    def begin(self, clip: Clip, readings: Readings) -> Blocks:
        """See `RecordingExtractor`; (T, 512, 7, 7) float16 in parts of at most 32 rows.

        Zero where absent: 50 KB a row, 90 MB a minute at 30 Hz.
        """
        read = begin(self.input, clip, readings)
        return lambda: self.features(read())

    def features(self, blocks: Iterator[Stream]) -> Iterator[Stream]:
        """What is made of consecutive parts of the stream that it reads."""
        step = 1 if self.published else STEP
        before = CLIP_FRAMES - 1 if self.published else DILATION * (PICTURES - 1)
        read = self.input.spec
        together = 2 if device().type == "cpu" else 32
        for piece, first, own in pieces(blocks, read, 32 * step, before):
            ends = np.arange(first, first + own, step)
            rows = self._published(piece.mask, ends) if self.published else self._trained(ends)
            mask = rows[:, -1] >= 0 if self.published else piece.mask[ends]
            values = np.zeros((len(ends), *self.spec.shape), np.float16)
            shown = np.flatnonzero(mask)
            for k in range(0, len(shown), together):
                some = shown[k : k + together]
                values[some] = self._maps(piece, rows[some])
            yield Stream(values, mask, piece.start + first / RATE)

    @staticmethod
    def _trained(ends: NDArray[np.intp]) -> NDArray[np.intp]:
        """(N, 8) frames, negative before the first."""
        return ends[:, None] + DILATION * np.arange(1 - PICTURES, 1)

    @staticmethod
    def _published(seen: NDArray[np.bool_], ends: NDArray[np.intp]) -> NDArray[np.intp]:
        """(N, 8) frames, all of them -1 where there is none."""
        known = (np.flatnonzero(seen) + 1).tolist()
        clips = [clip_ending(end + 1, known).frames for end in ends.tolist()]
        return np.array([clip or (0,) * PICTURES for clip in clips], np.intp) - 1

    def _maps(self, piece: Stream, rows: NDArray[np.intp]) -> NDArray[np.float16]:
        """(N, 512, 7, 7) of the images in (N, 8) rows."""
        network, statistics, face = _network(self.source, self.digest, self.published)
        there = (rows >= 0) & piece.mask[rows.clip(0)]
        pictures = piece.values[rows.clip(0)] * there[..., None, None, None]
        flat = pictures.reshape(-1, *pictures.shape[2:])
        x, _ = as_input(flat, np.ones(len(flat), bool), statistics, "pictures")
        x = x.unflatten(1, rows.shape)[0]  # (N, 8, 3, H, W)
        if network.channels == 4:
            levels = torch.from_numpy(np.where(there, face[1], face[0])).to(x)
            x = torch.cat((x, levels[..., None, None, None].expand_as(x[:, :, :1])), 2)
        with torch.inference_mode():
            maps: Tensor = network(x.transpose(1, 2)).clamp(max=_LARGEST)
        return maps.half().cpu().numpy()


class TsavSound(SoundExtractor):
    """`audio/tsav`: 512 features of TSAV's network for sound.

    Args:
        source: Model file of the model `tsav`.
        alignment: `trained`: at 3.75 Hz, of the 10 s around the frame, silence beyond the ends.
            `published`: at 30 Hz, of the 31 frames that end there, silence before the beginning.

    Raises:
        BadInput: No model file, or one of another model.

    Source: Kuhnke et al. 2020 (TSAV); for `published` Praveen et al. 2023, released code.
    """

    sound_rate = SOUND_RATE

    def __init__(self, source: Path, alignment: FrameAlignment = "trained") -> None:
        self.source = Path(source)
        self.digest = weights_digest(self.source, "tsav")
        self.published = alignment == "published"
        recipe = weights_recipe(self.source, self.digest) | {"rate": SOUND_RATE}
        self.spec = _spec("audio", alignment, (FEATURES,), "float32", recipe)

    def stream_of(self, sound: Sound) -> Stream:
        """(T, 512) float32."""
        audio = sound.samples
        model, trained = _model(self.source, self.digest)
        statistics = _statistics(trained, "audio")
        count = int(np.ceil(len(audio) * self.spec.rate / SOUND_RATE - 1e-6))
        together = 8 if device().type == "cpu" else 128
        rows = []
        for first in range(0, count, together):
            frames = range(first, min(first + together, count))
            levels = np.stack([tsav_mel(self._heard(audio, frame)) for frame in frames])
            x, _ = as_input(levels, np.ones(len(levels), bool), statistics, "maps")
            with torch.inference_mode():
                rows.append(model.hear(x[0]).cpu().numpy())
        return heard(sound, np.concatenate(rows), self.spec.rate)

    def _heard(self, audio: NDArray[np.float32], frame: int) -> NDArray[np.float32]:
        """The sound that a frame is about."""
        if self.published:
            first, last = max(frame - SOUND_FRAMES, 0), max(frame, 1)
            return audio[round(first / RATE * SOUND_RATE) : round(last / RATE * SOUND_RATE)]
        length = round(SOUND * SOUND_RATE)
        begin = round(frame / self.spec.rate * SOUND_RATE) - length // 2
        part = audio[max(begin, 0) : begin + length]
        lead = max(-begin, 0)
        return np.pad(part, (lead, length - lead - len(part)))


def of_nothing(source: Path) -> tuple[Tensor, Tensor]:
    """What the networks make of silence and of eight black images.

    Args:
        source: Model file of the model `tsav`.

    Returns:
        (512,) and (512, 7, 7) float32.

    Raises:
        BadInput: No model file, or one of another model.

    Source: Praveen et al. 2023, released code, where sound or images are missing.
    """
    source = Path(source)
    digest = weights_digest(source, "tsav")
    model, spec = _model(source, digest)
    levels = tsav_mel(np.zeros(0, np.float32))[None]
    x, _ = as_input(levels, np.ones(1, bool), _statistics(spec, "audio"), "maps")
    network, statistics, _ = _network(source, digest, True)
    black = np.zeros((PICTURES, SIZE, SIZE, 3), np.uint8)
    pictures, _ = as_input(black, np.ones(PICTURES, bool), statistics, "pictures")
    with torch.no_grad():
        return model.hear(x[0])[0].cpu(), network(pictures.transpose(1, 2))[0].cpu()


def _model(source: Path, digest: str) -> tuple[TwoStreamAuralVisual, ModelSpec]:
    model, spec = frozen_model(source, digest)
    assert isinstance(model, TwoStreamAuralVisual)
    return model, spec


def _statistics(spec: ModelSpec, modality: str) -> Normalisation:
    """Of the stream of a modality that the model was trained on."""
    name = next(name for name, stream in spec.streams.items() if stream.modality == modality)
    return spec.normalisation.get(name, Normalisation())


@lru_cache(maxsize=2)
def _network(
    source: Path, digest: str, published: bool
) -> tuple[R2Plus1D, Normalisation, tuple[float, float]]:
    """The network for images without its last mean, statistics, and levels of no face and face.

    Args:
        source: The model file.
        digest: Of its weights.
        published: Leave out the weights for the mask of the face.
    """
    model, spec = _model(source, digest)
    state = three_channels(model.video.state_dict()) if published else model.video.state_dict()
    with torch.device("meta"):
        network = R2Plus1D(state["stem.0.weight"].shape[1], pooled=False)
    network.load_state_dict(state, assign=True)
    levels = -MASK_MEAN / MASK_STD, model.face_mask
    return network.eval().requires_grad_(False), _statistics(spec, "video"), levels
