"""Whether outputs stay what they are under changes that no listener would mind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np

from affuse.evaluation.checks import limits
from affuse.evaluation.checks.examined import Examined, Said
from affuse.evaluation.checks.outcome import Bar, NotApplicable, Outcome
from affuse.evaluation.checks.recordings import changed
from affuse.evaluation.checks.views import View
from affuse.evaluation.conditions import with_losses, with_noise
from affuse.features.batch import Batch
from affuse.features.stream import Stream, StreamSpec
from affuse.metrics.concordance import ccc
from affuse.tasks.class_scores import ClassTable
from affuse.tasks.series import Series

#: Share of the clips of all people whose named class may change, CCC of values that is to stay, and
#: accuracy or CCC that may be lost by telephone and in a room.
CHANGES, STAYS, LOST = 0.05, 0.95, 0.05
#: Clips that tell something.
LEAST = 5
#: Seconds of a shift, and part of the side of a face image that is cut off or moved.
SHIFT, EDGE = 0.2, 0.05
RECORDINGS, FEATURES, IMAGES = "of recordings", "of features", "of the stored face images"


def under_change(model: Examined, change: str) -> Outcome:
    """Streams are made anew of changed recordings."""
    with changed(model, change) as (clips, data):
        said = model.say(clips, change, data)
    return steadiness(model, said, f"{change}, {RECORDINGS}")


def loss_under_change(model: Examined, change: str) -> Outcome:
    """How much accuracy, or CCC, is lost on streams of changed recordings."""
    with changed(model, change) as (clips, data):
        said = model.say(clips, change, data)
    return loss(model, said, change)


def later(model: Examined) -> Outcome:
    """The clip begins later: its sound in the recording where that is there, else its features."""
    if all(s.rate == 0 or s.span is not None for s in model.spec.streams.values()):
        raise NotApplicable("the model reads whole clips, or windows of a fixed place")
    if model.root is not None and _reads(model, "audio"):
        with changed(model, f"delay={-SHIFT}") as (clips, data):
            said = model.say(clips, "shift", View(data, clips, _images_without_beginning))
        return steadiness(model, said, f"{SHIFT} s, {RECORDINGS}", SHIFT)
    clips = model.some()
    said = model.say(clips, "shift", View(model.data, clips, _without_beginning))
    return steadiness(model, said, f"{SHIFT} s, {FEATURES}", SHIFT)


def of_features(model: Examined, modality: str, snr: float) -> Outcome:
    """Noise on the normalised features."""
    streams = model.spec.streams
    noise = partial(with_noise, streams=streams, modality=modality, snr=snr)
    return _changed_batches(model, noise, modality, modality, f"noise at {snr:g} dB, {FEATURES}")


def of_lost_frames(model: Examined, share: float) -> Outcome:
    """A share of the video frames is absent."""
    if not any(s.modality == "video" and s.rate for s in model.spec.streams.values()):
        raise NotApplicable("the model reads no image streams over time")
    streams = model.spec.streams
    lost = partial(with_losses, streams=streams, modality="video", share=share)
    return _changed_batches(
        model, lost, "video", None, f"{share:.0%} of the frames absent, {FEATURES}"
    )


def of_images(model: Examined, how: str) -> Outcome:
    """Face images of the store are mirrored, cropped or moved."""
    if not any(spec.is_picture for spec in model.spec.streams.values()):
        raise NotApplicable("the model reads no face images")
    data = View(model.data, model.some("video"), partial(_on_images, _IMAGES[how]))
    return steadiness(model, model.say(data.clips, how, data), IMAGES)


def steadiness(model: Examined, after: Said, what: str, moved: float = 0.0) -> Outcome:
    """How alike outputs are to those of the clips as they are.

    Args:
        model: What is checked.
        after: What it says about some clips under a change.
        what: The change.
        moved: Seconds by which times of the changed clips are earlier.
    """
    clips = [clip for clip in after if clip in model.said]
    _check_many(clips)
    counts = model.counts(clips)
    if not model.over_time:
        differ = [after[clip].answer.argmax() != model.said[clip].answer.argmax() for clip in clips]
        limit = limits.upper(limits.shares([CHANGES], counts)[:, 0])
        why = f"95 % quantile of 2,000 models that change {CHANGES:.0%} of the clips of all people"
        said = f"{what}: clips of {len(clips)} whose named class changes"
        return Outcome(float(np.mean(differ)), limit, "min", "share", said, why)
    pairs = [_both(model, model.said[clip], after[clip], moved) for clip in clips]
    one, other = (np.concatenate(part) for part in zip(*pairs, strict=True))
    names = model.subject.task.outputs
    bars = [Bar(n, ccc(x, y)) for n, x, y in zip(names, one.T, other.T, strict=True)]
    limit = limits.lower(limits.agreement([STAYS], counts)[:, 0])
    why = f"5 % quantile of 1,000 models whose outputs keep a CCC of {STAYS} over all people"
    worst = min(bars, key=lambda bar: bar.value)
    said = f"{what}: CCC of outputs before and after, lowest for {worst.name}, {len(clips)} clips"
    return Outcome(worst.value, limit, "max", "value", said, why, bars)


def loss(model: Examined, said: Said, change: str) -> Outcome:
    """How much worse outputs are than those of the same clips as they are."""
    after, before = model.judge(change, said), model.scored
    place = {clip: k for k, clip in enumerate(before.clips)}
    rows = [k for k, clip in enumerate(after.clips) if clip in place]
    clips = [after.clips[k] for k in rows]
    _check_many(clips)
    tables = (before.table, [place[clip] for clip in clips]), (after.table, rows)
    metric, what = ("ccc", "CCC") if model.over_time else ("accuracy", "accuracy")
    one, other = (float(t.scores(t.sums[own].sum(0))[metric]) for t, own in tables)
    right = [t.correct()[own] for t, own in tables if isinstance(t, ClassTable)]
    if right:
        apart = max(float(np.mean(right[0] != right[1])), LOST)
        found = limits.shares([(apart + LOST) / 2, (apart - LOST) / 2], model.counts(clips))
    else:
        expected = [max(one, LOST), max(one - LOST, 0.0)]
        found = limits.agreement(expected, model.counts(clips))
    stated = f"{100 * LOST:.0f} points" if right else str(LOST)
    return Outcome(
        one - other,
        limits.upper(found[:, 0] - found[:, 1]),
        "min",
        "points" if right else "value",
        f"{change}, {RECORDINGS}: {what} lost on {len(clips)} clips",
        f"95 % quantile of simulated models that lose {stated} over all people",
        [Bar("as it is", one), Bar(change, other)],
    )


def _check_many(clips: Sequence[str]) -> None:
    if len(clips) < LEAST:
        raise NotApplicable(f"{len(clips)} clips; {LEAST} are needed to tell anything")


def _changed_batches(
    model: Examined, change: Callable[[Batch], Batch], of: str, changed: str | None, what: str
) -> Outcome:
    said = model.say(model.some(of), what, None, change, changed)
    return steadiness(model, said, what)


def _reads(model: Examined, modality: str) -> bool:
    return any(spec.modality == modality for spec in model.spec.streams.values())


def _both(
    model: Examined, before: Series, after: Series, moved: float
) -> tuple[np.ndarray, np.ndarray]:
    """Values (N, D) of a clip at the same moments, before and after a change, where both know."""
    smoothing = model.spec.smoothing
    one, other = (x.smoothed(smoothing).clipped() for x in (before, after))
    times = np.arange(len(other.mask)) / other.rate
    x, y = one.at(times + moved), other.at(times)
    known = ~(np.isnan(x) | np.isnan(y)).any(1)
    return x[known], y[known]


def _without_beginning(spec: StreamSpec, stream: Stream) -> Stream:
    """A stream whose first `SHIFT` seconds are gone."""
    if spec.rate == 0 or spec.span is not None:
        return stream
    gone = min(round(SHIFT * spec.rate), max(len(stream.mask) - 1, 0))
    return Stream(stream.values[gone:], stream.mask[gone:], stream.start)


def _images_without_beginning(spec: StreamSpec, stream: Stream) -> Stream:
    return _without_beginning(spec, stream) if spec.modality == "video" else stream


def _on_images(
    change: Callable[[np.ndarray], np.ndarray], spec: StreamSpec, stream: Stream
) -> Stream:
    if not spec.is_picture or not len(stream.mask):
        return stream
    values = np.stack([change(image) for image in stream.values])
    return Stream(np.where(stream.mask[:, None, None, None], values, 0), stream.mask, stream.start)


def _mirrored(image: np.ndarray) -> np.ndarray:
    return image[:, ::-1]


def _cropped(image: np.ndarray) -> np.ndarray:
    """Without its border, as large as before."""
    size = len(image)
    edge = max(1, round(EDGE * size))
    inner = np.ascontiguousarray(image[edge : size - edge, edge : size - edge])
    return np.asarray(cv2.resize(inner, (size, size), interpolation=cv2.INTER_LINEAR))


def _moved(image: np.ndarray) -> np.ndarray:
    """To the right and down; the border is repeated."""
    by = max(1, round(EDGE * len(image)))
    return np.pad(image[:-by, :-by], ((by, 0), (by, 0), (0, 0)), mode="edge")


_IMAGES = {"mirrored": _mirrored, "cropped": _cropped, "moved": _moved}
