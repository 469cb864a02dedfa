"""Parity of AuxFormer, both releases: equal and padded batches, with and without the band."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from affuse.features.batch import Batch
from affuse.models.base import Model, Output
from affuse.verification.model_cases import Inputs, check_model, everything_present
from affuse.verification.parity import Case, Measure

#: What the names of the encoders begin with; published are series (T, B, C).
ENCODERS = ("trans_", "a_mem", "v_mem")


def check_auxformer(case: Case) -> Iterator[Measure]:
    """The three heads and the encoders; padding is part of the published result."""
    config = case.content["config"]

    def batch(model: Model, inputs: Inputs) -> Batch:
        audio, video = model.streams
        return everything_present({audio: inputs["audio"], video: inputs["video"]})

    def scores(output: Output) -> dict[str, Tensor]:
        names = {"main": "main", "audio": "audio", "visual": "video"}
        return {published: output.auxiliary[ours] for published, ours in names.items()}

    def arrange(name: str, x: Tensor) -> Tensor:
        if name.startswith("conv_1d"):
            return x.transpose(1, 2)
        return x.transpose(0, 1) if name.startswith(ENCODERS) else x

    yield from check_model(
        case,
        batch,
        scores,
        arrange=arrange,
        heads=config["num_heads"],
        band=config["attn_mask"],
        padding="published",
        classifier="out_layer.bias",
    )
