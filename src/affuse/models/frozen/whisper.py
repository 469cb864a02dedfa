"""The streams of Whisper's encoder."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch

from affuse.errors import BadInput
from affuse.features.whisper_logmel import RANGE, whisper_logmel
from affuse.models.backbones.whisper import WhisperEncoder
from affuse.models.frozen.encoder import Encoder, EncoderStream, check_layers
from affuse.models.frozen.network import device
from affuse.models.frozen.weights import packed, read_weights, weights_file

#: Width and layers of the published sizes.
SIZES = {
    "tiny": (384, 4),
    "base": (512, 6),
    "small": (768, 12),
    "medium": (1024, 24),
    "large": (1280, 32),
}
#: What entries of the encoder are called with the rest of the network, without, and by themselves.
_PREFIXES = ("model.encoder.", "encoder.", "")
_POSITIONS = "embed_positions.weight"
#: Entries of the published `.pt` -> as `transformers` names them.
_RENAMED = {
    r"^blocks\.": "layers.",
    r"\.attn\.query\.": ".self_attn.q_proj.",
    r"\.attn\.key\.": ".self_attn.k_proj.",
    r"\.attn\.value\.": ".self_attn.v_proj.",
    r"\.attn\.out\.": ".self_attn.out_proj.",
    r"\.attn_ln\.": ".self_attn_layer_norm.",
    r"\.mlp\.0\.": ".fc1.",
    r"\.mlp\.2\.": ".fc2.",
    r"\.mlp_ln\.": ".final_layer_norm.",
    r"^ln_post\.": "layer_norm.",
    r"^positional_embedding$": "embed_positions.weight",
}


class Whisper(EncoderStream):
    """`audio/whisper-<word>`: what the encoder of Whisper makes of sound; see `EncoderStream`.

    Args:
        name: Of the stream.
        source: The published `.pt`; or weights as `transformers` names them, of the whole network
            or of the encoder alone, in a safetensors file or a folder with a `model.safetensors`.

    Source: Radford et al. 2022.
    """

    licence = "MIT (the published Whisper, Radford et al. 2022)"

    @classmethod
    def file(cls, source: Path) -> Path:
        """See `EncoderStream`."""
        return weights_file(source, "Whisper")

    @classmethod
    def load(cls, path: Path, layers: int | None) -> Encoder:
        """See `EncoderStream`."""
        return load_encoder(path, layers, cls.section + 2 * cls.context)

    def check(self, name: str, word: str, encoder: Encoder) -> None:
        """Refuse an encoder of another size than the name of the stream says, if it says one."""
        width, layers = SIZES.get(word.split("-")[0], (encoder.width, encoder.layers))
        layers = min(layers, self.cut or layers)
        if (encoder.width, encoder.layers) != (width, layers):
            raise BadInput(
                self.source,
                f"is an encoder of {encoder.layers} layers of {encoder.width} values; {name} has "
                f"{layers} of {width}",
            )


class _Network(WhisperEncoder):
    """The encoder together with the spectrogram that it reads."""

    def ready(self) -> _Network:
        """See `affuse.models.frozen.encoder.Network`."""
        return self.to(device())

    @torch.inference_mode()
    def states(self, samples: np.ndarray) -> np.ndarray:
        """See `affuse.models.frozen.encoder.Network`."""
        rows = whisper_logmel(samples, self.conv1.in_channels)
        mel = torch.from_numpy(rows).to(self.conv1.weight.device)
        return torch.cat(self(mel.T[None])).transpose(0, 1).float().cpu().numpy()


def load_encoder(path: Path, layers: int | None = None, frames: int | None = None) -> Encoder:
    """The encoder in a file, in evaluation mode.

    Args:
        path: File of weights, see `Whisper`.
        layers: How many of its first layers are wanted, without what follows them; None: all.
        frames: Of such a cut encoder, how many it is given at once at most: later positions are cut
            off, too.

    Raises:
        BadInput: The file is damaged, or holds no encoder, or fewer layers.
    """
    weights = read_weights(path, "conv1.weight", _PREFIXES)
    state = {_renamed(name): x for name, x in weights.state.items()}
    if layers is not None:
        check_layers(path, map(_layer, state), layers)
        state = {
            name: x
            for name, x in state.items()
            if _layer(name) < layers and not name.startswith("layer_norm.")
        }
        if frames is not None and _POSITIONS in state:
            state[_POSITIONS] = state[_POSITIONS][:frames]
    shapes = {name: tuple(x.shape) for name, x in state.items()}
    try:
        network = _Network.like(shapes, normalised=layers is None)
        content = packed(weights, state, {})
        network.load_state_dict({name: x.half().float() for name, x in state.items()}, assign=True)
    except (KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise BadInput(path, f"holds no encoder of Whisper ({reason[:200]})") from error
    network.eval().requires_grad_(False)
    facts = {"extractor": "whisper", "mels": network.conv1.in_channels, "range": RANGE}
    return Encoder(network, network.conv1.out_channels, len(network.layers), content, facts)


def _renamed(name: str) -> str:
    for published, ours in _RENAMED.items():
        name = re.sub(published, ours, name)
    return name


def _layer(name: str) -> int:
    """Number of the layer that an entry belongs to, -1 for all else."""
    match = re.match(r"layers\.(\d+)\.", name)
    return int(match[1]) if match else -1
