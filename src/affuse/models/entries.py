"""The named tensors of a model file: what may be in them, and the digest of a file's content."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from affuse.errors import AffuseError, BadInput
from affuse.execution.fields import short

#: Types in which weights may be stored; any of them can stand for another.
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def content_digest(description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over a description (JSON values) and tensors on the CPU: names, types, shapes, bytes.

    The order of neither counts.
    """
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name in sorted(tensors):
        x = tensors[name].detach().contiguous()
        digest.update(json.dumps([name, str(x.dtype), list(x.shape)]).encode())
        digest.update(x.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor with a number that is not finite; None where all are."""
    for name, x in tensors.items():
        if not x.is_floating_point() or bool(x.detach().sum().isfinite()):  # 40 times as fast
            continue
        if not bool(x.detach().isfinite().all()):
            return name
    return None


def check_entries(path: Path, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Compare entries: nothing may be missing, left over, of another shape or kind of number.

    Args:
        path: The file that messages name.
        own: What the model needs.
        given: What the file holds.

    Raises:
        BadInput: The entries do not fit; the message names the first three.
    """
    shared = [name for name in own if name in given]
    for problem, names in (
        ("lacks weights", [name for name in own if name not in given]),
        ("has unknown weights", [name for name in given if name not in own]),
        ("has weights of another shape", [n for n in shared if own[n].shape != given[n].shape]),
        (
            "has weights of another type",
            [
                f"{n} ({str(given[n].dtype).removeprefix('torch.')})"
                for n in shared
                if not _stands_for(given[n].dtype, own[n].dtype)
            ],
        ),
    ):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise BadInput(path, f"{problem}: {', '.join(map(short, names[:3]))}{more}")


def load_exactly(path: Path, model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Replace all weights of a model, which may be on the meta device.

    Args:
        path: The file that messages name.
        model: The model.
        state: Entry -> value; numbers with a point in any precision.

    Raises:
        BadInput: The entries do not fit, or hold a number that is not finite.
    """
    own = model.state_dict()
    check_entries(path, own, state)
    fitting = {name: state[name].to(own[name].dtype).clone() for name in own}
    if bad := not_finite(fitting):
        raise BadInput(path, f"weight {bad} holds a number that is not finite (nan or inf)")
    model.load_state_dict(fitting, assign=True)


@contextmanager
def parameters_at_most(count: int) -> Iterator[None]:
    """A block that builds a network may register so many parameters.

    A description can ask for a billion layers; the file holds the weights of those that there are.

    Raises:
        AffuseError: It registers more.
    """
    here, left = threading.get_ident(), count

    def registered(*_: object) -> None:
        nonlocal left
        left -= threading.get_ident() == here
        if left < 0:
            raise AffuseError("it has many more layers than the file has weights")

    handle = register_module_parameter_registration_hook(registered)
    try:
        yield
    finally:
        handle.remove()


def _stands_for(stored: torch.dtype, own: torch.dtype) -> bool:
    return stored == own or (stored in _FLOATS and own in _FLOATS)
