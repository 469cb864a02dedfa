"""Parity of the leader-follower models, and of VGGish, whose features they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from affuse.features.batch import Batch
from affuse.models.base import Model, Output
from affuse.verification.model_cases import check_model, everything_present
from affuse.verification.parity import Case, Measure


def check_leader_follower(case: Case) -> Iterator[Measure]:
    """With and without followers, for one dimension and two, on pictures and on features."""
    given = list(case.content["inputs"])

    def batch(model: Model, inputs: Mapping[str, Tensor]) -> Batch:
        values = [inputs[name] for name in given]
        return everything_present(dict(zip(model.streams, values, strict=True)))

    def arrange(name: str, x: Tensor) -> Tensor:
        if name.startswith("temporal"):
            return x.transpose(1, 2)
        return x if name == "spatial" else x.flatten(0, 1)

    dimensions = ["valence", "arousal"][: case.content["config"]["output_dim"]]
    yield from check_model(
        case,
        batch,
        lambda output: {"y": output.values},
        arrange=arrange,
        system="leader-follower",
        classes=dimensions,
    )


def check_vggish(case: Case) -> Iterator[Measure]:
    """VGGish, every example a recording of its own."""

    def batch(model: Model, inputs: Mapping[str, Tensor]) -> Batch:
        (name,) = model.streams
        return everything_present({name: inputs["examples"].unsqueeze(1)})

    def read(output: Output) -> dict[str, Tensor]:
        return {"embedding": output.values.squeeze(1)}

    yield from check_model(case, batch, read)
