"""The checkpoints of a fold: written whole or not at all, and opened as data alone.

best.ckpt      the epoch with the best development score, where one is selected
last.ckpt      the last whole epoch
previous.ckpt  the one before it, in case that the last is damaged

Each holds all that a training needs to go on, as tensors, numbers, strings, lists and dictionaries,
and a SHA-256 of these.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from torch import Tensor

from affuse.errors import AffuseError, BadInput
from affuse.execution.checkpoint_files import open_pickled
from affuse.execution.files import atomic_path
from affuse.models.entries import not_finite
from affuse.training.processes import of_first

BEST, LAST, PREVIOUS = "best.ckpt", "last.ckpt", "previous.ckpt"
_DIGEST = "affuse_digest"


class NotFinite(AffuseError):
    """A number in a training is not finite, and the training ends."""


class Checkpoints(CheckpointIO):
    """How Lightning's trainer keeps checkpoints: beside their place, then renamed."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write a checkpoint; the last one is kept as the previous.

        Raises:
            NotFinite: A weight is not.
        """
        path = Path(path)
        content = _plain(checkpoint)
        if bad := not_finite(content["state_dict"]):
            raise NotFinite(
                f"epoch {content['epoch'] + 1}: weight {bad.removeprefix('model.')} is not finite "
                "at its end"
            )
        content[_DIGEST] = _digest(content)
        with atomic_path(path) as temporary:
            torch.save(content, temporary)
            if path.name == LAST and path.is_file():
                with atomic_path(path.with_name(PREVIOUS)) as other:
                    _link(path, other)

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any = None, weights_only: Any = True
    ) -> dict[str, Any]:
        """See `read_checkpoint`; of several processes all get what the first one reads."""
        return of_first(lambda: read_checkpoint(Path(path)))

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Called by the trainer for what is no longer the best."""
        Path(path).unlink(missing_ok=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint, on the CPU.

    Raises:
        BadInput: It cannot be read, holds code, or is damaged; those of the first versions of
            affuse have no digest to compare.
    """
    content = open_pickled(path)
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        raise BadInput(path, "is no checkpoint of a training")
    if not isinstance(content.get("epoch"), int):
        raise BadInput(path, "is no checkpoint of a training")
    told = content.pop(_DIGEST, None)
    if told is not None and told != _digest(content):
        raise BadInput(path, "is damaged: its content is not what its digest says")
    return content


def to_go_on_from(folder: Path) -> tuple[Path | None, list[str]]:
    """The checkpoint with the most epochs.

    The best one can be ahead of the last: they are written one after the other.

    Args:
        folder: Of the checkpoints of a fold.

    Returns:
        None where the training is to begin; and what cannot be read, in a line each.

    Raises:
        BadInput: There are checkpoints and none can be read, or the best one cannot, which nothing
            else can replace.
    """
    found: list[tuple[int, Path]] = []
    damaged: list[BadInput] = []
    for path in (folder / LAST, folder / PREVIOUS, folder / BEST):
        if path.is_file():
            try:
                found.append((read_checkpoint(path)["epoch"], path))
            except BadInput as error:
                damaged.append(error)
    if damaged and (not found or damaged[-1].path.name == BEST):
        reason = f"{damaged[-1].reason}; remove {folder} to begin the fold again"
        raise BadInput(damaged[-1].path, reason)
    return max(found, key=lambda one: one[0], default=(0, None))[1], list(map(str, damaged))


def _link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the disk has no such links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _plain(value: Any) -> Any:
    """Tensors on the CPU and values that are no code; a `TypeError` for anything else."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, Mapping):
        return {_plain(key): _plain(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(x) for x in value] if isinstance(value, list) else tuple(map(_plain, value))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")


def _digest(content: Any) -> str:
    """SHA-256 of plain values and tensors on the CPU."""
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, Tensor):
            digest.update(f"tensor {value.dtype} {list(value.shape)}".encode())
            digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
        elif isinstance(value, Mapping):
            digest.update(b"{")
            for key, inner in value.items():
                add(key)
                add(inner)
            digest.update(b"}")
        elif isinstance(value, list | tuple):
            digest.update(b"[")
            for inner in value:
                add(inner)
            digest.update(b"]")
        else:
            digest.update(f"{type(value).__name__} {value!r} ".encode())

    add(content)
    return digest.hexdigest()
