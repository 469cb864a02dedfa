"""The checksum, against its standard and an independent implementation."""

import numpy as np
import pytest
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import crc32c as theirs

from affuse.execution import crc32c as module
from affuse.execution.crc32c import crc32c


def bytes_of(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, count).astype(np.uint8)


def test_vectors_of_the_standard() -> None:
    assert crc32c(np.frombuffer(b"123456789", np.uint8)) == 0xE3069283
    assert crc32c(np.zeros(32, np.uint8)) == 0x8A9136AA
    assert crc32c(np.full(32, 255, np.uint8)) == 0x62A8AB43


@pytest.mark.parametrize("count", [0, 1, 5, 16383, 16384, 16387, 50001])
def test_any_length(count: int) -> None:
    data = bytes_of(count)
    assert crc32c(data) == theirs(data.tobytes())


def test_of_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 1 << 14)
    data = bytes_of(3 * (1 << 14) + 7)
    assert crc32c(data) == theirs(data.tobytes())
