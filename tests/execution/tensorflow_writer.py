"""Checkpoints of TensorFlow, both formats, written from the descriptions of their formats."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

Variables = dict[str, np.ndarray]
TYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9}


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return varint(field << 3 | 2) + varint(len(content)) + content


def shape(field: int, x: np.ndarray) -> bytes:
    return message(field, *(message(2, number(1, size)) for size in x.shape))


def block(entries: list[tuple[bytes, bytes]], compression: int = 0) -> bytes:
    """Entries with shared beginnings of keys, a restart at every second one, and the trailer."""
    out, restarts, before = b"", [], b""
    for k, (key, value) in enumerate(entries):
        shared = 0
        if k % 2 == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        before = key
    out += struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))
    out += bytes([compression])
    return out + struct.pack("<I", masked_crc32c(out))


def table(entries: dict[bytes, bytes], per_block: int = 3, compression: int = 0) -> bytes:
    rows, out, index = sorted(entries.items()), b"", []
    for k in range(0, len(rows), per_block):
        part = block(rows[k : k + per_block], compression)
        index.append((rows[k : k + per_block][-1][0], varint(len(out)) + varint(len(part) - 5)))
        out += part
    handles = b""
    for part in (block([]), block(index)):
        handles += varint(len(out)) + varint(len(part) - 5)
        out += part
    return out + handles.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def write_v1(
    path: Path, variables: Variables, compression: int = 0, told: Variables | None = None
) -> Path:
    """One file with the values in it; `told` has the sizes that it says they have."""
    metas = [
        message(1, message(1, n.encode()), shape(2, x), number(3, TYPES[str(x.dtype)]), message(4))
        for n, x in (told or variables).items()
    ]
    entries = {b"": message(1, *metas, message(2, number(1, 8)))}
    for name, x in variables.items():
        extents = message(2, *(message(1) for _ in x.shape))
        tensor = message(3, number(1, TYPES[str(x.dtype)]), message(5, x.tobytes()))
        key = b"\0\1" + name.encode() + b"\0\1" + bytes([1, x.ndim])
        entries[key] = message(2, message(1, name.encode()), extents, tensor)
    path.write_bytes(table(entries, compression=compression))
    return path


def write_v2(path: Path, variables: Variables) -> Path:
    """A table and a file of values; what both begin with is returned."""
    data, entries = b"", {b"": number(1, 1) + message(3, number(1, 1))}
    for name, x in sorted(variables.items()):
        raw = x.tobytes()
        entry = number(1, TYPES[str(x.dtype)]) + shape(2, x)
        entry += number(4, len(data)) if data else b""
        entry += number(5, len(raw)) + varint(6 << 3 | 5) + struct.pack("<I", masked_crc32c(raw))
        entries[name.encode()] = entry
        data += raw
    path.with_name(f"{path.name}.index").write_bytes(table(entries))
    path.with_name(f"{path.name}.data-00000-of-00001").write_bytes(data)
    return path
