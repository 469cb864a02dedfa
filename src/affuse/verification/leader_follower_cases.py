"""Parity of the leader-follower models, and of VGGish, whose features they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor
from torch.nn import functional as F

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Model, Output
from affuse.verification.model_cases import check_model, everything_present
from affuse.verification.parity import Case, Measure


def check_leader_follower(case: Case) -> Iterator[Measure]:
    """With and without followers, for one dimension and two, on images and on features."""
    given = list(case.content["inputs"])

    def batch(model: Model, inputs: Mapping[str, Tensor]) -> Batch:
        return everything_present(
            {
                spec.name: _framed(inputs[name], spec)
                for name, spec in zip(given, model.streams.values(), strict=True)
            }
        )

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


def _framed(x: Tensor, spec: StreamSpec) -> Tensor:
    """Images as they are stored, of which the model sees the middle; anything else as it is."""
    if not spec.is_picture:
        return x
    edge = (spec.shape[0] - x.shape[-1]) // 2
    return F.pad(x, (edge, edge, edge, edge))


def check_vggish(case: Case) -> Iterator[Measure]:
    """VGGish, every example a recording of its own."""

    def batch(model: Model, inputs: Mapping[str, Tensor]) -> Batch:
        (name,) = model.streams
        return everything_present({name: inputs["examples"].unsqueeze(1)})

    def read(output: Output) -> dict[str, Tensor]:
        return {"embedding": output.values.squeeze(1)}

    yield from check_model(case, batch, read)
