"""Weights of published encoders: read from their files, and written as one small file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from affuse.errors import BadInput
from affuse.execution.checkpoint_files import read_checkpoint

#: Files of a folder that hold the weights of a network, the first that is there.
FILES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")


@dataclass(frozen=True)
class Weights:
    """A part of a network.

    Args:
        path: The file.
        state: Entry -> value, floating point as it is stored.
        metadata: Of a safetensors file.
        alone: Whether the file is safetensors and holds nothing else.
    """

    path: Path
    state: dict[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False


def weights_file(source: Path, network: str, files: Sequence[str] = FILES) -> Path:
    """The file with the weights of a network.

    Args:
        source: The file, or a folder with one of `files`.
        network: What messages call it.
        files: Names that are looked for, the first one first.

    Raises:
        BadInput: There is none.
    """
    source = Path(source)
    if source.is_dir():
        for name in files:
            if (source / name).is_file():
                return source / name
        raise BadInput(source, f"holds none of {', '.join(files)}")
    if not source.is_file():
        raise BadInput(source, f"no such file or folder of the weights of {network}")
    return source


def read_weights(path: Path, entry: str, prefixes: Sequence[str] = ("",)) -> Weights:
    """The weights of a part of a network; nothing else of safetensors files is read.

    Args:
        path: Safetensors, in one file or as the index of several; or what `torch.save` wrote, which
            is not opened if it holds code.
        entry: An entry of the part.
        prefixes: What may stand before it and all others of the part; the first that does is cut
            off, and where none does, entries are as they are.

    Raises:
        BadInput: The file cannot be used.
    """
    path = Path(path)
    if path.name.endswith(".index.json"):
        return _read_index(path, entry, prefixes)
    if path.suffix == ".safetensors":
        return _read_safetensors(path, entry, prefixes)
    state = read_checkpoint(path)
    prefix = _prefix(state, entry, prefixes)
    return Weights(path, _below(prefix, state))


def packed(weights: Weights, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file of some weights in float16; the file itself where it is such a one.

    Args:
        weights: Where they are from.
        state: What is kept of them: entry -> value.
        metadata: At most one entry, for several are written in no fixed order.

    Raises:
        BadInput: A weight is not finite in float16.
    """
    from safetensors.torch import save

    small = {name: x.half().contiguous() for name, x in state.items()}
    if bad := next((name for name, x in small.items() if not x.isfinite().all()), None):
        raise BadInput(weights.path, f"weight {bad} is not finite in float16")
    as_it_is = (
        weights.alone
        and len(state) == len(weights.state)
        and metadata.items() <= weights.metadata.items()
        and all(x.dtype == torch.float16 for x in state.values())
    )
    return weights.path.read_bytes() if as_it_is else save(small, dict(metadata) or None)


def _read_safetensors(path: Path, entry: str, prefixes: Sequence[str]) -> Weights:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            prefix = _prefix(names, entry, prefixes)
            kept = [name for name in names if name.startswith(prefix)]
            state = _below(prefix, {name: file.get_tensor(name) for name in kept})
            return Weights(path, state, file.metadata() or {}, len(state) == len(names))
    except (SafetensorError, OSError) as error:
        raise BadInput(path, f"not a safetensors file, or damaged ({error})") from error


def _read_index(path: Path, entry: str, prefixes: Sequence[str]) -> Weights:
    try:
        places: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        files = sorted({str(place) for place in places.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(path, f"is no index of weights ({error})") from error
    if strange := [name for name in files if Path(name).name != name]:
        raise BadInput(path, f"names a file outside of its folder: {strange[0]}")
    prefix = _prefix(places, entry, prefixes)
    state: dict[str, Tensor] = {}
    for name in files:
        state |= _read_safetensors(path.with_name(name), "", (prefix,)).state
    return Weights(path, state)


def _prefix(names: Sequence[str] | Mapping[str, Any], entry: str, prefixes: Sequence[str]) -> str:
    if not entry:
        return prefixes[0]
    return next((prefix for prefix in prefixes if f"{prefix}{entry}" in names), "")


def _below(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): x
        for name, x in state.items()
        if name.startswith(prefix) and x.is_floating_point()
    }
