"""Windows as batches: their order, and the part that each of several processes has of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from affuse.errors import AffuseError
from affuse.training.data import ClipDataset
from affuse.training.processes import count, number
from affuse.training.sampling import balanced_order


class EpochSampler(Sampler[int]):
    """A new order in every epoch that depends on the seed and the epoch alone.

    Args:
        dataset: What is sampled; its `epoch` follows.
        seed: Of the orders.
        groups: Clip id -> its groups, which occur equally often (`balanced_order`); by default
            every window occurs once.
    """

    def __init__(
        self,
        dataset: ClipDataset,
        seed: int,
        groups: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.dataset, self.seed = dataset, seed
        self.groups = [groups[clip] for clip, _ in dataset.windows] if groups else None

    def __len__(self) -> int:
        return len(self.dataset)

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch."""
        self.dataset.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.seed, self.dataset.epoch])
        if self.groups:
            return iter(balanced_order(self.groups, random))
        return iter(random.permutation(len(self.dataset)).tolist())


class BatchParts(Sampler[list[int]]):
    """The part of one process of batches that several make together.

    A batch of all of them has `count` times as many windows as that of one; every window of an
    epoch is in one part of one batch. The last batch may be smaller; windows too few for a part
    each go into the batch before.

    Args:
        sampler: The order, the same in all processes.
        batch_size: Of a part.
        number: Of the process, from 0.
        count: Of processes.
    """

    def __init__(self, sampler: EpochSampler, batch_size: int, number: int, count: int) -> None:
        self.sampler, self.number, self.count = sampler, number, count
        whole = batch_size * count
        firsts = [*range(0, len(sampler), whole)]
        if len(firsts) > 1 and len(sampler) - firsts[-1] < count:
            del firsts[-1]
        self.batches = [*pairwise([*firsts, len(sampler)])]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        order = list(self.sampler)
        for first, last in self.batches:
            yield order[first + self.number : last : self.count]


def loader(
    dataset: ClipDataset,
    batch_size: int,
    order: Literal["random", "fixed"],
    seed: int = 0,
    groups: Mapping[str, tuple[str, ...]] | None = None,
) -> DataLoader[Any]:
    """A data set as raw batches, cut from memory maps: worker processes would not pay.

    Of several processes each gets its part: of every batch in training, of all of them together
    else.

    Raises:
        AffuseError: There are fewer windows than processes.
    """
    if len(dataset) < count():
        raise AffuseError(
            f"{len(dataset)} windows are too few for {count()} processes; start fewer of them"
        )
    sampler = EpochSampler(dataset, seed, groups) if order == "random" else None
    own = torch.Generator()  # or every pass over the data would draw from the global one
    if count() == 1:
        return DataLoader(dataset, batch_size, sampler=sampler, collate_fn=_as_it_is, generator=own)
    if sampler:
        parts = BatchParts(sampler, batch_size, number(), count())
        return DataLoader(dataset, batch_sampler=parts, collate_fn=_as_it_is, generator=own)
    first, last = (len(dataset) * k // count() for k in (number(), number() + 1))
    return DataLoader(
        dataset, batch_size, sampler=range(first, last), collate_fn=_as_it_is, generator=own
    )


def _as_it_is(batch: Any) -> Any:
    return batch
