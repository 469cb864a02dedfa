"""The published ways to score continuous valence and arousal, beside the sound one.

RJCA: recursive joint attention (ICASSP 2023), released code. Leader-follower: attentive fusion
(ICCVW 2021), released code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from affuse.features.stream import TARGET_RATE
from affuse.metrics.concordance import ccc, published_ccc
from affuse.models.spec import Smoothing
from affuse.models.systems.rjca.windows import FRAMES as RJCA_FRAMES
from affuse.tasks.series import Edges, Series, rjca_smoothed


@dataclass(frozen=True)
class Track:
    """One dimension of one video, a value per frame at 30 Hz.

    Args:
        raw: (n,) what the model says, neither smoothed nor clipped.
        final: (n,) what is judged: smoothed as the model file says, and clipped.
        truth: (n,) the annotation; what it holds where `labelled` is False does not matter.
        labelled: (n,) bool.
        smoothing: From the model file: seconds, or frames as a list of one number.
    """

    raw: np.ndarray
    final: np.ndarray
    truth: np.ndarray
    labelled: np.ndarray
    smoothing: Smoothing = 0.0


def rjca_ccc(tracks: Sequence[Track], frames: int) -> float:
    """The published validation of RJCA: frames without annotation count, as zeros that are right.

    Args:
        tracks: One dimension of all videos.
        frames: Over which predictions are averaged.
    """
    kept = (np.where(track.labelled, track.raw, 0.0) for track in tracks)
    smoothed = [rjca_smoothed(values, frames) for values in kept]
    truth = [np.where(track.labelled, track.truth, 0.0) for track in tracks]
    return ccc(np.concatenate(smoothed), np.concatenate(truth))


def leader_follower_ccc(tracks: Sequence[Track]) -> float:
    """The published validation of leader-follower: all annotated frames, nothing clipped.

    Args:
        tracks: One dimension of all videos.
    """
    return published_ccc(*_joined(tracks, lambda track: track.raw))


def compare_rules(tracks: Mapping[str, Sequence[Track]]) -> dict[str, dict[str, float | None]]:
    """The CCC of the same predictions by the sound rule, the published ones, and between.

    Args:
        tracks: Dimension -> one track per video.

    Returns:
        Rule -> dimension -> CCC; None where a rule does not know the dimension.
    """
    return {
        rule: {name: score(part, name) for name, part in tracks.items()}
        for rule, score in _RULES.items()
    }


Rule = Callable[[Sequence[Track], str], float | None]


def _joined(
    tracks: Sequence[Track], value: Callable[[Track], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Some values and the truth of all annotated frames, one video after the other."""
    predicted = np.concatenate([value(track)[track.labelled] for track in tracks])
    return predicted, np.concatenate([track.truth[track.labelled] for track in tracks])


def _zeros_count(tracks: Sequence[Track], name: str) -> float:
    """As by default, but frames without annotation are zero and count."""
    kept = (np.where(track.labelled, track.raw, 0.0) for track in tracks)
    predicted = [_smoothed(x, t.smoothing).clip(-1, 1) for x, t in zip(kept, tracks, strict=True)]
    truth = [np.where(track.labelled, track.truth, 0.0) for track in tracks]
    return ccc(np.concatenate(predicted), np.concatenate(truth))


def _smoothed(values: np.ndarray, smoothing: Smoothing) -> np.ndarray:
    """Averaged as `affuse predict` does."""
    series = Series(values[:, None], np.ones(len(values), bool), TARGET_RATE)
    return series.smoothed(smoothing).values[:, 0]


def _rjca(tracks: Sequence[Track], name: str) -> float | None:
    return rjca_ccc(tracks, RJCA_FRAMES[name]) if name in RJCA_FRAMES else None


def _published_average(edges: Edges) -> Rule:
    """As by default, but over RJCA's number of frames, with something beyond the ends."""

    def score(tracks: Sequence[Track], name: str) -> float | None:
        if name not in RJCA_FRAMES:
            return None
        frames = RJCA_FRAMES[name]
        return ccc(*_joined(tracks, lambda track: rjca_smoothed(track.raw, frames, edges)))

    return score


_RULES: dict[str, Rule] = {
    "default": lambda tracks, _: ccc(*_joined(tracks, lambda t: t.final)),
    "published, RJCA": _rjca,
    "published, leader-follower": lambda tracks, _: leader_follower_ccc(tracks),
    "default, frames without annotation count as zeros": _zeros_count,
    "default, averaged over 20 / 50 frames": _published_average("nearest"),
    "default, averaged over 20 / 50 frames, zeros outside": _published_average("constant"),
    "default, not smoothed": lambda tracks, _: ccc(*_joined(tracks, lambda t: t.raw.clip(-1, 1))),
    "default, not clipped": lambda tracks, _: ccc(
        *_joined(tracks, lambda t: _smoothed(t.raw, t.smoothing))
    ),
    "default, unbiased variances": lambda tracks, _: published_ccc(
        *_joined(tracks, lambda t: t.final)
    ),
}
