"""Windows that stay on a GPU, where every epoch has the same ones and they fit."""

from __future__ import annotations

import torch

from affuse.features.batch import Batch
from affuse.training.data import ClipDataset

#: Of the memory that is free: what a training needs beside its data is not known before.
SHARE = 0.125
_CHUNK = 64


def room_on(device: torch.device) -> int:
    """Bytes that data may take on a device: none but on a GPU, which has memory of its own."""
    return int(SHARE * torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 0


def keep_on(device: torch.device, dataset: ClipDataset, room: int) -> None:
    """Copy all windows to a device once, if they are the same in every epoch and fit.

    Args:
        device: That learns from them.
        dataset: Gets `resident`; left as it is where its batches have to be read.
        room: Bytes that may be taken.

    Raises:
        AffuseError: See `affuse.features.batch.collate`.
    """
    if not (room and dataset.constant and len(dataset)):
        return
    one = dataset.__getitems__([0])
    if len(dataset) * sum(x.nbytes for x in _tensors(one).values()) > room:
        return
    whole = {
        name: torch.empty((len(dataset), *x.shape[1:]), dtype=x.dtype, device=device)
        for name, x in _tensors(one).items()
    }
    ids: list[str] = []
    for first in range(0, len(dataset), _CHUNK):
        chunk = dataset.__getitems__(range(first, min(first + _CHUNK, len(dataset))))
        for name, x in _tensors(chunk).items():
            if x.shape[1:] != whole[name].shape[1:]:  # of clips that are longer than others
                return
            whole[name][first : first + len(x)] = x
        ids += chunk.ids
    dataset.resident = Batch(
        {name: whole["values", name] for name in one.streams},
        {name: whole["masks", name] for name in one.masks},
        whole["targets", ""],
        ids,
        one.kinds,
    )


def _tensors(batch: Batch) -> dict[tuple[str, str], torch.Tensor]:
    """Everything in a raw batch with targets that has a row for each clip."""
    assert batch.targets is not None
    return {
        **{("values", name): x for name, x in batch.streams.items()},
        **{("masks", name): x for name, x in batch.masks.items()},
        ("targets", ""): batch.targets,
    }
