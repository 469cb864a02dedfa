"""Weights in pickles of live objects, of which no code is imported or run.

A training script that pickles its trainer writes the names of its classes and functions and what
they are made of. Here every one of them is a dummy that keeps what it is given; only the numbers of
tensors are opened, and those by PyTorch's own reader of weights alone.
"""

from __future__ import annotations

import io
import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from affuse.errors import BadInput

#: How the files begin that `torch.save` wrote before it wrote archives.
_TORCH = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9"
_TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
_PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
_BYTES = "torch.storage._load_from_bytes"


class _Dummy:
    """Stands for an object of a class that is not imported, or for what a function returned.

    Attributes:
        origin: Module and name of the class or function.
        given: Its arguments.
        held: Its state, and what was put into it as into a list, a set or a dict.
    """

    origin: ClassVar[str] = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Dummy:
        made = super().__new__(cls)
        made.given, made.held = args, []
        return made

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.given: tuple[Any, ...]
        self.held: list[Any]

    def __setstate__(self, state: Any) -> None:
        self.held.append(state)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.held.append({key: value})

    def append(self, value: Any) -> None:
        self.held.append(value)

    add = append


class _Dummies(pickle.Unpickler):
    """Opens any pickle; of all its classes and functions only `OrderedDict` is the real one."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        return type(name, (_Dummy,), {"origin": f"{module}.{name}"})


def is_trainer(path: Path) -> bool:
    """Whether a file is a pickle that `torch.save` did not write."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(len(_TORCH))
    return head[:1] == b"\x80" and head != _TORCH


def read_trainer(
    path: Path, recognises: Callable[[Mapping[str, Any]], bool]
) -> tuple[dict[str, Tensor], str]:
    """The weights of a model in a pickle: a state dict that is kept, or else those of a module.

    Args:
        path: What `pickle.dump` wrote, on any device.
        recognises: Whether entries with these names are the weights that are looked for.

    Returns:
        Entry -> tensor on the CPU, without the `module.` of DataParallel, and where in the file
        they were: the first state dict under a name with `best` in it, else the first one, else
        the first module.

    Raises:
        BadInput: No pickle, damaged, or without such weights.
    """
    try:
        with path.open("rb") as file:
            content = _Dummies(file).load()
        found = sorted(_states(content, recognises), key=lambda state: state[0])
        if not found:
            raise BadInput(path, "holds no weights of such a model")
        _, place, entries = found[0]
        state = {name: _tensor(x) for name, x in entries.items()}
    except BadInput:
        raise
    except OSError as error:
        raise BadInput(path, error.strerror or "cannot be read") from error
    except Exception as error:  # a damaged file can raise anything
        raise BadInput(path, "is not a pickle of a trainer, or damaged") from error
    return state, place


def _states(
    content: Any, recognises: Callable[[Mapping[str, Any]], bool]
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Rank, place and entries of all weights that are looked for, in the order of the file."""
    waiting, seen = [("", content)], {id(content)}
    while waiting:
        place, x = waiting.pop()
        if isinstance(x, Mapping):
            tensors = _named((str(name), t) for name, t in x.items() if _is_tensor(t))
            if recognises(tensors):
                yield (0 if "best" in place else 1), place, tensors
        elif isinstance(x, _Dummy) and recognises(tensors := _named(_entries(x, ""))):
            yield 2, place, tensors
        parts = [(f"{place}.{name}".strip("."), part) for name, part in _parts(x)]
        waiting += [p for p in reversed(parts) if id(p[1]) not in seen]
        seen.update(id(part) for _, part in parts)


def _named(entries: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Entries without the `module.` of DataParallel."""
    return {re.sub(r"(^|(?<=\.))module\.", "", name): x for name, x in entries}


def _parts(x: Any) -> Iterator[tuple[str, Any]]:
    """What an object is made of, by name."""
    if isinstance(x, Mapping):
        yield from ((str(name), part) for name, part in x.items())
    elif isinstance(x, list | tuple):
        yield from ((str(number), part) for number, part in enumerate(x))
    elif isinstance(x, _Dummy) and not _is_tensor(x):
        for part in (*x.given, *x.held):
            yield from _parts(part) if isinstance(part, Mapping | tuple) else [("", part)]


def _entries(module: _Dummy, prefix: str) -> Iterator[tuple[str, Any]]:
    """The parameters and buffers of a dummy of `torch.nn.Module` and of the modules in it."""
    for state in module.held:
        if isinstance(state, Mapping) and "_modules" in state:
            for kind in ("_parameters", "_buffers"):
                for name, x in state[kind].items():
                    if _is_tensor(x):
                        yield f"{prefix}{name}", x
            for name, x in state["_modules"].items():
                if isinstance(x, _Dummy):
                    yield from _entries(x, f"{prefix}{name}.")


def _is_tensor(x: Any) -> bool:
    return isinstance(x, _Dummy) and x.origin in (*_TENSORS, *_PARAMETERS)


def _tensor(x: _Dummy) -> Tensor:
    """The tensor that a dummy stands for."""
    while x.origin in _PARAMETERS:
        x = x.given[0]
    storage, offset, size, stride = x.given[:4]
    if x.origin not in _TENSORS or storage.origin != _BYTES:
        raise ValueError(f"{x.origin} of {storage.origin} is no tensor")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyTorch's own about such storages
        (data,) = storage.given
        numbers = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        whole = torch.empty(0, dtype=numbers.dtype).set_(numbers.untyped())
        return whole.as_strided(size, stride, offset).clone()  # refuses what lies beyond
