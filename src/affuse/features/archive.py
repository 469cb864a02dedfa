"""Arrays in one safetensors file, written in blocks and read through a memory map.

The last array, `crc32` (N,) int64, holds the checksums (CRC-32) of all others, each whole or in
parts, and at its end that of the header and the checksums themselves.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
_CHECKSUMS = "crc32"


@dataclass
class Archive:
    """An open archive.

    Attributes:
        path: The file.
        arrays: Read-only memory maps.
        metadata: JSON values.
        checked: Whether it has checksums; older ones have none.
    """

    path: Path
    arrays: dict[str, np.ndarray]
    metadata: dict[str, Any]
    checked: bool = False
    _sums: dict[str, np.ndarray] = field(default_factory=dict)
    _ends: dict[str, np.ndarray] = field(default_factory=dict)
    _intact: dict[str, np.ndarray] = field(default_factory=dict)  # -1: not looked at yet

    @property
    def digest(self) -> str:
        """SHA-256 of the metadata and of the checksums of all arrays."""
        told = hashlib.sha256(json.dumps(self.metadata, sort_keys=True).encode())
        for name in sorted(self._sums):
            told.update(self._sums[name].tobytes())
        return told.hexdigest()

    def intact(self, name: str, part: int | None = None) -> bool:
        """Whether an array is what was written; read once, then remembered.

        Args:
            name: The array.
            part: Which of the parts that it was written in; by default all of them.
        """
        if not self.checked:
            return True
        parts = range(len(self._sums[name]))
        if part is None or len(parts) == 1:
            return all(self._part_intact(name, k) for k in parts)
        return self._part_intact(name, part)

    def _part_intact(self, name: str, part: int) -> bool:
        known = self._intact[name]
        if known[part] < 0:
            first = self._ends[name][part - 1] if part else 0
            rows = self.arrays[name][first : self._ends[name][part]]
            found = 0
            for piece in _pieces(rows) if rows.nbytes > _PIECE else [rows]:
                found = zlib.crc32(piece.data, found)
            known[part] = found == self._sums[name][part]
        return bool(known[part])


def write_archive(
    path: Path,
    arrays: Mapping[str, tuple[str, tuple[int, ...], Iterable[np.ndarray]]],
    metadata: Mapping[str, Any],
    parts: Mapping[str, str] | None = None,
) -> None:
    """Write arrays atomically without holding them in memory.

    Args:
        path: The `.safetensors` file.
        arrays: Name -> (dtype, shape, blocks that make up the array along the first axis).
        metadata: JSON values, stored as one JSON text under the key `affuse`.
        parts: Name -> name of the array, given as one block, that holds the first row of each part
            with a checksum of its own, and the end; by default the array has one as a whole.
    """
    parts = parts or {}
    ends = {name: [shape[0]] for name, (_, shape, _) in arrays.items()}
    for name, index in parts.items():
        (offset,) = arrays[index][2]
        ends[name] = offset[1:].tolist()
    count = sum(map(len, ends.values())) + 1
    layout = {name: (dtype, shape) for name, (dtype, shape, _) in arrays.items()}
    layout[_CHECKSUMS] = ("int64", (count,))
    facts = {"affuse": json.dumps(metadata, sort_keys=True)}
    if parts:
        facts["parts"] = json.dumps(parts, sort_keys=True)
    header: dict[str, Any] = {"__metadata__": facts}
    position = 0
    for name, (dtype, shape) in layout.items():
        size = _size(shape, dtype)
        header[name] = {
            "dtype": _CODES[dtype],
            "shape": list(shape),
            "data_offsets": [position, position + size],
        }
        position += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    sums: list[int] = []
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(head)
        for name, (dtype, shape, blocks) in arrays.items():
            before = file.tell()
            summing = _Sums(ends[name])
            for block in blocks:
                for piece in _pieces(block):
                    data = np.ascontiguousarray(piece, dtype=dtype)
                    file.write(data.data)
                    summing.add(data)
            if file.tell() - before != _size(shape, dtype):
                raise ValueError(f"blocks of {name} do not fill shape {shape}")
            sums += summing.sums
        file.write(_sealed(head, sums).tobytes())


class _Sums:
    """Checksums of parts of an array, which comes in blocks.

    Args:
        ends: Row after each part.
    """

    def __init__(self, ends: Sequence[int]) -> None:
        self.sums = [0] * len(ends)
        self._ends, self._part, self._row = ends, 0, 0

    def add(self, block: np.ndarray) -> None:
        """The next rows."""
        while len(block) and self._part < len(self._ends):
            count = min(len(block), self._ends[self._part] - self._row)
            self.sums[self._part] = zlib.crc32(block[:count].data, self.sums[self._part])
            self._row += count
            block = block[count:]
            self._part += self._row == self._ends[self._part]


def _sealed(head: bytes, sums: Sequence[int]) -> np.ndarray:
    """Checksums, and that of the header and them."""
    array = np.array(sums, np.int64)
    return np.append(array, np.int64(zlib.crc32(array.data, zlib.crc32(head))))


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
    """Arrays as read-only memory maps, all compared with their checksums, and the metadata.

    Raises:
        BadInput: The file is absent, cut off, damaged, or not one of ours.
    """
    archive = open_archive(path)
    for name in archive.arrays:
        if not archive.intact(name):
            raise BadInput(path, f"is damaged ({name} is not what was written)")
    return archive.arrays, archive.metadata


def open_archive(path: Path, later: Collection[str] = ()) -> Archive:
    """An archive as read-only memory maps; its header and arrays are compared with their checksums.

    Args:
        path: The file.
        later: Arrays that are not compared yet but with `Archive.intact`.

    Raises:
        BadInput: The file is absent, cut off, damaged, or not one of ours.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            head = file.read(8)
            length = int.from_bytes(head, "little")
            if length > size - 8:
                raise ValueError("header beyond the end")
            head += file.read(length)
        header = json.loads(head[8:])
        facts = header.pop("__metadata__")
        metadata = json.loads(facts["affuse"])
        if not isinstance(metadata, dict):
            raise ValueError("no metadata")
        arrays = {
            name: _mapped(path, entry, len(head), size - len(head))
            for name, entry in header.items()
        }
        archive = Archive(path, arrays, metadata)
        if _CHECKSUMS in arrays:
            _add_checksums(archive, head, json.loads(facts.get("parts", "{}")))
    except FileNotFoundError:
        raise BadInput(path, "no such file") from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise BadInput(path, f"is not a whole archive of affuse ({error})") from error
    for name in archive.arrays:
        if name not in later and not archive.intact(name):
            raise BadInput(path, f"is damaged ({name} is not what was written)")
    return archive


def _mapped(path: Path, entry: Mapping[str, Any], begin: int, size: int) -> np.ndarray:
    """An array that an entry of the header describes; it lies in the file as a whole.

    Raises:
        ValueError: It does not.
    """
    dtype, shape = _DTYPES[entry["dtype"]], tuple(entry["shape"])
    first, last = entry["data_offsets"]
    if not all(type(number) is int and number >= 0 for number in (first, last, *shape)):
        raise ValueError("a shape that is none")
    count = dtype.itemsize
    for number in shape:
        count *= number
    if last - first != count or last > size:
        raise ValueError(f"{last - first} bytes for shape {shape}, in a file of {size}")
    if not count:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", begin + first, shape)


def _add_checksums(archive: Archive, head: bytes, parts: Mapping[str, str]) -> None:
    """Raises ValueError where the header or the checksums are not those that were written."""
    sums = np.array(archive.arrays.pop(_CHECKSUMS))
    if sums.ndim != 1 or not (sums == _sealed(head, sums[:-1].tolist())).all():
        raise ValueError("its header is not what was written")
    left = sums
    for name, array in archive.arrays.items():
        index = archive.arrays[parts[name]] if name in parts else None
        ends = np.array([len(array)]) if index is None else np.array(index[1:])
        archive._sums[name], left = left[: len(ends)], left[len(ends) :]
        archive._ends[name] = ends
        archive._intact[name] = np.full(len(ends), -1, np.int8)
    archive.checked = True
