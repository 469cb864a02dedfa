"""Networks that turn a stream into features and predict nothing."""

from __future__ import annotations

from collections.abc import Mapping

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.backbones.vggish import VGGish
from affuse.models.base import Model, Output
from affuse.models.frontends.sound import check_example
from affuse.models.layers.alignment import Clock
from affuse.models.layers.framewise import present_features


class VGGishFeatures(Model):
    """`vggish`: VGGish on every example; its values are 128 features per example.

    Args:
        streams: Streams, of which the first of audio is read: spectrograms (96, 64).
        outputs: 128.

    Raises:
        AffuseError: Another number of features, or another stream.
    """

    def __init__(self, streams: Mapping[str, StreamSpec], outputs: int) -> None:
        super().__init__(streams, outputs, "frames")
        spec = self.stream_of("audio")
        check_example(spec, "VGGish")
        if outputs != VGGish.outputs:
            raise AffuseError(f"model vggish gives {VGGish.outputs} features, not {outputs}")
        self.streams = {spec.name: spec}
        self.backbone = VGGish()

    def forward(self, batch: Batch) -> Output:
        """Features as values; zero where an example is absent."""
        (spec,) = self.streams.values()
        mask = batch.masks[spec.name]
        features = present_features(self.backbone, batch.streams[spec.name], mask)
        return self.answer(*self.over_time(features, mask, Clock(spec.name, spec.rate), batch))
