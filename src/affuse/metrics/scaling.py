"""A temperature, and a bias for each class where it helps, of clips that are seen in windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

#: Temperatures that are tried, and the largest bias.
_TEMPERATURES, _BIAS = (0.2, 8.0), 5.0
#: Groups of speakers of the cross-validation.
_GROUPS = 10


@dataclass(frozen=True)
class Windowed:
    """What a model says about the windows of N clips, and what is true of the clips.

    Args:
        logits: (W, C) class scores of all windows, or logarithms of probabilities; those of a clip
            one after the other.
        counts: (N,) windows of each clip, one at least.
        true: (N,) int classes.
        speakers: (N,) names.
    """

    logits: np.ndarray
    counts: np.ndarray
    true: np.ndarray
    speakers: np.ndarray

    def of(self, clips: np.ndarray) -> Windowed:
        """Some of the clips (N,) bool."""
        windows = np.repeat(clips, self.counts)
        parts = (self.counts, self.true, self.speakers)
        return Windowed(self.logits[windows], *(part[clips] for part in parts))


@dataclass(frozen=True)
class Scaling:
    """How class scores become probabilities: divided by a temperature, then moved.

    Args:
        temperature: Above 1 makes less sure.
        bias: (C,) of which one is 0; None for none.
    """

    temperature: float
    bias: np.ndarray | None = None


@dataclass(frozen=True)
class Fit:
    """A scaling, and what it would be worth for other speakers.

    Args:
        scaling: Fitted on all clips.
        held_out: (N, C) probabilities of each clip by a scaling that was fitted without its
            speaker; of one speaker alone, with it.
        losses: Mean negative log-likelihood in nats of speakers who were left out, with a
            temperature alone and with a bias; None where no bias was tried.
    """

    scaling: Scaling
    held_out: np.ndarray
    losses: tuple[float, float] | None


def fit_scaling(clips: Windowed) -> Fit:
    """The scaling under which the true classes are likeliest; every speaker counts alike.

    A clip has the mean of the probabilities of its windows. A bias is taken only where every class
    occurs, and what speakers say who were left out of its fit is likelier with it.

    Args:
        clips: That the model has not learned from.

    Source: Guo et al., On calibration of modern neural networks, ICML 2017; the bias: Alexandari,
    Kundaje & Shrikumar, Maximum likelihood with bias-corrected calibration, ICML 2020.
    """
    names = np.unique(clips.speakers)
    if len(names) < 2:
        scaling = _fitted(clips, with_bias=False)
        return Fit(scaling, clip_probabilities(clips, scaling), None)
    group = np.searchsorted(names, clips.speakers) % min(_GROUPS, len(names))
    plain = _held_out(clips, group, with_bias=False)
    if len(np.unique(clips.true)) < clips.logits.shape[1]:
        return Fit(_fitted(clips, with_bias=False), plain, None)
    moved = _held_out(clips, group, with_bias=True)
    losses = _loss(clips, plain), _loss(clips, moved)
    better = losses[1] < losses[0]
    return Fit(_fitted(clips, with_bias=better), moved if better else plain, losses)


def _held_out(clips: Windowed, group: np.ndarray, with_bias: bool) -> np.ndarray:
    """(N, C) probabilities by scalings that were fitted without the group of each clip."""
    found = np.empty((len(clips.true), clips.logits.shape[1]))
    for one in np.unique(group):
        scaling = _fitted(clips.of(group != one), with_bias)
        found[group == one] = clip_probabilities(clips.of(group == one), scaling)
    return found


def scaled(logits: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Probabilities (W, C) from class scores (W, C)."""
    bias = 0.0 if scaling.bias is None else scaling.bias
    return np.asarray(softmax(logits / scaling.temperature + bias, axis=1))


def clip_probabilities(clips: Windowed, scaling: Scaling) -> np.ndarray:
    """(N, C) means over the windows of each clip."""
    first = np.cumsum(clips.counts) - clips.counts
    rows = np.add.reduceat(scaled(clips.logits, scaling), first)
    return np.asarray(rows / clips.counts[:, None])


def _weights(clips: Windowed) -> np.ndarray:
    """(N,) of the clips: every speaker counts alike, all together 1."""
    _, speaker, count = np.unique(clips.speakers, return_inverse=True, return_counts=True)
    return np.asarray(1 / (len(count) * count[speaker]))


def _loss(clips: Windowed, probabilities: np.ndarray) -> float:
    rows = probabilities[np.arange(len(clips.true)), clips.true]
    return float(-(_weights(clips) * np.log(rows.clip(1e-12))).sum())


def _fitted(clips: Windowed, with_bias: bool) -> Scaling:
    windows, classes = clips.logits.shape
    true, rows = np.repeat(clips.true, clips.counts), np.arange(windows)
    weights, first = _weights(clips), np.cumsum(clips.counts) - clips.counts
    onto = np.eye(classes)[true]

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        steep = np.exp(-values[0])
        shares = softmax(clips.logits * steep + values[1:], axis=1)
        right = shares[rows, true]
        sums = np.add.reduceat(right, first).clip(1e-12)
        part = np.repeat(weights / sums, clips.counts) * right
        slopes = part[:, None] * (shares - onto)  # of the loss, by each scaled score
        by_temperature = -(slopes * clips.logits).sum() * steep
        by_bias = slopes.sum(0) if with_bias else np.zeros(classes)
        return float(-(weights * np.log(sums / clips.counts)).sum()), np.append(
            by_temperature, by_bias
        )

    bounds = [tuple(np.log(_TEMPERATURES)), *[(-_BIAS, _BIAS)] * classes]
    found = minimize(loss, np.zeros(1 + classes), jac=True, bounds=bounds, method="L-BFGS-B").x
    temperature = round(float(np.exp(found[0])), 4)
    bias = np.round(found[1:] - found[1], 4) if with_bias else None
    return Scaling(temperature, bias)
