"""The streams of Whisper's encoder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from affuse.errors import BadInput
from affuse.execution.files import file_digest
from affuse.features.sections import Sections
from affuse.features.sound import LocalExtractor, heard
from affuse.features.stream import Stream, StreamSpec
from affuse.features.whisper_logmel import RANGE, RATE, whisper_logmel
from affuse.media.audio import Sound
from affuse.models.backbones.whisper import WhisperEncoder
from affuse.models.frozen.network import device

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
_FILE = "model.safetensors"


class Whisper(LocalExtractor):
    """`audio/whisper-<word>`: what the encoder of Whisper makes of sound, at 50 Hz.

    Row i is about the moment i / 50 s. The network, trained on 30 s of sound, sees all of what it
    is given; here it is given a second at a time with a second on either side, so that a row is the
    same in a clip, in a long recording and live.

    Args:
        name: Of the stream: `audio/whisper-base` is what comes out of the last layer, normalised;
            `audio/whisper-base-layers` what goes into the first layer and comes out of each.
        source: A safetensors file with the weights as `transformers` names them, of the whole
            network or of the encoder alone, or a folder with a `model.safetensors`.

    Raises:
        BadInput: The file is missing or damaged, or holds no encoder, or one of another size.

    Source: Radford et al. 2022.
    """

    sound_rate, hop = RATE, 320
    section = context = 50

    def __init__(self, name: str, source: Path) -> None:
        self.source = Path(source) / _FILE if Path(source).is_dir() else Path(source)
        if not self.source.is_file():
            raise BadInput(self.source, "no such file of the weights of Whisper")
        self.digest = file_digest(self.source)
        network = _network(self.source, self.digest)
        self.all = name.endswith("-layers")
        width, layers = network.layer_norm.normalized_shape[0], len(network.layers)
        _check_size(self.source, name, width, layers)
        recipe = {
            "extractor": "whisper",
            "weights": self.digest,
            "mels": network.conv1.in_channels,
            "range": RANGE,
            "section": self.section,
            "context": self.context,
        }
        shape = (layers + 1, width) if self.all else (width,)
        self.spec = StreamSpec(name, RATE / self.hop, shape, "float16", recipe)

    def rows(self, samples: np.ndarray) -> np.ndarray:
        """(N,) float32 -> (ceil(N / 320), ...) float16, of all the samples together."""
        network = _network(self.source, self.digest)
        count = -(-len(samples) // self.hop)
        padded = np.pad(samples, (0, count * self.hop - len(samples)))
        mel = whisper_logmel(padded, network.conv1.in_channels).to(device())
        with torch.inference_mode():
            states = network(mel.T[None])
        found = torch.stack(states, 2) if self.all else states[-1]
        return found[0].half().cpu().numpy()

    def stream_of(self, sound: Sound) -> Stream:
        """(ceil(N / 320), ...) float16."""
        sections = Sections(self.rows, self.spec, self.hop, self.context, self.section)
        sections.push(sound.samples)
        sections.finish()
        return heard(sound, sections.taken(), self.spec.rate)


def _check_size(path: Path, name: str, width: int, layers: int) -> None:
    """Refuse an encoder of another size than the name of a stream says, if it says one."""
    size = name.removeprefix("audio/whisper-").split("-")[0]
    named = SIZES.get(size, (width, layers))
    if named != (width, layers):
        raise BadInput(
            path,
            f"is an encoder of {layers} layers of {width} values; {name} has {named[1]} of "
            f"{named[0]}",
        )


@lru_cache(maxsize=1)  # a worker process meets the extractor anew with every clip
def _network(path: Path, digest: str) -> WhisperEncoder:
    """The encoder in a file of some digest, on `device()`."""
    return read_encoder(path).to(device())


def read_encoder(path: Path) -> WhisperEncoder:
    """The encoder in a file, in evaluation mode, float32.

    Args:
        path: A safetensors file with the weights as `transformers` names them, of the whole network
            or of the encoder alone.

    Raises:
        BadInput: The file is damaged, or holds no encoder.
    """
    state = _state(path)
    try:
        network = WhisperEncoder.like({name: tuple(x.shape) for name, x in state.items()})
        network.load_state_dict(state, assign=True)
    except (KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise BadInput(path, f"holds no encoder of Whisper ({reason[:200]})") from error
    return network.eval().requires_grad_(False)


def _state(path: Path) -> dict[str, Tensor]:
    """The weights of the encoder, float32; nothing else of the file is read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            prefix = next((p for p in _PREFIXES if f"{p}conv1.weight" in names), "")
            return {
                name.removeprefix(prefix): file.get_tensor(name).float()
                for name in names
                if name.startswith(prefix)
            }
    except (SafetensorError, OSError) as error:
        raise BadInput(path, f"not a safetensors file, or damaged ({error})") from error
