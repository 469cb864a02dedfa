"""Streams of the layers of a frozen encoder of sound."""

from __future__ import annotations

import hashlib
import re
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from affuse.errors import BadInput
from affuse.execution.files import atomic_path
from affuse.features.sections import Sections
from affuse.features.sound import LocalExtractor, heard
from affuse.features.stream import Stream, StreamSpec
from affuse.media.audio import Sound

RATE, HOP = 16000, 320
#: The largest value of float16.
_LARGEST = 65504.0
_NAME = re.compile(
    r"audio/[a-z0-9]+-(?P<word>\w[\w-]*?)"
    r"(?:-layers(?P<most>[1-9]\d{0,2})?|-layer(?P<one>[1-9]\d{0,2}))?",
    re.ASCII,
)


class Network(Protocol):
    """What computes all layers of sound."""

    def states(self, samples: np.ndarray) -> np.ndarray:
        """(N,) float32 at 16 kHz, N a multiple of 320 -> (N / 320, layers + 1, width) float32."""
        ...

    def ready(self) -> Network:
        """It, where it runs."""
        ...


@dataclass(frozen=True)
class Encoder:
    """An encoder that was read from a file.

    Args:
        network: It, on the CPU, float32.
        width: Values of a frame.
        layers: How many there are.
        content: One safetensors file with what it needs, in float16.
        facts: What decides the values beside the weights, for the recipe.
    """

    network: Network
    width: int
    layers: int
    content: bytes
    facts: dict[str, Any]


class EncoderStream(LocalExtractor):
    """What an encoder makes of sound, at 50 Hz.

    Row i is about the moment i / 50 s. The networks see all of what they are given; here they are
    given a second at a time with a second on either side, so that a row is the same in a clip, in a
    long recording and live. Weights are rounded to float16, as a model file holds them.

    Args:
        name: Of the stream: `audio/whisper-base` is what comes out of the last layer as the network
            gives it, normalised where it does that; `audio/whisper-base-layers` what goes into the
            first layer and comes out of each; `audio/whisper-base-layers4` the same up to the
            fourth layer, and `audio/whisper-base-layer4` of that alone, not normalised. Layers
            beyond are neither computed nor kept.
        source: File or folder of the weights.

    Raises:
        BadInput: The files are missing, damaged, hold no such encoder, or fewer layers.
    """

    sound_rate, hop = RATE, HOP
    section = context = 50
    #: Terms of the published weights, where they are one publisher's.
    licence = ""

    def __init__(self, name: str, source: Path) -> None:
        parts = _NAME.fullmatch(name)
        assert parts is not None, name
        last = parts["most"] or parts["one"]
        self.source = self.file(Path(source))
        self.cut = int(last) if last else None
        self.all = name.endswith("-layers") or parts["most"] is not None
        encoder = self.load(self.source, self.cut)
        self.check(name, parts["word"], encoder)
        self.digest = hashlib.sha256(encoder.content).hexdigest()
        self.network_size = len(encoder.content)
        recipe = encoder.facts | {
            "weights": self.digest,
            "section": self.section,
            "context": self.context,
            **({"licence": self.licence} if self.licence else {}),
        }
        shape = (encoder.layers + 1, encoder.width) if self.all else (encoder.width,)
        self.spec = StreamSpec(name, RATE / self.hop, shape, "float16", recipe)

    @classmethod
    @abstractmethod
    def file(cls, source: Path) -> Path:
        """The file with the weights; a `BadInput` where there is none."""

    @classmethod
    @abstractmethod
    def load(cls, path: Path, layers: int | None) -> Encoder:
        """The encoder in a file, or its first layers; a `BadInput` where it holds no such one."""

    def check(self, name: str, word: str, encoder: Encoder) -> None:
        """Refuse an encoder that is not what the name of the stream says."""
        return

    def write_network(self, path: Path) -> None:
        """Write what the stream is computed with as one file, whose SHA-256 is `digest`."""
        with atomic_path(path) as temporary:
            temporary.write_bytes(self.load(self.source, self.cut).content)

    def rows(self, samples: np.ndarray) -> np.ndarray:
        """(N,) float32 -> (ceil(N / 320), ...) float16, of all the samples together."""
        network = _network(type(self), self.source, self.cut, self.digest)
        return encoded(network.states, samples, self.all)

    def stream_of(self, sound: Sound) -> Stream:
        """(ceil(N / 320), ...) float16."""
        sections = Sections(self.rows, self.spec, self.hop, self.context, self.section)
        sections.push(sound.samples)
        sections.finish()
        return heard(sound, sections.taken(), self.spec.rate)


@lru_cache(maxsize=1)  # a worker process meets the extractor anew with every clip
def _network(kind: type[EncoderStream], path: Path, layers: int | None, digest: str) -> Network:
    """The network of a file of some digest, where it runs."""
    return kind.load(path, layers).network.ready()


def encoded(
    states: Callable[[np.ndarray], np.ndarray], samples: np.ndarray, every: bool
) -> np.ndarray:
    """What an encoder makes of samples (N,), of all together.

    Args:
        states: Samples (N,), N a multiple of 320 -> (N / 320, layers + 1, width).
        samples: float32 at 16 kHz.
        every: Whether all layers are wanted, or the last one.

    Returns:
        (ceil(N / 320), layers + 1, width) or (ceil(N / 320), width) float16.
    """
    found = states(np.pad(samples, (0, -len(samples) % HOP)))
    found = found if every else found[:, -1]
    return found.clip(-_LARGEST, _LARGEST).astype(np.float16)


def check_layers(path: Path, numbers: Iterable[int], wanted: int) -> None:
    """Refuse a file with fewer layers than are wanted.

    Args:
        path: The file.
        numbers: Of each entry that of its layer, -1 for none.
        wanted: How many layers are needed.
    """
    there = len({*numbers} - {-1})
    if there < wanted:
        raise BadInput(path, f"holds {there} of the encoder's layers; {wanted} are needed")
