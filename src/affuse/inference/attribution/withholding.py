"""What a model is not shown of a window: modalities, a stretch of time, a part of the frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import replace

import numpy as np

from affuse.features.stream import Stream, StreamSpec
from affuse.inference.sliding import Show
from affuse.inference.windows import NamedSample
from affuse.tasks.windows import Sample


def only(modalities: Collection[str], specs: Mapping[str, StreamSpec]) -> Show:
    """Shows the streams of some modalities; others are absent, as models take a missing modality.

    Args:
        modalities: Those that are shown.
        specs: Of the streams of a window.
    """

    def show(sample: NamedSample) -> Sample:
        shown = copy(sample)
        for name, stream in sample.items():
            if specs[name].modality not in modalities:
                shown[name] = _absent(stream, np.ones(len(stream.mask), bool))
        return shown

    return show


def first_stretch(start: float, seconds: float) -> int:
    """The number of the stretch in which a window begins, from 0.

    Args:
        start: Of the window in seconds; one that begins before its recording has its first stretch.
        seconds: Length of a stretch.
    """
    return max(0, int(np.floor(start / seconds + 1e-9)))


def without_stretch(
    modality: str, number: int, seconds: float, specs: Mapping[str, StreamSpec]
) -> Show:
    """Shows all but one stretch of the sound or of the images.

    Args:
        modality: Whose streams are absent there.
        number: Of the stretch, from the one in which the window begins.
        seconds: Length of a stretch.
        specs: Of the streams of a window; one row per clip has no time and stays.
    """

    def show(sample: NamedSample) -> Sample:
        shown = copy(sample)
        start = (first_stretch(sample.start, seconds) + number) * seconds
        for name, stream in sample.items():
            spec = specs[name]
            if spec.modality == modality and spec.rate:
                origin = 0.0 if spec.span is None else max(sample.start, 0.0)
                times = origin + stream.start + np.arange(len(stream.mask)) / spec.rate
                there = (start - 1e-6 <= times) & (times < start + seconds - 1e-6)
                if (there & stream.mask).any():
                    shown[name] = _absent(stream, there)
        return shown

    return show


def with_values(name: str, values: Callable[[float, np.ndarray], np.ndarray]) -> Show:
    """Shows a stream with other values in the frames that are present.

    Args:
        name: Of the stream.
        values: Start of the window in seconds, and its values (T, ...) -> others of that shape.
    """

    def show(sample: NamedSample) -> Sample:
        shown = copy(sample)
        if sample[name].mask.any():
            shown[name] = replace(sample[name], values=values(sample.start, sample[name].values))
        return shown

    return show


def _absent(stream: Stream, frames: np.ndarray) -> Stream:
    return replace(stream, mask=stream.mask & ~frames)
