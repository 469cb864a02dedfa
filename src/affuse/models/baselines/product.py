"""The product of experts, one for every stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Head, Output
from affuse.models.baselines.modality_encoder import EncoderModel, ModalityEncoder
from affuse.models.frontends import FrontEndChoice
from affuse.models.layers.pooling import Pooling
from affuse.suggestions import unknown


class Product(EncoderModel):
    """`product`: what every stream says, taken as independent of each other given the class.

    The probabilities of n present streams are multiplied and divided n - 1 times by the prior; an
    absent stream says nothing. A stream of scores is an expert already and learns a temperature,
    which is one over its weight in the product; any other is a front-end, pooling and a linear
    layer. `Output.auxiliary` holds what each stream says alone, by its name: with the loss of the
    decision (`primary`) temperatures and layers are learned together, as weights; with that of the
    auxiliary heads each by itself, as calibration.

    Args:
        streams: Any number of streams of any modality.
        outputs: Number of classes C.
        head: `classes`.
        frontends: Front-end by stream; the one that suits it for those that are left out.
        pooling: How time is pooled, one of `affuse.models.layers.pooling.POOLS`.
        dropout: Probability of dropping a pooled feature in training.
        prior: C positive numbers, the shares of the classes; equal ones by default.

    Raises:
        AffuseError: Another head, a prior of another length, or a front-end of no stream.

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
    ) -> None:
        super().__init__(streams, outputs, head, pooling)
        if head != "classes":
            raise AffuseError(f"model product has no head {head!r}; it tells classes")
        if len(prior) not in {0, outputs} or any(share <= 0 for share in prior):
            raise AffuseError(f"product: prior must hold {outputs} positive numbers")
        chosen = dict(frontends or {})
        if wrong := [name for name in chosen if name not in self.streams]:
            raise unknown("stream", wrong[0], self.streams, "the recipe's streams")
        self.experts = nn.ModuleList(
            ModalityEncoder(spec, outputs, chosen.get(name), pooling, dropout)
            for name, spec in self.streams.items()
        )
        self.prior = list(prior) or [1.0] * outputs

    def forward(self, batch: Batch) -> Output:
        """Log-probabilities; those of the prior where nothing is present."""
        prior = torch.tensor(self.prior, device=next(self.parameters()).device)
        prior = prior.log().log_softmax(-1)
        says, joined = {}, prior.expand(len(batch), -1)
        for expert in self.experts:
            assert isinstance(expert, ModalityEncoder)
            features, present = self.embed(expert, batch)
            alone = expert.classifier(features).float().log_softmax(-1)
            says[expert.stream] = alone
            joined = joined + (alone - prior) * present
        return Output(joined.log_softmax(-1), says)
