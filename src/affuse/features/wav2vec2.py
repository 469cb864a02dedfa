"""Hidden states of a frozen wav2vec 2.0 network."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from affuse.errors import AffuseError, BadInput
from affuse.execution.checkpoint_files import read_checkpoint, read_pickled_arrays
from affuse.execution.files import file_digest
from affuse.features.sound import SoundExtractor, heard
from affuse.features.stream import Stream, StreamSpec

if TYPE_CHECKING:
    from affuse.media.audio import Sound

RATE = 16000
#: Samples from frame to frame, and of one frame: what the strides and kernels come to.
HOP, FIELD = 320, 400
_STRIDES, _KERNELS = (5, 2, 2, 2, 2, 2, 2), (10, 3, 3, 3, 3, 2, 2)
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
        self.weights = _weights_file(Path(source))
        self.mean, self.std = _normalisation(self.weights.with_name(_STATISTICS))
        self.digest = _digest(self.weights)
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


def _weights_file(source: Path) -> Path:
    if not source.is_dir():
        if not source.is_file():
            raise BadInput(source, "no such file or folder of wav2vec 2.0 weights")
        return source
    for name in _FILES:
        if (source / name).is_file():
            return source / name
    raise BadInput(source, f"holds none of {', '.join(_FILES)}")


def _digest(path: Path) -> str:
    return file_digest(path)


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
    try:
        from transformers import Wav2Vec2Config, Wav2Vec2Model
    except ImportError as error:
        raise AffuseError(
            'stream audio/wav2vec2 needs transformers: pip install "affuse[wav2vec2]"'
        ) from error
    state = _state(path)
    described = path.with_name("config.json")
    config = _config(described, Wav2Vec2Config, state)
    if config.do_stable_layer_norm and config.num_hidden_layers == 2 * _KEPT:
        config.num_hidden_layers = _KEPT
        state = {name: x for name, x in state.items() if _layer(name) < _KEPT}
    try:
        with torch.device("meta"):  # no time spent on weights to replace
            network = Wav2Vec2Model(config)
    except Exception as error:  # earlier versions of transformers notice only here what is wrong
        raise BadInput(described, f"is not the description of a network ({error})") from error
    own = {name: x.shape for name, x in network.state_dict().items()}
    given = {name: x.shape for name, x in state.items()}
    if own != given:
        wrong = [name for name in own | given if own.get(name) != given.get(name)]
        raise BadInput(
            path,
            f"holds no such wav2vec 2.0 network: {len(wrong)} weights are missing, not known or of "
            f"another shape, the first is {wrong[0]}",
        )
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def _config(path: Path, kind: Any, state: dict[str, Tensor]) -> Any:
    """What a config.json says of the network, or that it is wav2vec2-large-robust."""
    if path.is_file():
        try:
            config = kind.from_json_file(path)
        except Exception as error:  # any JSON may be in there
            raise BadInput(path, f"is not the description of a network ({error})") from error
        if config.model_type != "wav2vec2" or config.add_adapter:
            raise BadInput(path, "does not describe a plain wav2vec 2.0 network")
        if (tuple(config.conv_stride), tuple(config.conv_kernel)) != (_STRIDES, _KERNELS):
            raise BadInput(path, "describes a network with other frames than 25 ms every 20 ms")
    else:
        config = kind(**_LARGE_ROBUST, num_hidden_layers=1 + max(map(_layer, state)))
    # Masking is for training; without it there is no entry for its vector.
    config.mask_time_prob = config.mask_feature_prob = 0.0
    return config


def _state(path: Path) -> dict[str, Tensor]:
    """Entry -> float32 value as a `Wav2Vec2Model` names them today."""
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            state = load_file(path)
        except (SafetensorError, OSError) as error:
            raise BadInput(path, f"not a safetensors file, or damaged ({error})") from error
    else:
        state = read_checkpoint(path)
    inner = {n.removeprefix("wav2vec2."): x for n, x in state.items() if n.startswith("wav2vec2.")}
    renamed = {}
    for name, value in (inner or state).items():
        name = re.sub(r"\.conv\.weight_g$", ".conv.parametrizations.weight.original0", name)
        name = re.sub(r"\.conv\.weight_v$", ".conv.parametrizations.weight.original1", name)
        if name != "masked_spec_embed":
            renamed[name] = value.float()
    return renamed


def _layer(name: str) -> int:
    """Number of the layer that an entry belongs to, -1 for all else."""
    match = re.match(r"encoder\.layers\.(\d+)\.", name)
    return int(match[1]) if match else -1
