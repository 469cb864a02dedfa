"""The stream of wav2vec 2.0 that AuxFormer reads, as published."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from affuse.errors import BadInput
from affuse.execution.checkpoint_files import read_pickled_arrays
from affuse.execution.files import file_digest
from affuse.features.sound import SoundExtractor, heard
from affuse.features.stream import Stream, StreamSpec
from affuse.models.frozen.speech import (
    FIELD,
    HOP,
    build_network,
    layer_of,
    read_config,
    read_json,
    renamed,
)
from affuse.models.frozen.weights import read_weights, weights_file

if TYPE_CHECKING:
    from affuse.media.audio import Sound

RATE = 16000
#: Frames of a piece of 12 s, the longest clip that the published system reads; and how many
#: frames neighbouring pieces of a longer recording share.
PIECE, OVERLAP = 599, 100
#: Layers that are kept of a network of 24 with stable layer norm, as the release prunes it.
_KEPT = 12
_FILES = ("model.safetensors", "pytorch_model.bin", "final_model.pt", "final_wav2vec.pt")
_STATISTICS = "train_norm_stat.pkl"
#: wav2vec2-large-robust.
_LARGE_ROBUST: dict[str, Any] = {
    "hidden_size": 1024,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
}
#: What decides the values beside the weights.
_DECIDES = (
    "num_hidden_layers",
    "num_attention_heads",
    "do_stable_layer_norm",
    "feat_extract_norm",
    "feat_extract_activation",
    "hidden_act",
    "layer_norm_eps",
)


class Wav2Vec2(SoundExtractor):
    """`audio/wav2vec2`: last hidden state, 1024 values (as wide as the network is) at 50 Hz.

    Frame i is about the samples 320 i to 320 i + 399 at 16 kHz, and about its surroundings. Up to
    12 s are computed at once, as published; longer recordings in overlapping pieces of 12 s.

    Args:
        source: A file of weights (`torch.save` of a state dict, or safetensors), or a folder with
            one. A `config.json` beside it, as transformers writes it, describes the network; by
            default it is wav2vec2-large-robust. A `train_norm_stat.pkl` beside it holds mean and
            standard deviation of the training sound; by default the sound is not normalised.

    Raises:
        BadInput: The files are missing, damaged, hold code, or do not fit together.
        AffuseError: transformers is not installed.

    Source: Baevski et al. 2020; Hsu et al. 2021 (robust); 12 layers and normalisation as in the
    AuxFormer release (Goncalves et al. 2022).
    """

    sound_rate = RATE

    def __init__(self, source: Path) -> None:
        self.weights = weights_file(source, "wav2vec 2.0", _FILES)
        self.mean, self.std = _normalisation(self.weights.with_name(_STATISTICS))
        self.digest = file_digest(self.weights)
        config = _network(self.weights, self.digest).config
        recipe = {
            "extractor": "wav2vec2",
            "weights": self.digest,
            **{key: getattr(config, key) for key in _DECIDES},
            "mean": self.mean,
            "std": self.std,
            "piece": PIECE,
            "overlap": OVERLAP,
        }
        self.spec = StreamSpec("audio/wav2vec2", RATE / HOP, (config.hidden_size,), recipe=recipe)

    def stream_of(self, sound: Sound) -> Stream:
        """(1 + (N - 400) // 320, 1024) float32."""
        network = _network(self.weights, self.digest)
        signal = torch.from_numpy((sound.samples - self.mean) / self.std)
        parts = []
        with torch.inference_mode():
            for first, (begin, end) in pieces(1 + (len(signal) - FIELD) // HOP):
                stop = (first + PIECE - 1) * HOP + FIELD
                states = network(signal[None, first * HOP : stop]).last_hidden_state[0]
                parts.append(states[begin - first : end - first].numpy())
        return heard(sound, np.concatenate(parts), self.spec.rate)


def pieces(frames: int) -> list[tuple[int, tuple[int, int]]]:
    """How a recording is computed in pieces of `PIECE` frames.

    Args:
        frames: Length of the recording.

    Returns:
        Per piece its first frame, and the frames from and to which it is kept: neighbours meet in
        the middle of what they share. The last piece is moved back to be a whole one.
    """
    last = max(frames - PIECE, 0)
    firsts = [*range(0, last, PIECE - OVERLAP), last]
    meet = [(before + PIECE + after) // 2 for before, after in pairwise(firsts)]
    return list(zip(firsts, zip([0, *meet], [*meet, frames], strict=True), strict=True))


def _normalisation(path: Path) -> tuple[float, float]:
    """Mean and divisor of the sound: the statistics of a release, or those that change nothing."""
    if not path.is_file():
        return 0.0, 1.0
    held = read_pickled_arrays(path)
    try:
        mean, std = (float(np.asarray(x, np.float64)) for x in held[:2])
    except (TypeError, ValueError, KeyError) as error:
        raise BadInput(path, "does not begin with mean and deviation of the sound") from error
    if not (np.isfinite([mean, std]).all() and std > 0):
        raise BadInput(path, f"mean {mean} and deviation {std} of the sound cannot be used")
    return mean, std + 1e-6  # as published


@lru_cache(maxsize=1)  # a worker process meets the extractor anew with every clip
def _network(path: Path, digest: str) -> Any:
    """The network of a file of weights, without the layers that are not kept."""
    weights = read_weights(path, "feature_projection.projection.weight", ("wav2vec2.", ""))
    state = {name: x.float() for name, x in renamed(weights.state).items()}
    described = path.with_name("config.json")
    config = read_config(described, _description(described, state), "wav2vec2")
    if config.do_stable_layer_norm and config.num_hidden_layers == 2 * _KEPT:
        config.num_hidden_layers = _KEPT
        state = {name: x for name, x in state.items() if layer_of(name) < _KEPT}
    return build_network(path, config, state, "wav2vec2")


def _description(path: Path, state: Mapping[str, Tensor]) -> dict[str, Any]:
    """What a config.json says of the network, or that it is wav2vec2-large-robust."""
    if path.is_file():
        return read_json(path)
    return {**_LARGE_ROBUST, "num_hidden_layers": 1 + max(map(layer_of, state))}
