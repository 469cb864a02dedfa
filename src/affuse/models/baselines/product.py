"""The product of experts, one for every stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Head, Output
from affuse.models.baselines.modality_encoder import EncoderModel, ModalityEncoder
from affuse.models.frontends.registry import FrontEndChoice
from affuse.models.layers.pooling import Pooling, masked_statistics
from affuse.suggestions import unknown


class Reliability(nn.Module):
    """How much a stream counts, by how good its modality is in a window.

    Args:
        stream: Its name.
        streams: All streams.
        names: Those that say how good a modality is.

    Raises:
        AffuseError: One of them holds something else than vectors.
    """

    def __init__(
        self, stream: str, streams: Mapping[str, StreamSpec], names: Sequence[str]
    ) -> None:
        super().__init__()
        self.stream, self.rate = stream, streams[stream].rate or 1.0
        told = [streams[name] for name in names]
        if wrong := [spec.name for spec in told if not spec.is_flat]:
            raise AffuseError(f"product: reliability {wrong[0]} holds something else than vectors")
        own = [spec for spec in told if spec.modality == streams[stream].modality]
        self.names = [spec.name for spec in own]
        self.weigh = nn.Linear(1 + 2 * sum(spec.shape[0] for spec in own), 1)
        nn.init.zeros_(self.weigh.weight)
        nn.init.zeros_(self.weigh.bias)

    def forward(self, batch: Batch) -> Tensor:
        """(B, 1) from 0 to 2; 1 before anything is learned."""
        told = [masked_statistics(batch.streams[name], batch.masks[name]) for name in self.names]
        seconds = batch.masks[self.stream].sum(1, keepdim=True) / self.rate
        known = torch.cat((seconds, *told), 1).to(self.weigh.weight.dtype)
        weight: Tensor = 2 * self.weigh(known).sigmoid()
        return weight


class Product(EncoderModel):
    """`product`: what every stream says, taken as independent of each other given the class.

    The probabilities of n present streams are multiplied and divided n - 1 times by the prior; an
    absent stream says nothing. A stream of scores is an expert already and learns a temperature,
    which is one over its weight in the product; any other is a front-end, pooling and a linear
    layer. `Output.auxiliary` holds what each stream says alone, by its name: with the loss of the
    decision (`primary`) temperatures and layers are learned together, as weights; with that of the
    auxiliary heads each by itself, as calibration.

    With `reliability`, what a stream says is weighed by how good its modality is at the moment: the
    logarithm of its share over the prior is multiplied by a number from 0 to 2, which is learned of
    the seconds of its frames that are present, and of mean and deviation of the streams named there
    that are of its modality.

    Args:
        streams: Any number of streams of any modality.
        outputs: Number of classes C.
        head: `classes`.
        frontends: Front-end by stream; the one that suits it for those that are left out.
        pooling: How time is pooled, one of `affuse.models.layers.pooling.POOLS`.
        dropout: Probability of dropping a pooled feature in training.
        prior: C positive numbers, the shares of the classes; equal ones by default.
        reliability: Streams that say how good a modality is, such as `audio/level`, and nothing
            about the class.
        where: Stream that says when its modality is pooled, such as `audio/loud`; see
            `EncoderModel`.

    Raises:
        AffuseError: Another head, a prior of another length, a front-end or a reliability of no
            stream, or a reliability of no vectors.

    Source: Hinton, Products of experts, 1999.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "classes",
        frontends: Mapping[str, FrontEndChoice] | None = None,
        pooling: Pooling = "mean",
        dropout: float = 0.0,
        prior: Sequence[float] = (),
        reliability: Sequence[str] = (),
        where: str = "",
    ) -> None:
        super().__init__(streams, outputs, head, pooling, where)
        if head != "classes":
            raise AffuseError(f"model product has no head {head!r}; it tells classes")
        if len(prior) not in {0, outputs} or any(share <= 0 for share in prior):
            raise AffuseError(f"product: prior must hold {outputs} positive numbers")
        chosen = dict(frontends or {})
        if wrong := [name for name in (*chosen, *reliability) if name not in self.streams]:
            raise unknown("stream", wrong[0], self.streams, "the recipe's streams")
        said = [name for name in self.streams if name not in {*reliability, where}]
        self.experts = nn.ModuleList(
            ModalityEncoder(self.streams[name], outputs, chosen.get(name), pooling, dropout)
            for name in said
        )
        weights = [Reliability(name, self.streams, reliability) for name in said]
        self.weights = nn.ModuleList(weights) if reliability else None
        self.prior = list(prior) or [1.0] * outputs

    def forward(self, batch: Batch) -> Output:
        """Log-probabilities; those of the prior where nothing is present."""
        prior = torch.tensor(self.prior, device=next(self.parameters()).device)
        prior = prior.log().log_softmax(-1)
        says, joined = {}, prior.expand(next(iter(batch.masks.values())).shape[0], -1)
        for number, expert in enumerate(self.experts):
            assert isinstance(expert, ModalityEncoder)
            features, present = self.embed(expert, batch)
            alone = expert.classifier(features).float().log_softmax(-1)
            says[expert.stream] = alone
            weight = present if self.weights is None else self.weights[number](batch) * present
            joined = joined + (alone - prior) * weight
        return Output(joined.log_softmax(-1), says)
