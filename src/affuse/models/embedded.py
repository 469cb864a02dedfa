"""The frozen networks that a model's streams come from, inside its model file.

A model file holds them as they are, byte for byte, so that the digest in a stream's recipe is still
theirs, and prediction needs nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from safetensors import safe_open

from affuse.errors import BadInput
from affuse.execution.fields import check_digest
from affuse.execution.files import atomic_path
from affuse.models.onnx_metadata import is_onnx

#: What stands before the digest in the name of an entry.
PREFIX = "frozen."


def network_entries(networks: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """Entries of a model file that hold other model files.

    Args:
        networks: Digest -> file.

    Returns:
        Name -> (bytes,) uint8.

    Raises:
        BadInput: A file is not the one that the digest names.
    """
    entries = {}
    for digest, path in networks.items():
        data = np.fromfile(path, np.uint8)
        check_embedded(path, {f"{PREFIX}{digest}": data})
        entries[f"{PREFIX}{digest}"] = data
    return entries


def check_embedded(path: Path, entries: Mapping[str, np.ndarray]) -> None:
    """Refuse networks that are not what their names say.

    Args:
        path: The file that messages name.
        entries: Name -> (bytes,) uint8.

    Raises:
        BadInput: A name is no digest, or not that of the bytes.
    """
    for name, data in entries.items():
        digest = name.removeprefix(PREFIX)
        try:
            check_digest("the name of a network in it", digest)
        except ValueError as error:
            raise BadInput(path, str(error)) from error
        whole = data.dtype == np.uint8 and data.ndim == 1
        if not whole or not hashlib.sha256(data.data).hexdigest().startswith(digest):
            raise BadInput(path, f"is damaged: its network {digest[:16]} has other content")


def unpack_networks(path: Path, wanted: Collection[str], folder: Path) -> dict[str, Path]:
    """Write networks that a model file holds as files of their own: an ONNX file those of graphs.

    Args:
        path: The model file.
        wanted: Their digests.
        folder: Where to.

    Returns:
        Digest -> file, of those that are in it.

    Raises:
        BadInput: One is not what its digest says.
    """
    if is_onnx(path):
        from affuse.models.onnx_model import unpack_graphs

        return unpack_graphs(path, wanted, folder)
    found = {}
    with safe_open(path, "np") as file:
        for name in sorted(set(file.keys()) & {f"{PREFIX}{digest}" for digest in wanted}):
            data = file.get_tensor(name)
            check_embedded(path, {name: data})
            digest = name.removeprefix(PREFIX)
            found[digest] = folder / f"{digest}.safetensors"
            with atomic_path(found[digest]) as temporary:
                data.tofile(temporary)
    return found
