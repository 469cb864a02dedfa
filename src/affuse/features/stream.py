"""What a stream is: a named time series of one modality of one clip."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from affuse.execution.fields import (
    check_digest,
    check_list,
    check_mapping,
    check_number,
    check_one_of,
    check_plain,
    check_text,
    check_whole,
)
from affuse.features.renamed import current_recipe

#: Rate in Hz of continuous valence and arousal that a model learns.
TARGET_RATE = 30.0

#: What a stream from a file can be: a name that is no path, Hz, seconds, sizes and types.
_NAME = re.compile(r"[a-z]+/[A-Za-z0-9][\w.-]*", re.ASCII)
RATES, SECONDS = (0.001, 200_000.0), (0.01, 3600.0)
_AXES, _LARGEST_FRAME = 4, 1 << 24
_DTYPES = ("float32", "float16", "uint8")

#: `spectrum`: one value per frequency band (F,). `vectors`: features (D,). `pictures`: RGB images
#: (H, W, 3) uint8. `maps`: features with a place or a time in a frame, (C, H, W) or (T, F).
#: `scores`: log-probabilities of classes (C,), which stay as they are.
Kind = Literal["spectrum", "vectors", "pictures", "maps", "scores"]


@dataclass(frozen=True)
class StreamSpec:
    """Everything about a stream but its values; travels in stores and model files.

    Args:
        name: Such as `audio/mfcc10`; the modality is the first part.
        rate: Frames per second in Hz; 0 for one row per clip.
        shape: Shape of one frame.
        dtype: `float32`, or `uint8` for images (H, W, 3) RGB.
        recipe: The extractor and its exact parameters, as JSON values.
        span: Seconds of the one fixed window that it describes; None for the whole clip.
        kind: What its frames are, which decides what may be done to them; None for what name,
            shape and type say, as in files that were written before streams had kinds.
    """

    name: str
    rate: float
    shape: tuple[int, ...]
    dtype: str = "float32"
    recipe: dict[str, Any] = field(default_factory=dict)
    span: float | None = None
    kind: Kind = None  # type: ignore[assignment]  # None is replaced when the spec is made

    def __post_init__(self) -> None:
        if self.kind is None:
            object.__setattr__(self, "kind", _kind_by_name(self.name, self.shape, self.dtype))

    @property
    def modality(self) -> str:
        """`audio` or `video`."""
        return self.name.split("/", 1)[0]

    @property
    def is_picture(self) -> bool:
        """Whether a frame is an image (H, W, 3) uint8."""
        return self.kind == "pictures"

    @property
    def is_flat(self) -> bool:
        """Whether a frame is one row of numbers."""
        return self.kind in ("vectors", "spectrum", "scores")

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON values."""
        return asdict(self) | {"shape": list(self.shape)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> StreamSpec:
        """The inverse of `to_json`, of values that a file tells.

        Raises:
            KeyError, TypeError: One of them is missing, or is not known.
            ValueError: One of them cannot be; the message names it.
        """
        check_list("shape", value["shape"], 1, _AXES)
        spec = cls(**{**value, "shape": tuple(value["shape"])})
        check_text("name", spec.name)
        if not _NAME.fullmatch(spec.name):
            raise ValueError(f"name is {spec.name!r}; expected a name such as audio/mfcc10")
        if spec.rate != 0 or isinstance(spec.rate, bool):
            check_number("rate", spec.rate, *RATES)
        for size in spec.shape:
            check_whole("shape", size, 1, _LARGEST_FRAME)
        if math.prod(spec.shape) > _LARGEST_FRAME:
            raise ValueError(f"shape is {spec.shape}: more than {_LARGEST_FRAME:,} values a frame")
        check_one_of("dtype", spec.dtype, _DTYPES)
        check_one_of("kind", spec.kind, get_args(Kind))
        axes = {"pictures": (3,), "maps": range(2, _AXES + 1)}.get(spec.kind, (1,))
        if len(spec.shape) not in axes:
            raise ValueError(f"kind is {spec.kind}, which shape {spec.shape} cannot be")
        if spec.kind == "pictures" and (spec.dtype != "uint8" or spec.shape[2] != 3):
            raise ValueError(f"kind is pictures, which {spec.dtype} {spec.shape} cannot be")
        if spec.span is not None:
            check_number("span", spec.span, *SECONDS)
        check_mapping("recipe", spec.recipe)
        check_plain("recipe", spec.recipe)
        object.__setattr__(spec, "recipe", current_recipe(spec.recipe))
        if "weights" in spec.recipe:
            check_digest("recipe.weights", spec.recipe["weights"])
        if spec.kind == "scores":
            check_list("recipe.classes", spec.recipe.get("classes"), *spec.shape, *spec.shape)
            for one in spec.recipe["classes"]:
                check_text("recipe.classes", one)
        return spec


def _kind_by_name(name: str, shape: tuple[int, ...], dtype: str) -> Kind:
    """The kind of a stream of which nobody says it."""
    if dtype == "uint8" and len(shape) == 3 and shape[2] == 3:
        return "pictures"
    if len(shape) > 1:
        return "maps"
    return "spectrum" if str(name).startswith("audio/logmel") else "vectors"


@dataclass
class Stream:
    """The values of one stream of one clip.

    Args:
        values: (T, ...) in the dtype of its spec; frame i lies at `start + i / rate`.
        mask: (T,) bool, True where the frame is present.
        start: Seconds from the start of the clip to the first frame.
        notes: What was wrong with the recording and was put right.
    """

    values: np.ndarray
    mask: np.ndarray
    start: float = 0.0
    notes: tuple[str, ...] = ()

    def cut(self, spec: StreamSpec, start: float, seconds: float) -> Stream:
        """The frames of a window; what lies outside the stream is absent (zeros, mask False).

        Args:
            spec: The spec of this stream.
            start: Start of the window in seconds of the clip's time.
            seconds: Length of the window.

        Returns:
            A stream of exactly `round(seconds * rate)` frames (at least one), of the same memory
            where all of them lie within; a stream of one row per clip and a stream of a fixed span
            are returned unchanged.
        """
        if spec.rate == 0 or spec.span is not None:
            return self
        length = max(1, round(seconds * spec.rate))
        first = round((start - self.start) * spec.rate)
        at = self.start + first / spec.rate
        if 0 <= first <= len(self.values) - length:
            inside = slice(first, first + length)
            return Stream(self.values[inside], self.mask[inside], at)
        source = slice(max(first, 0), min(first + length, len(self.values)))
        values = np.zeros((length, *self.values.shape[1:]), self.values.dtype)
        mask = np.zeros(length, bool)
        if source.start < source.stop:
            target = slice(source.start - first, source.stop - first)
            values[target], mask[target] = self.values[source], self.mask[source]
        return Stream(values, mask, at)

    @classmethod
    def absent(cls, spec: StreamSpec, seconds: float) -> Stream:
        """A stream of `seconds` in which nothing is present."""
        length = max(1, round((spec.span or seconds) * spec.rate))
        return cls(np.zeros((length, *spec.shape), spec.dtype), np.zeros(length, bool))


def window_of(
    streams: dict[str, Stream], specs: dict[str, StreamSpec], start: float, seconds: float
) -> dict[str, Stream]:
    """The same window of every stream; a stream without frames is absent throughout."""
    return {
        name: stream.cut(specs[name], start, seconds)
        if len(stream.mask)
        else Stream.absent(specs[name], seconds)
        for name, stream in streams.items()
    }


def window_starts(duration: float, window: float, hop: float) -> np.ndarray:
    """Starts of the windows that cover a clip or a recording.

    Args:
        duration: Seconds.
        window: Seconds.
        hop: Greatest distance between neighbours in seconds.

    Returns:
        (W,) seconds, evenly spaced from the first second to the last; a recording that is shorter
        than a window has one around its middle, which then starts before zero.
    """
    if duration <= window:
        return np.array([(duration - window) / 2])
    count = int(np.ceil((duration - window) / hop - 1e-6)) + 1
    return np.linspace(0, duration - window, max(count, 2))


def stream_duration(streams: dict[str, Stream], specs: dict[str, StreamSpec]) -> float:
    """Seconds of a clip, from its longest stream."""
    return max(
        [s.start + len(s.mask) / specs[n].rate for n, s in streams.items() if specs[n].rate > 0],
        default=0.0,
    )
