"""Clips that hold the same recording: copies of a file, and copies that were encoded again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# Measured: docs/results/duplicates.md.
#: Similarity of `audio/fingerprint` from which two clips hold the same sound: other takes reach
#: 0.922 (RAVDESS, 719,400 pairs), copies at usual rates 0.959 at least.
SOUND_THRESHOLD = 0.94
#: Similarity of `video/fingerprint` from which two clips hold the same images: others reach 0.634
#: in real videos and 0.835 in synthetic ones; copies of still speakers at low quality are less.
VIDEO_THRESHOLD = 0.86

#: Seconds by which one copy may begin later than the other.
SHIFT = 0.5
#: Part of each clip's variation that has to lie beside the other clip.
_OVERLAP = 0.5
#: Steps by which values have to vary; less is what encoders add to silence and still images.
_LEAST_VARIATION = 2.0
#: Seconds, and frames, over which the variation has to be spread; one click or one flash looks like
#: any other.
_LEAST_SECONDS, _LEAST_FRAMES = 0.25, 3

#: Similarity of descriptors from which two clips are compared frame by frame: copies above the
#: thresholds reached 0.64 at least, all but 0.1 % of other pairs less than 0.59.
_CANDIDATE = 0.6
_FREQUENCIES = 12
#: Highest frequency of a descriptor in Hz, as far as the rate allows.
_HIGHEST = 6.0
#: Mixtures of features whose spectra make a descriptor.
_MIXED = 32
#: Descriptors that are compared with as many others at once: 64 MB.
_BLOCK = 4096

Values = NDArray[np.float32]


def similarity(a: NDArray[np.uint8], b: NDArray[np.uint8], rate: float) -> float | None:
    """How alike two fingerprints of one kind are, whichever begins first.

    The best normalised correlation over shifts, refined by the parabola around it. What is common
    to a frame (gain, exposure) and what stays over time (microphone, room) does not count.

    Args:
        a: (T, ...) values of the stream of one clip.
        b: (U, ...) of the other.
        rate: Of the stream in Hz.

    Returns:
        At most 1; None where a clip holds too little to tell (silence, a still image, a click),
        or where the clips overlap too little.
    """
    one, other = _contrast(a, rate), _contrast(b, rate)
    return None if one is None or other is None else _correlation(one, other, rate)


def near_duplicates(
    fingerprints: Mapping[str, NDArray[np.uint8]],
    rate: float,
    threshold: float,
    groups: Mapping[str, Hashable] | None = None,
) -> list[tuple[str, str, float]]:
    """Pairs of clips that hold the same recording.

    Descriptors that shifts do not change are compared for all pairs; `similarity` decides about
    those that are alike.

    Args:
        fingerprints: Clip -> (T, ...) values of its stream; memory maps are read as needed.
        rate: Of the stream in Hz.
        threshold: Least similarity, such as `SOUND_THRESHOLD`.
        groups: Clip -> role or speaker; pairs within a group are left out. All pairs by default.

    Returns:
        (clip, other clip, similarity) in the order of the clips.
    """
    clips: list[str] = []
    rows: list[Values] = []
    for clip, values in fingerprints.items():
        contrast = _contrast(values, rate)
        if contrast is not None:
            clips.append(clip)
            rows.append(_descriptor(contrast, rate))
    if len(clips) < 2:
        return []
    descriptors = np.stack(rows)
    codes: dict[Hashable, int] = {}
    labels = np.arange(len(clips))
    if groups is not None:
        labels = np.array([codes.setdefault(groups[clip], len(codes)) for clip in clips])
    found = []
    for one, other in _candidates(descriptors, labels):
        score = similarity(fingerprints[clips[one]], fingerprints[clips[other]], rate)
        if score is not None and score >= threshold:
            found.append((clips[one], clips[other], score))
    return found


def exact_duplicates(hashes: Mapping[str, NDArray[np.uint8]]) -> list[list[str]]:
    """Clips that share a file.

    Args:
        hashes: Clip -> (1, 2, 32) values of `content/sha256`, or nothing (0, 2, 32).

    Returns:
        Groups of at least two clips, in the order of their first clips; a clip whose images and
        sound are shared with different clips is in two.
    """
    members: dict[bytes, list[str]] = defaultdict(list)
    for clip, values in hashes.items():
        for digest in {row.tobytes() for row in np.reshape(values, (-1, 32)) if row.any()}:
            members[digest].append(clip)
    order = {clip: number for number, clip in enumerate(hashes)}
    groups = {tuple(group) for group in members.values() if len(group) > 1}
    return [list(group) for group in sorted(groups, key=lambda g: [order[clip] for clip in g])]


def _contrast(values: NDArray[np.uint8], rate: float) -> Values | None:
    """(T, F) without the mean of each frame and of each feature; None where little is left."""
    if len(values) == 0:
        return None
    contrast = np.asarray(values, np.float32).reshape(len(values), -1)
    contrast = contrast - contrast.mean(1, keepdims=True)
    contrast -= contrast.mean(0)
    energy = np.square(contrast).sum(1, dtype=np.float64)
    if energy.sum() < _LEAST_VARIATION**2 * contrast.size:
        return None
    spread = energy.sum() ** 2 / np.square(energy).sum()
    return contrast if spread >= max(_LEAST_SECONDS * rate, _LEAST_FRAMES) else None


def _correlation(a: Values, b: Values, rate: float) -> float | None:
    """Best normalised correlation of the overlap over shifts."""
    reach = int(np.ceil(SHIFT * rate))
    powers = [np.pad(np.square(x).sum(1, dtype=np.float64).cumsum(), (1, 0)) for x in (a, b)]
    scores = np.full(2 * reach + 1, -np.inf)
    for number, shift in enumerate(range(-reach, reach + 1)):
        begin, opposite = max(shift, 0), max(-shift, 0)
        length = min(len(a) - begin, len(b) - opposite)
        if length <= 0:
            continue
        power = [
            whole[first + length] - whole[first]
            for whole, first in zip(powers, (begin, opposite), strict=True)
        ]
        if all(part >= _OVERLAP * whole[-1] for part, whole in zip(power, powers, strict=True)):
            product = np.vdot(a[begin : begin + length], b[opposite : opposite + length])
            scores[number] = product / np.sqrt(power[0] * power[1])
    best = int(scores.argmax())
    peak = float(scores[best])
    if not np.isfinite(peak):
        return None
    if 0 < best < 2 * reach and np.isfinite(scores[best - 1 : best + 2]).all():
        left, right = scores[best - 1], scores[best + 1]
        if (curvature := left - 2 * peak + right) < 0:
            peak -= float((right - left) ** 2 / (8 * curvature))
    return min(peak, 1.0)


def _descriptor(contrast: Values, rate: float) -> Values:
    """What a shift does not change, of unit length.

    A shift turns the phase of a frequency by the same angle in all features, so that the product
    of one feature's spectrum with the conjugate of another's stays. Features are mixed at random
    before, for neighbours are too alike to tell clips apart.
    """
    mixed = contrast @ _directions(contrast.shape[1])
    frequencies = min(_HIGHEST, rate / 2) * np.arange(1, _FREQUENCIES + 1) / _FREQUENCIES
    angles = 2 * np.pi / rate * np.outer(frequencies, np.arange(len(contrast)))
    spectrum = np.exp(-1j * angles).astype(np.complex64) @ mixed
    products = spectrum[:, :-1] * spectrum[:, 1:].conj()
    products /= np.sqrt(np.abs(products)) + np.float32(1e-6)  # or one loud frequency decides
    flat = np.concatenate([products.real.ravel(), products.imag.ravel()])
    return np.asarray(flat / np.linalg.norm(flat), np.float32)


@lru_cache(maxsize=8)
def _directions(features: int) -> Values:
    """Always the same random directions, (F, 32)."""
    directions = np.random.default_rng(0).standard_normal((features, _MIXED))
    return np.asarray(directions / np.sqrt(features), np.float32)


def _candidates(descriptors: Values, labels: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Pairs of different labels whose descriptors are alike, the smaller number first."""
    count = len(descriptors)
    for top in range(0, count, _BLOCK):
        rows = slice(top, top + _BLOCK)
        pairs = []
        for left in range(top, count, _BLOCK):
            columns = slice(left, left + _BLOCK)
            alike = descriptors[rows] @ descriptors[columns].T >= _CANDIDATE
            alike &= labels[rows, None] != labels[None, columns]
            places = np.argwhere(np.triu(alike, 1) if left == top else alike)
            pairs.append(places + np.array([top, left]))
        yield from sorted(map(tuple, np.concatenate(pairs).tolist()))
