"""What a prediction rests on, in numbers and in words.

It describes the model, not the person: what its outputs would have been without something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from affuse.errors import shown
from affuse.tasks.naming import UNCLEAR, named

#: What modalities are called in sentences.
WORDS = {"audio": "the sound", "video": "the face"}
#: Contributions that are not worth a word.
_LEAST = 0.005


@dataclass(frozen=True)
class PartEffect:
    """How much outputs fall where a part of the frames of a stream is hidden.

    Args:
        stream: Name of the stream.
        what: `region` of a face, `band` of a spectrum, or `column` of a vector.
        name: Of the part.
        falls: (W, K) float64 of each window; NaN where nothing is known.
        where: Bool in the shape of a frame, without the channels of images: the part.
        crop: Of images that were cut out of the recording: the margin around the face, and whether
            it was aligned (`affuse.media.crops.cut_out`); else None.
    """

    stream: str
    what: Literal["region", "band", "column"]
    name: str
    falls: np.ndarray
    where: np.ndarray
    crop: tuple[float, bool] | None = None

    @property
    def overall(self) -> np.ndarray:
        """(K,) mean over the known windows; NaN without any."""
        return mean_rows(self.falls)


@dataclass(frozen=True)
class Explanation:
    """What a prediction of N moments and K outputs rests on.

    Args:
        outputs: Names of the classes or dimensions.
        unit: `probability` of classes, or `value` of dimensions.
        starts: (N,) seconds.
        ends: (N,) seconds.
        baseline: (N, K) float64, outputs with neither sound nor images; NaN where nothing is known.
        contributions: Modality -> (N, K) float64 Shapley values; with `baseline` they add up to
            `output`.
        output: (N, K) float64, what is predicted.
        stretch: Seconds of the stretches that are withheld.
        falls: Modality -> (J, K) float64, how much outputs fall without stretch j, which begins at
            j * stretch; NaN where it cannot be known.
        windows: (W, 2) seconds, start and end.
        parts: Effects of hidden parts of the frames.
        missing: Stream -> why it has no parts.
    """

    outputs: list[str]
    unit: Literal["probability", "value"]
    starts: np.ndarray
    ends: np.ndarray
    baseline: np.ndarray
    contributions: Mapping[str, np.ndarray]
    output: np.ndarray
    stretch: float
    falls: Mapping[str, np.ndarray]
    windows: np.ndarray
    parts: Sequence[PartEffect]
    missing: Mapping[str, str]

    @property
    def known(self) -> np.ndarray:
        """(N,) bool, which moments are explained."""
        return ~np.isnan(self.output).any(1)

    @property
    def stretches(self) -> np.ndarray:
        """(J,) seconds at which the stretches begin."""
        count = max((len(x) for x in self.falls.values()), default=0)
        return np.arange(count) * self.stretch

    @property
    def overall(self) -> dict[str, np.ndarray]:
        """`baseline`, each modality and `output` -> (K,) means over the known moments."""
        rows = {"baseline": self.baseline, **self.contributions, "output": self.output}
        return {name: mean_rows(values) for name, values in rows.items()}

    @property
    def main(self) -> list[int]:
        """The outputs that are spoken of: the likeliest class, two if unclear, or all values.

        None where nothing is known.
        """
        if not self.known.any():
            return []
        if self.unit == "value":
            return list(range(len(self.outputs)))
        mean = self.overall["output"]
        count = 2 if named(self.outputs, mean) == UNCLEAR else 1
        return [int(k) for k in np.argsort(-mean, kind="stable")[:count]]

    def without(self, moments: np.ndarray) -> Self:
        """Without what is said about some moments (N,) bool, and about windows with no other."""
        gone = _only_in(self.windows[:, 0], self.windows[:, 1], self, moments)
        ends = self.stretches + self.stretch
        quiet = _only_in(self.stretches, ends, self, moments)
        return replace(
            self,
            baseline=_emptied(self.baseline, moments),
            contributions={n: _emptied(x, moments) for n, x in self.contributions.items()},
            output=_emptied(self.output, moments),
            falls={name: _emptied(x, quiet) for name, x in self.falls.items()},
            parts=[replace(part, falls=_emptied(part.falls, gone)) for part in self.parts],
        )

    @property
    def sentences(self) -> list[str]:
        """The whole recording in a plain sentence for each of `main`."""
        return [self._sentence(k) for k in self.main]

    def _sentence(self, k: int) -> str:
        found = {name: float(self.overall[name][k]) for name in self.contributions}
        order = sorted(found, key=lambda name: -abs(found[name]))
        spoke = [name for name in order if found[name] >= _LEAST]
        against = [name for name in order if found[name] <= -_LEAST]
        idle = [name for name in order if abs(found[name]) < _LEAST]
        for_it, lowered = (
            " and ".join(f"{WORDS.get(name, name)} ({signed(found[name])})" for name in some)
            for some in (spoke, against)
        )
        if self.unit == "value":
            said = [f"raised by {for_it}"] if spoke else []
            said += [f"lowered by {lowered}"] if against else []
        else:
            said = [f"came from {for_it}"] if spoke else []
            said += [f"{lowered} spoke against it"] if against else []
        said += [f"{WORDS.get(name, name)} made no difference" for name in idle]
        alone = "with neither" if len(found) > 1 else "without"
        said.append(
            f"{alone} the model says {_plain(float(self.overall['baseline'][k]), self.unit)}"
        )
        name, value = shown(self.outputs[k]), float(self.overall["output"][k])
        return f"{name[:1].upper()}{name[1:]} {_plain(value, self.unit)}: {'; '.join(said)}."


def signed(value: float) -> str:
    """A contribution with its sign, which is a true minus."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "\N{MINUS SIGN}")


def mean_rows(values: np.ndarray) -> np.ndarray:
    """(N, K) -> (K,) mean over the rows that are known; NaN without any."""
    known = values[~np.isnan(values).any(1)]
    return np.asarray(known.mean(0) if len(known) else np.full(values.shape[1], np.nan))


def _plain(value: float, unit: str) -> str:
    """An output as the timeline says it."""
    return signed(value) if unit == "value" else f"{value:.2f}"


def _emptied(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.where(rows[:, None], np.nan, values)


def _only_in(
    starts: np.ndarray, ends: np.ndarray, found: Explanation, moments: np.ndarray
) -> np.ndarray:
    """Which spans meet moments that go, and none that stays."""
    meets = (found.starts[None] < ends[:, None]) & (found.ends[None] > starts[:, None])
    return np.asarray((meets & moments).any(1) & ~(meets & ~moments & found.known).any(1))
