"""What an ONNX file says of itself, read without its graph, and without onnx or onnxruntime.

An ONNX file is one protocol buffer, a `ModelProto`: a series of fields, each with its number and
its length. Those that are not wanted are passed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from affuse.errors import BadInput

SUFFIX = ".onnx"
#: Numbers of the fields `graph` and `metadata_props` of a `ModelProto`.
_GRAPH, _METADATA = 7, 14
#: Bytes of one entry of the metadata, at most.
_LARGEST = 1 << 28


def is_onnx(path: Path) -> bool:
    """Whether a file is called an ONNX file."""
    return Path(path).suffix.lower() == SUFFIX


def onnx_metadata(path: Path) -> dict[str, str]:
    """The metadata of an ONNX file, by key.

    Raises:
        BadInput: It is missing or damaged.
    """
    try:
        with Path(path).open("rb") as file:
            entries = [file.read(size) for number, size in _fields(file) if number == _METADATA]
        return dict(map(_entry, entries))
    except FileNotFoundError:
        raise BadInput(path, "no such file") from None
    except (ValueError, OSError) as error:
        raise BadInput(path, f"not an ONNX file, or damaged ({error})") from error


def graph_digest(path: Path) -> str:
    """SHA-256 of the graph in an ONNX file as it lies there, weights included.

    Raises:
        BadInput: It is missing or damaged.
    """
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            for number, size in _fields(file):
                if number == _GRAPH:
                    while size:
                        part = file.read(min(size, 1 << 20))
                        digest.update(part)
                        size -= len(part)
    except (ValueError, OSError) as error:
        raise BadInput(path, f"not an ONNX file, or damaged ({error})") from error
    return digest.hexdigest()


def _fields(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Number and length of each field that has a length; the file stands at what it holds."""
    end = file.seek(0, 2)
    file.seek(0)
    while (start := file.tell()) < end:
        number, kind = divmod(_whole_number(file), 8)
        if kind == 0:
            _whole_number(file)
        elif kind == 2:
            size = _whole_number(file)
            if number == 0 or file.tell() + size > end:
                raise ValueError(f"it ends within the field at byte {start:,}")
            if number == _METADATA and size > _LARGEST:
                raise ValueError("its metadata is too large")
            following = file.tell() + size
            yield number, size
            file.seek(following)
        else:
            raise ValueError(f"no field at byte {start:,}")


def _whole_number(file: BinaryIO) -> int:
    """The variable-length number that comes next."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it ends within a number")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number has too many digits")


def _entry(data: bytes) -> tuple[str, str]:
    """Key and value of an entry of the metadata, a message of two strings."""
    found = {1: "", 2: ""}
    file = BytesIO(data)
    for number, size in _fields(file):
        found[number] = file.read(size).decode()
    return found[1], found[2]
