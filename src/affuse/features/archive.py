"""Arrays in one safetensors file, written in blocks and read through a memory map."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from affuse.errors import BadInput
from affuse.execution.files import atomic_path

_CODES = {
    "float16": "F16",
    "float32": "F32",
    "uint8": "U8",
    "bool": "BOOL",
    "int64": "I64",
    "float64": "F64",
}
#: Bytes that are read of a mapped file at once.
_PIECE = 1 << 25
_DTYPES = {code: np.dtype(name) for name, code in _CODES.items()}


def write_archive(
    path: Path,
    arrays: Mapping[str, tuple[str, tuple[int, ...], Iterable[np.ndarray]]],
    metadata: Mapping[str, Any],
) -> None:
    """Write arrays atomically without holding them in memory.

    Args:
        path: The `.safetensors` file.
        arrays: Name -> (dtype, shape, blocks that make up the array along the first axis).
        metadata: JSON values, stored as one JSON text under the key `affuse`.
    """
    header: dict[str, Any] = {"__metadata__": {"affuse": json.dumps(metadata, sort_keys=True)}}
    offset = 0
    for name, (dtype, shape, _) in arrays.items():
        size = _size(shape, dtype)
        header[name] = {
            "dtype": _CODES[dtype],
            "shape": list(shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, (dtype, shape, blocks) in arrays.items():
            before = file.tell()
            for block in blocks:
                for rows in _pieces(block):
                    file.write(np.ascontiguousarray(rows, dtype=dtype).data)
            if file.tell() - before != _size(shape, dtype):
                raise ValueError(f"blocks of {name} do not fill shape {shape}")


def _size(shape: tuple[int, ...], dtype: str) -> int:
    """Bytes of an array."""
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize


def _pieces(block: np.ndarray) -> Iterator[np.ndarray]:
    """Rows of a block, a few at a time; what was read of a mapped file does not stay in memory."""
    count = max(1, _PIECE // max(1, block[:1].nbytes))
    for first in range(0, len(block), count):
        yield block[first : first + count]
        owner: Any = block
        while isinstance(owner, np.ndarray):
            owner = owner.base
        read_only = isinstance(owner, mmap.mmap) and not block.flags.writeable
        if read_only and hasattr(mmap, "MADV_DONTNEED"):
            owner.madvise(mmap.MADV_DONTNEED)


def read_archive(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays as read-only memory maps, and the metadata.

    Raises:
        BadInput: The file is absent, cut off, or not one of ours.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > path.stat().st_size:
                raise ValueError("header beyond the end")
            header = json.loads(file.read(length))
        metadata = json.loads(header.pop("__metadata__")["affuse"])
        arrays = {}
        for name, entry in header.items():
            dtype, shape = _DTYPES[entry["dtype"]], tuple(entry["shape"])
            begin, end = entry["data_offsets"]
            if begin == end:
                arrays[name] = np.zeros(shape, dtype)
            else:
                arrays[name] = np.memmap(path, dtype, "r", 8 + length + begin, shape)
    except FileNotFoundError:
        raise BadInput(path, "no such file") from None
    except (ValueError, KeyError, OSError) as error:
        raise BadInput(path, f"is not a whole archive of affuse ({error})") from error
    return arrays, metadata
