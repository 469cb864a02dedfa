"""The stream of VGGish features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from affuse.features.batch import TARGET_RATE
from affuse.features.sound import (
    FrameAlignment,
    SoundExtractor,
    aligned_name,
    masked,
    vggish_recipe,
)
from affuse.features.stream import Stream, StreamSpec
from affuse.features.vggish_logmel import RATE, vggish_examples
from affuse.media.audio import Sound
from affuse.models.backbones.vggish import FEATURES
from affuse.models.frozen.network import device, frozen_model, weights_digest, weights_recipe

#: Examples that go through the network at once.
CHUNK = 32


class Vggish(SoundExtractor):
    """`audio/vggish`: 128 features of VGGish for every moment, at 30 Hz.

    Args:
        source: A model file of `vggish`, which `affuse convert vggish` makes.
        alignment: Which 0.975 s of sound a moment's features are about. `centred`: those around it.
            `causal`: those before it; the first half second is absent, because less than half of
            the sound would be there. `published`: those from it on, as published. Before the sound
            its first sample is repeated, after it its last one.

    Raises:
        BadInput: The file is no such model file.

    Source: Hershey et al. 2017; Zhang et al. 2021 (ABAW2), released preprocessing.
    """

    sound_rate = RATE

    def __init__(self, source: Path, alignment: FrameAlignment = "centred") -> None:
        self.source, self.alignment = Path(source), alignment
        self.digest = weights_digest(self.source, "vggish")
        recipe = vggish_recipe(alignment) | {
            "extractor": "vggish",
            **weights_recipe(self.source, self.digest),
        }
        name = aligned_name("audio/vggish", alignment)
        self.spec = StreamSpec(name, TARGET_RATE, (FEATURES,), recipe=recipe)

    def stream_of(self, sound: Sound) -> Stream:
        """(ceil(30 seconds), 128) float32, zero where absent."""
        examples = vggish_examples(sound.samples, self.alignment)
        values = np.zeros((len(examples.mask), FEATURES), np.float32)
        network = frozen_model(self.source, self.digest)[0].get_submodule("backbone")
        with torch.inference_mode():
            for some in examples.numbers(CHUNK):
                x = torch.from_numpy(examples.some(some)).to(device())
                values[some] = network(x).cpu().numpy()
        there = examples.mask & sound.at(np.arange(len(values)) / TARGET_RATE)
        return replace(masked(values, there), notes=sound.notes)
