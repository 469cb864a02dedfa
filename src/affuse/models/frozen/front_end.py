"""What the front-end of a trained model makes of its stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput
from affuse.features.batch import Normalisation
from affuse.features.blocks import pieces
from affuse.features.catalogue import create_extractor, imported_streams, pattern_of
from affuse.features.extractor import Extractor, check_same_stream
from affuse.features.recorded import Blocks, RecordingExtractor, begin
from affuse.features.stream import Stream, StreamSpec
from affuse.media.face import Readings
from affuse.models.backbones.ir50 import FEATURES, SIZE
from affuse.models.base import Model
from affuse.models.frontends.front_end import FrontEnd
from affuse.models.frozen.network import as_input, frozen_model, weights_digest, weights_recipe
from affuse.models.layers.framewise import present_features
from affuse.models.systems.ir50.model import IR50Frames

#: Frames of features on either side that are computed with a piece; no front-end sees further.
CONTEXT = 16
#: Frames of features that are computed at once, and bytes of what they are made from.
PIECE, PIECE_BYTES = 1024, 1 << 27
STORED = 48  # pixels of the images of which IR-50 sees the middle, as published


class FrozenFrontEnd(RecordingExtractor):
    """`video/frozen-<word>`, `audio/frozen-<word>`: features of a model that was trained before.

    The first front-end of this modality in the model, on the stream that it was trained on, at the
    frames that it gives: a stride of 8 on 50 Hz gives 6.25 Hz. Long clips are computed in pieces
    that overlap, to the same values.

    Args:
        name: Name of the stream; its modality chooses the front-end.
        source: Model file (what `affuse train` or `affuse convert` writes).

    Raises:
        BadInput: No model file, no front-end of the modality that computes anything, or one whose
            stream is imported or was made in another way.
    """

    def __init__(self, name: str, source: Path) -> None:
        self.source = Path(source)
        self.digest = weights_digest(self.source)
        model, trained = frozen_model(self.source, self.digest)
        modality = name.split("/", 1)[0]
        frontend = _front_end(model, modality)
        if frontend is None:
            raise BadInput(
                self.source, f"its model {trained.model} has no front-end for {modality}"
            )
        read = trained.streams[frontend.clock.stream]
        if not any(True for _ in frontend.parameters()):
            raise BadInput(self.source, f"its front-end hands {read.name} on as it is")
        if pattern_of(read.name) in imported_streams():
            raise BadInput(
                self.source, f"its front-end reads {read.name}, which is imported itself"
            )
        try:
            self.input: Extractor = create_extractor(read.name)
            check_same_stream(self.input.spec, read)
        except AffuseError as error:
            raise BadInput(self.source, f"its front-end cannot be used: {error}") from error
        self.spec = StreamSpec(
            name,
            read.rate / frontend.stride,
            (frontend.channels[1],),
            recipe={
                "extractor": "front-end",
                **weights_recipe(self.source, self.digest),
                "reads": _facts(read),
            },
        )

    def sources(self, clip: Clip) -> list[Path]:
        """What the stream is made from that the front-end reads."""
        return self.input.sources(clip)

    def begin(self, clip: Clip, readings: Readings) -> Blocks:
        """See `RecordingExtractor`.

        (T', C) float32, T' as the front-end makes of T frames, its lead after their start.
        """
        read = begin(self.input, clip, readings)
        return lambda: self.features(read())

    def features(self, blocks: Iterator[Stream]) -> Iterator[Stream]:
        """What is made of consecutive parts of the stream that it reads."""
        model, trained = frozen_model(self.source, self.digest)
        frontend = _front_end(model, self.spec.modality)
        assert frontend is not None
        clock, read = frontend.clock, self.input.spec
        statistics = trained.normalisation.get(read.name, Normalisation())
        most = max(1, PIECE_BYTES // (4 * clock.stride * int(np.prod(read.shape))))
        count, context = min(PIECE, most) * clock.stride, CONTEXT * clock.stride
        lead = clock.lead / clock.rate
        for piece, before, own in pieces(blocks, read, count, context, context):
            x, mask = as_input(piece.values, piece.mask, statistics, read.kind)
            with torch.inference_mode():
                features, there = frontend(x, mask)
            first = before // clock.stride
            rows = slice(first, first - (-own // clock.stride))
            start = piece.start + before / read.rate + lead
            values, known = (t[0, rows].cpu().numpy() for t in (features.float(), there))
            yield Stream(values, known, start)


def _facts(spec: StreamSpec) -> dict[str, Any]:
    """What is read, as recipes tell it since before streams had kinds."""
    return {key: value for key, value in spec.to_json().items() if key != "kind"}


class FrozenIR50(RecordingExtractor):
    """`video/ir50`: 512 features of IR-50 on every face image, of length one, 30 Hz.

    The network sees the middle 40 x 40 of images of 48 x 48 pixels, as published.

    Args:
        source: Model file of the model `ir50`.

    Raises:
        BadInput: No model file, or one of another model.

    Source: leader-follower attentive fusion (ICCVW 2021).
    """

    def __init__(self, source: Path) -> None:
        self.source = Path(source)
        self.digest = weights_digest(self.source, "ir50")
        self.input = create_extractor(f"video/aligned{STORED}")
        read = self.input.spec
        recipe = {"extractor": "ir50", **weights_recipe(self.source, self.digest), "middle": SIZE}
        self.spec = StreamSpec(
            "video/ir50", read.rate, (FEATURES,), recipe=recipe | {"reads": _facts(read)}
        )

    def sources(self, clip: Clip) -> list[Path]:
        """The face images, and the video."""
        return self.input.sources(clip)

    def begin(self, clip: Clip, readings: Readings) -> Blocks:
        """See `RecordingExtractor`; (T, 512) float32, zero where no face is seen."""
        read = begin(self.input, clip, readings)
        return lambda: map(self.features_of, read())

    def features_of(self, block: Stream) -> Stream:
        """What the network makes of some images (T, 48, 48, 3) uint8 RGB: (T, 512) float32."""
        model, trained = frozen_model(self.source, self.digest)
        assert isinstance(model, IR50Frames)
        (statistics,) = trained.normalisation.values()
        edge = (STORED - SIZE) // 2
        middle = slice(edge, edge + SIZE)
        x, mask = as_input(block.values[:, middle, middle], block.mask, statistics, "pictures")
        with torch.inference_mode():
            values = present_features(model.backbone, x, mask)[0].cpu().numpy()
        return Stream(values, block.mask, block.start)


def _front_end(model: Model, modality: str) -> FrontEnd | None:
    """The first front-end of a model that reads a stream of this modality."""
    for module in model.modules():
        if isinstance(module, FrontEnd) and module.clock.stream.startswith(f"{modality}/"):
            return module
    return None
