"""Variables in TensorFlow checkpoints, without TensorFlow.

Both formats are a table of sorted keys as LevelDB writes it. The first one (V1, a single file)
holds the values in it; the second one (V2) is a table `.index` beside `.data-00000-of-00001`.

Source: the format descriptions of LevelDB (table_format), and of the messages SavedTensorSlices,
BundleHeaderProto and BundleEntryProto of TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affuse.errors import BadInput
from affuse.execution.crc32c import crc32c

_MAGIC = 0xDB4775248B80FB57
_FOOTER, _TRAILER = 48, 5
_FLOAT = 1  # DT_FLOAT
#: An encoded message: number of a field and its value.
_Field = tuple[int, int | memoryview]


def is_tensorflow(path: Path) -> bool:
    """Whether a path names a checkpoint of TensorFlow: its file, or the name of its files."""
    if not path.is_file():
        return _index(path).is_file()
    with path.open("rb") as file:
        return file.read(2) == b"\0\0"  # the first key shares nothing with one before, and is empty


def read_variables(path: Path, prefix: str) -> dict[str, NDArray[np.float32]]:
    """The variables whose name begins with a prefix.

    Args:
        path: A file of format V1; the `.index` of format V2; or what both files of V2 begin with.
        prefix: Others are neither read nor checked.

    Raises:
        BadInput: The file is truncated, damaged (by its checksums) or compressed, or a variable
            is not of float32 or is stored in parts.
    """
    path = path if path.is_file() else _index(path)
    try:
        data = np.fromfile(path, np.uint8)
        table = dict(_entries_of_table(path, data))
        header = next(_fields(table.pop(b"")))
        if isinstance(header[1], int):
            return _bundle(path, table, header[1], prefix)
        return _slices(path, table, header[1], prefix)
    except OSError as error:
        raise BadInput(path, error.strerror or "cannot be read") from error
    except (IndexError, KeyError, ValueError, TypeError, StopIteration, OverflowError) as error:
        raise BadInput(path, "is no TensorFlow checkpoint, or damaged") from error


def _index(path: Path) -> Path:
    return path.with_name(f"{path.name}.index")


def _slices(
    path: Path, table: dict[bytes, memoryview], meta: memoryview, prefix: str
) -> dict[str, NDArray[np.float32]]:
    """The variables of format V1, whose shapes the entry of the empty key tells."""
    shapes = {}
    for tensor in _messages(meta, 1):
        shapes[_text(tensor)] = _shape(tensor, 2), _number(tensor, 3)
    found = {}
    for value in table.values():
        for piece in _messages(value, 2):
            name = _text(piece)
            if name.startswith(prefix):
                (tensor,) = _messages(piece, 3)
                (values,) = [x for x in (*_messages(tensor, 4), *_messages(tensor, 5)) if x]
                found[name] = _array(path, name, values, *shapes[name])
    return found


def _bundle(
    path: Path, table: dict[bytes, memoryview], shards: int, prefix: str
) -> dict[str, NDArray[np.float32]]:
    """The variables of format V2, which lie in files beside the table."""
    found = {}
    for key, entry in table.items():
        name = key.decode()
        if name.startswith(prefix):
            file = (
                f"{path.name.removesuffix('.index')}.data-{_number(entry, 3):05d}-of-{shards:05d}"
            )
            place, size = path.with_name(file), _number(entry, 5)
            if not place.is_file():
                raise BadInput(place, f"no such file; {path.name} needs it")
            offset = _number(entry, 4)
            if offset + size > place.stat().st_size:
                raise BadInput(place, f"ends before {name} does")
            values = np.fromfile(place, np.uint8, size, offset=offset)
            if _masked(values) != _number(entry, 6):
                raise BadInput(place, f"is damaged: the checksum of {name} differs")
            found[name] = _array(path, name, values.data, _shape(entry, 2), _number(entry, 1))
    return found


def _array(
    path: Path, name: str, values: memoryview, shape: tuple[int, ...], kind: int
) -> NDArray[np.float32]:
    if kind != _FLOAT:
        raise BadInput(path, f"holds {name} as numbers of type {kind}, not as float32")
    if len(values) != 4 * math.prod(shape):
        raise BadInput(path, f"holds {len(values) / 4:g} values of {name}, not {shape}")
    return np.frombuffer(values, "<f4").astype(np.float32).reshape(shape)


def _entries_of_table(path: Path, data: NDArray[np.uint8]) -> Iterator[tuple[bytes, memoryview]]:
    footer = data.data[-_FOOTER:]
    if len(footer) < _FOOTER or int.from_bytes(footer[-8:], "little") != _MAGIC:
        raise BadInput(path, "is no TensorFlow checkpoint, or not all of one")
    at = 0
    handle = []
    for _ in range(4):  # offset and size of an index of nothing, then of the index of the blocks
        number, at = _varint(footer, at)
        handle.append(number)
    for _, block in _entries(_block(path, data, *handle[2:])):
        offset, at = _varint(block, 0)
        yield from _entries(_block(path, data, offset, _varint(block, at)[0]))


def _block(path: Path, data: NDArray[np.uint8], offset: int, size: int) -> memoryview:
    """A block without its trailer: whether it is compressed, and its checksum."""
    block = data[offset : offset + size + 1]
    trailer = data.data[offset + size : offset + size + _TRAILER]
    if len(trailer) < _TRAILER or _masked(block) != int.from_bytes(trailer[1:], "little"):
        raise BadInput(path, f"is damaged: the checksum at byte {offset} differs")
    if trailer[0]:
        raise BadInput(path, "is compressed, which TensorFlow's own checkpoints are not")
    return block.data[:size]


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Keys, each told by what differs from the one before, and values."""
    restarts = int.from_bytes(block[-4:], "little")
    end, at, key = len(block) - 4 * (restarts + 1), 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        size, at = _varint(block, at)
        if at + own + size > end:
            raise ValueError("an entry is longer than its block")
        key = key[:shared] + bytes(block[at : at + own])
        at += own + size
        yield key, block[at - size : at]


def _masked(data: NDArray[np.uint8]) -> int:
    """The checksum as it is stored, so that a checksum of a checksum means something."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, and where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at


def _fields(message: memoryview) -> Iterator[_Field]:
    """The fields of an encoded protocol message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                number, at = _varint(message, at)
                yield tag >> 3, number
            case 1 | 5 as kind:
                size = 8 if kind == 1 else 4
                yield tag >> 3, int.from_bytes(message[at : at + size], "little")
                at += size
            case 2:
                size, at = _varint(message, at)
                if at + size > len(message):
                    raise ValueError("a field is longer than its message")
                yield tag >> 3, message[at : at + size]
                at += size
            case _:
                raise ValueError("no field")


def _messages(message: memoryview, field: int) -> list[memoryview]:
    return [x for number, x in _fields(message) if number == field and isinstance(x, memoryview)]


def _number(message: memoryview, field: int) -> int:
    """A number, 0 where it is left out."""
    found = [x for number, x in _fields(message) if number == field and isinstance(x, int)]
    return found[-1] if found else 0


def _text(message: memoryview) -> str:
    """The name of a variable or piece, its first field."""
    return bytes(_messages(message, 1)[0]).decode()


def _shape(message: memoryview, field: int) -> tuple[int, ...]:
    """The sizes in a field that is a TensorShapeProto."""
    return tuple(
        _number(size, 1) for shape in _messages(message, field) for size in _messages(shape, 2)
    )
