"""Generated recordings with a face, and models of valence and arousal with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tests.media.recordings import read_audio, write_recording

import affuse
from affuse.features.batch import Normalisation
from affuse.features.catalogue import stream_spec
from affuse.media.video import read_frames
from affuse.models.modelfile import ModelSpec, save_model

BOTH = ("audio/logmel64-16k", "video/faces48")
STATISTICS = {
    "audio/logmel64-16k": Normalisation((-5.0,), (2.0,)),
    "video/faces48": Normalisation((120.0,), (60.0,)),
}


def values_model(
    path: Path,
    streams: tuple[str, ...] = BOTH,
    name: str = "leader-follower",
    window: float = 2.0,
    smoothing: float = 0.0,
) -> Path:
    """A model file; what it says is arbitrary, how it is applied is not."""
    torch.manual_seed(0)
    network = affuse.create_model(name, list(streams), 2, head="frames")
    spec = ModelSpec(
        model=name,
        options={"head": "frames"},
        streams={stream: stream_spec(stream) for stream in streams},
        normalisation={stream: STATISTICS[stream] for stream in streams},
        outputs=["valence", "arousal"],
        task="valence-arousal",
        window=window,
        smoothing=smoothing,
        training={"corpus": "nothing", "licence": "CC0"},
    )
    save_model(path, network, spec)
    return path


def rewrite(
    source: Path,
    path: Path,
    hidden: tuple[float, float] = (0.0, 0.0),
    silent: float = np.inf,
    codec: str = "libx264",
) -> Path:
    """A recording again, its images grey between two moments and its sound gone after one."""
    pictures = []
    for frame in read_frames(source):
        picture = frame.rgb()
        if hidden[0] <= frame.time < hidden[1]:
            picture = np.full_like(picture, 128)
        pictures.append((frame.time, picture))
    sound = read_audio(source, 48000)
    sound[int(min(silent * 48000, len(sound))) :] = 0
    lossless = codec != "libx264"
    return write_recording(
        path,
        pictures,
        sound[None],
        video_codec=codec,
        audio_codec="pcm_s16le" if lossless else "aac",
        pixels="yuvj420p" if codec == "mjpeg" else "yuv420p",
    )
