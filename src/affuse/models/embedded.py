"""The frozen networks that a model's streams come from, inside its model file.

A model file holds them as they are, byte for byte, so that the digest in a stream's recipe is still
theirs, and prediction needs nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from affuse.execution.files import atomic_path

#: What stands before the digest in the name of an entry.
PREFIX = "frozen."


def network_entries(networks: Mapping[str, Path]) -> dict[str, Tensor]:
    """Entries of a model file that hold other model files.

    Args:
        networks: Digest -> file.

    Returns:
        Name -> (bytes,) uint8.
    """
    return {
        f"{PREFIX}{digest}": torch.from_numpy(np.fromfile(path, np.uint8))
        for digest, path in networks.items()
    }


def unpack_networks(path: Path, wanted: Collection[str], folder: Path) -> dict[str, Path]:
    """Write networks that a model file holds as files of their own.

    Args:
        path: The model file.
        wanted: Their digests.
        folder: Where to.

    Returns:
        Digest -> file, of those that are in it.
    """
    found = {}
    with safe_open(path, "pt") as file:
        for name in set(file.keys()) & {f"{PREFIX}{digest}" for digest in wanted}:
            digest = name.removeprefix(PREFIX)
            found[digest] = folder / f"{digest}.safetensors"
            with atomic_path(found[digest]) as temporary:
                file.get_tensor(name).numpy().tofile(temporary)
    return found
