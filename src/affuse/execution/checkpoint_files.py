"""Files that training scripts write with pickle, read as tensors and plain values alone."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from affuse.errors import BadInput

#: What training scripts call the weights in what they save.
_WEIGHTS = ("state_dict", "net", "model_state_dict")


class _Ignored:
    """Stands for training statistics in a checkpoint; takes any state and keeps none."""

    def __setstate__(self, state: object) -> None:
        pass


def _numpy_globals() -> list[Any]:
    """The NumPy names that a pickled number or array needs, under old and new module names."""
    functions: tuple[Any, ...] = np.float64(0).__reduce__()[0], np.zeros(1).__reduce__()[0]
    renamed = [
        (function, f"numpy.{module}.multiarray.{function.__name__}")
        for function in functions
        for module in ("core", "_core")
    ]
    kinds = {type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?")}
    return [*renamed, np.dtype, np.ndarray, *kinds]


# EfficientFace's training script saves its recorder of losses with the weights.
_RECORDERS = [(_Ignored, f"__main__.{name}") for name in ("RecorderMeter", "RecorderMeter1")]


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The weights in a PyTorch checkpoint, by themselves or under one of `_WEIGHTS`.

    Args:
        path: A file that `torch.save` wrote on any device.

    Returns:
        Entry -> tensor on the CPU, without the `module.` of DataParallel.

    Raises:
        BadInput: Missing, not a checkpoint, without weights, or with code in it.
    """
    return read_training(path)[0]


def read_training(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights in a PyTorch checkpoint, and what is saved beside them.

    Args:
        path: A file that `torch.save` wrote on any device.

    Returns:
        As `read_checkpoint`, and what lies beside the state dict, such as `epoch` and `optimizer`;
        empty for a bare one.

    Raises:
        BadInput: Missing, not a checkpoint, without weights, or with code in it.
    """
    beside: dict[str, Any] = {}
    content = open_pickled(path)
    for key in _WEIGHTS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            beside = {str(name): x for name, x in content.items() if name != key}
            content = content[key]
    if not isinstance(content, Mapping):
        raise BadInput(path, f"holds a {type(content).__name__}, not weights")
    state = {str(name): x for name, x in content.items() if isinstance(x, Tensor)}
    if not state:
        raise BadInput(path, "holds no weights")
    return {re.sub(r"(^|(?<=\.))module\.", "", name): x for name, x in state.items()}, beside


def open_pickled(path: Path) -> Any:
    """What `torch.save` wrote, if these are tensors and plain values alone, on the CPU.

    Raises:
        BadInput: Missing, damaged, or with code in it.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(path, "no such file")
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise BadInput(path, error.strerror or "cannot be read") from error
    try:
        with (
            warnings.catch_warnings(action="ignore", category=UserWarning),  # of other protocols
            torch.serialization.safe_globals([*_numpy_globals(), *_RECORDERS]),
        ):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything
        code = re.search(r"GLOBAL (\S+)", str(error))
        if code and isinstance(error, pickle.UnpicklingError):
            reason = f"holds code ({code[1]}), not weights alone; it is not opened"
        else:
            reason = "not a PyTorch checkpoint, or damaged"
        raise BadInput(path, reason) from error


class _ArraysAlone(pickle.Unpickler):
    """Opens pickles of plain values and NumPy arrays and refuses everything else."""

    _MODULES = ("numpy", "numpy._core.multiarray", "numpy._core.numeric")
    _NAMES = ("dtype", "ndarray", "scalar", "_reconstruct", "_frombuffer")

    def find_class(self, module: str, name: str) -> Any:
        module = re.sub(r"^numpy\.core\b", "numpy._core", module)  # as NumPy 1 calls it
        if module not in self._MODULES or name not in self._NAMES:
            raise pickle.UnpicklingError(f"holds code ({module}.{name}); it is not opened")
        return super().find_class(module, name)


def read_pickled_arrays(path: Path) -> Any:
    """What a pickle holds, if these are plain values and NumPy arrays alone.

    Raises:
        BadInput: The file cannot be read, is no pickle, or holds code.
    """
    try:
        with path.open("rb") as file:
            return _ArraysAlone(file).load()
    except OSError as error:
        raise BadInput(path, error.strerror or "cannot be read") from error
    except Exception as error:  # a damaged file can raise anything
        code = isinstance(error, pickle.UnpicklingError) and "holds code" in str(error)
        raise BadInput(path, str(error) if code else "is not a pickle, or damaged") from error
