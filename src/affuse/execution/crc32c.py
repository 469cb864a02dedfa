"""CRC-32C, the checksum of LevelDB tables and TensorFlow checkpoints (RFC 3720, appendix B.4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ONES = 0xFFFFFFFF
_POLYNOMIAL = 0x82F63B78  # reflected
#: Bytes that are summed at once: so many lanes of equal length, side by side.
_CHUNK, _LANES = 1 << 24, 1 << 14


def _table() -> NDArray[np.uint32]:
    x: NDArray[np.uint32] = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        x = (x >> np.uint32(1)) ^ (x & np.uint32(1)) * np.uint32(_POLYNOMIAL)
    return x


_TABLE = _table()


def crc32c(data: NDArray[np.uint8]) -> int:
    """The checksum of (N,) bytes."""
    register = _ONES
    for first in range(0, len(data), _CHUNK):
        part = data[first : first + _CHUNK]
        if len(part) < _LANES:
            for byte in part.tolist():
                register = int(_TABLE[(register ^ byte) & 255]) ^ (register >> 8)
        else:
            register = _in_lanes(part, register)
    return register ^ _ONES


def _in_lanes(data: NDArray[np.uint8], register: int) -> int:
    """The register after some bytes: that of each lane, joined pair by pair.

    The register is linear in register and data, zeros before the data leave an empty one empty,
    and any other one is the same as bytes that differ by it.
    """
    width = -(-len(data) // _LANES)
    padded = np.zeros(_LANES * width, np.uint8)
    begin = len(padded) - len(data)
    padded[begin:] = data
    padded[begin : begin + 4] ^= np.frombuffer(register.to_bytes(4, "little"), np.uint8)
    state = np.zeros(_LANES, np.uint32)
    after = np.uint32(1) << np.arange(32, dtype=np.uint32)  # each bit, after a lane of zeros
    for column in np.ascontiguousarray(padded.reshape(_LANES, width).T):
        state = _TABLE[(state ^ column) & 255] ^ (state >> 8)
        after = _TABLE[after & 255] ^ (after >> 8)
    while len(state) > 1:
        state = _moved(state[0::2], after) ^ state[1::2]
        after = _moved(after, after)
    return int(state[0])


def _moved(state: NDArray[np.uint32], after: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Registers after as many zeros as `after` says of each bit."""
    moved = np.zeros_like(state)
    for bit in range(32):
        moved ^= np.where(state >> bit & 1, after[bit], np.uint32(0))
    return moved
