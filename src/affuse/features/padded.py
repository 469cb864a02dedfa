"""Streams of several clips side by side, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from affuse.errors import AffuseError
from affuse.features.stream import Stream, StreamSpec

#: Name of a stream -> array.
Arrays = dict[str, np.ndarray]


def padded(
    samples: Sequence[Mapping[str, Stream]],
    specs: Mapping[str, StreamSpec],
    ids: Sequence[str] = (),
) -> tuple[Arrays, Arrays]:
    """Lay the streams of several clips side by side, the shorter ones padded as absent.

    Args:
        samples: The streams of each clip.
        specs: Their specs.
        ids: Clip ids, for messages.

    Returns:
        Values (B, T, ...) and masks (B, T) bool.

    Raises:
        AffuseError: A frame that is present holds a number that is not finite; the message names
            clip, stream and second.
    """
    streams, masks = {}, {}
    for name, spec in specs.items():
        parts = [sample[name] for sample in samples]
        for row, part in enumerate(parts):
            check_finite(part, spec, ids[row] if ids else "")
        length = max(len(part.mask) for part in parts)
        values = np.zeros((len(parts), length, *spec.shape), spec.dtype)
        mask = np.zeros((len(parts), length), bool)
        for row, part in enumerate(parts):
            values[row, : len(part.mask)] = part.values
            mask[row, : len(part.mask)] = part.mask
        streams[name], masks[name] = values, mask
    return streams, masks


def check_finite(stream: Stream, spec: StreamSpec, clip: str = "") -> None:
    """Refuse a stream whose present frames hold a number that is not finite.

    Raises:
        AffuseError: The message names clip, stream and second.
    """
    if spec.dtype == "uint8":
        return
    bad = stream.mask & ~_finite(stream.values)
    if bad.any():
        second = stream.start + int(bad.argmax()) / (spec.rate or 1.0)
        what = f"clip {clip}: stream {spec.name}" if clip else f"stream {spec.name}"
        raise AffuseError(
            f"{what} holds a number that is not finite (nan or inf) at {second:.2f} s; look for "
            "such sound with affuse check --whole, and prepare the clip again"
        )


def _finite(values: np.ndarray) -> np.ndarray:
    """(T, ...) -> (T,) bool, whether all numbers of a frame are finite."""
    axes = tuple(range(1, values.ndim))
    if values.dtype == np.float16:  # by its bits: numpy would convert each number to float32 first
        return np.asarray((values.view(np.uint16) & 0x7FFF).max(axes) < 0x7C00)
    return np.asarray(np.isfinite(values).all(axes))
