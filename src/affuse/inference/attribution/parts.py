"""The parts of a frame that can be hidden: regions of a face, bands of a spectrum, named columns.

What a stream has follows from its kind and its recipe, never from its name. Frames of sound that
have no parts of their own are made once more from the sound without a band of frequencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import inf, log10
from typing import ClassVar, Literal

import numpy as np

from affuse.features.normalisation import Normalisation
from affuse.features.stream import StreamSpec
from affuse.media.band_stop import Band

What = Literal["region", "band", "column"]

#: Regions of a face that is aligned as `affuse.media.crops.ALIGNED_LANDMARKS` says: rectangles
#: x1, y1, x2, y2 in a crop of 112 by 112 pixels. Eyes lie at y = 52, the mouth at y = 92.
_FACE: Mapping[str, tuple[tuple[int, int, int, int], ...]] = {
    "forehead and brows": ((14, 0, 98, 43),),
    "eyes": ((18, 43, 94, 62),),
    "nose": ((42, 62, 70, 82),),
    "mouth": ((30, 82, 82, 108),),
    "cheeks": ((14, 62, 42, 82), (70, 62, 98, 82)),
}
#: What an aligned crop shows besides.
REST = "rest of the image"
#: Regions of a face that is not aligned: a grid of three by three.
_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
#: Groups of neighbouring bands of a spectrum, and columns of a vector, at most.
BANDS, COLUMNS = 8, 64
_GREY = 127.5
#: Bands of sound, equally wide on the mel scale up to 8 kHz; speech has little above.
SOUND_BANDS = [
    Band(low, high) for low, high in pairwise([0, 260, 615, 1100, 1770, 2690, 3940, 5660, inf])
]


@dataclass(frozen=True)
class Part:
    """A part of the frames of a stream.

    Args:
        stream: Name of the stream.
        what: `region`, `band` or `column`.
        name: Such as `mouth`, `50-500 Hz` or `AU12_r`.
        where: Bool in the shape of a frame, without the channels of images: what is hidden.
        filling: What it is replaced by, as raw values over the last axis of a frame.
        crop: Of images that are cut out of recordings: the margin around the face, and whether it
            is aligned; else None.
    """

    stream: str
    what: What
    name: str
    where: np.ndarray
    filling: np.ndarray
    crop: tuple[float, bool] | None = None

    def hidden(self, values: np.ndarray) -> np.ndarray:
        """Frames (T, ...) in which the part is replaced, in their type."""
        found = values.copy()
        if self.what == "region":
            found[:, self.where] = self.filling.astype(values.dtype)
        else:
            found[:, self.where] = self.filling[self.where].astype(values.dtype)
        return found


@dataclass(frozen=True)
class SoundBand:
    """A band of the sound that the frames of a stream were made from.

    Args:
        stream: Name of the stream.
        band: What the sound is without where the band is hidden.
    """

    stream: str
    band: Band
    what: ClassVar[What] = "band"
    where: ClassVar[np.ndarray] = np.zeros(0, bool)
    crop: ClassVar[None] = None

    @property
    def name(self) -> str:
        """Such as `260-615 Hz`."""
        return str(self.band)


def parts_of(spec: StreamSpec, statistics: Normalisation | None) -> list[Part] | str:
    """The parts of the frames of a stream, or why there are none.

    Args:
        spec: Of the stream.
        statistics: With which the model standardises it; hidden parts become its mean, or mid-grey
            where the model does not know the mean of images.
    """
    if spec.kind == "pictures":
        filling, crop = _mean(statistics, spec, 3), None
        if "align" in spec.recipe:
            crop = float(spec.recipe.get("margin", 0.0)), bool(spec.recipe["align"])
        return [
            Part(spec.name, "region", name, where, filling, crop)
            for name, where in face_regions(spec).items()
        ]
    size = spec.shape[0]
    if spec.kind == "spectrum":
        filling = _mean(statistics, spec, size)
        edges = np.linspace(0, size, min(BANDS, size) + 1).round().astype(int).tolist()
        return [
            Part(spec.name, "band", _band(spec, a, b), _between(size, a, b), filling)
            for a, b in pairwise(edges)
        ]
    columns = spec.recipe.get("columns") or []
    named = len(columns) == size
    if spec.kind == "vectors" and named and size <= COLUMNS:
        filling = _mean(statistics, spec, size)
        return [
            Part(spec.name, "column", str(name), _between(size, k, k + 1), filling)
            for k, name in enumerate(columns)
        ]
    if spec.kind == "vectors" and named:
        return f"has {size} columns, more than {COLUMNS}"
    what = {
        "scores": "are scores of classes",
        "vectors": "have no names",
        "maps": "are what a network made of sound or images",
    }
    return f"its values {what[spec.kind]}: neither regions, bands nor named columns"


def sound_bands(
    specs: Mapping[str, StreamSpec], normalisation: Mapping[str, Normalisation]
) -> list[SoundBand]:
    """The bands of the streams of sound over time whose frames have no parts.

    Args:
        specs: Of the streams of a model, by name.
        normalisation: With which it standardises them.
    """
    return [
        SoundBand(name, band)
        for name, spec in specs.items()
        if spec.modality == "audio" and spec.rate and spec.span is None
        if isinstance(parts_of(spec, normalisation.get(name)), str)
        for band in SOUND_BANDS
    ]


def face_regions(spec: StreamSpec) -> dict[str, np.ndarray]:
    """The regions of face images, which together are the whole image.

    Args:
        spec: Of a stream of images.

    Returns:
        Name -> (H, W) bool.
    """
    height, width = spec.shape[:2]
    margin = float(spec.recipe.get("margin", 0.0))
    aligned = bool(spec.recipe.get("align"))
    return dict(_aligned(height, width, margin) if aligned else _grid(height, width))


@lru_cache(maxsize=16)
def _aligned(height: int, width: int, margin: float) -> tuple[tuple[str, np.ndarray], ...]:
    y, x = np.mgrid[:height, :width]
    x, y = (
        56 + 112 * ((place + 0.5) / size - 0.5) * (1 + margin)
        for place, size in ((x, width), (y, height))
    )
    found = {
        name: np.any([(a <= x) & (x < c) & (b <= y) & (y < d) for a, b, c, d in boxes], axis=0)
        for name, boxes in _FACE.items()
    }
    found[REST] = ~np.any(list(found.values()), axis=0)
    return tuple((name, where) for name, where in found.items() if where.any())


@lru_cache(maxsize=16)
def _grid(height: int, width: int) -> tuple[tuple[str, np.ndarray], ...]:
    y, x = np.mgrid[:height, :width]
    rows, columns = 3 * y // height, 3 * x // width
    found = (
        (f"{row} {column}", (rows == j) & (columns == k))
        for j, row in enumerate(_ROWS)
        for k, column in enumerate(_COLUMNS)
    )
    return tuple((name, where) for name, where in found if where.any())


def _between(size: int, first: int, end: int) -> np.ndarray:
    places = np.arange(size)
    return (first <= places) & (places < end)


def _band(spec: StreamSpec, first: int, end: int) -> str:
    """What some bands of a spectrum are called: their frequencies where the recipe tells them."""
    recipe, size = spec.recipe, spec.shape[0]
    high = recipe.get("fmax") or (recipe["rate"] / 2 if "rate" in recipe else None)
    if high is None or recipe.get("scale") != "htk":
        return f"bands {first + 1}-{end}"
    low, high = (2595 * log10(1 + f / 700) for f in (float(recipe.get("fmin", 0.0)), float(high)))
    # neighbouring triangles meet half way between their centres
    shares = [0.0 if not first else (first + 0.5) / (size + 1)]
    shares += [1.0 if end == size else (end + 0.5) / (size + 1)]
    a, b = (700 * (10 ** ((low + share * (high - low)) / 2595) - 1) for share in shares)
    return f"{a:.0f}-{b:.0f} Hz"


def _mean(statistics: Normalisation | None, spec: StreamSpec, size: int) -> np.ndarray:
    """(size,) the mean of a stream over the last axis of a frame, raw."""
    mean = np.asarray((statistics or Normalisation()).mean, np.float64)
    if spec.kind == "pictures" and not mean.any():
        return np.full(size, _GREY)
    return mean if len(mean) == size else np.full(size, mean[0])
