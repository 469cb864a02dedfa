"""Whether the output of a clip depends on the clip alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import torch

from affuse.corpora.clip import Clip
from affuse.evaluation.checks.examined import Examined
from affuse.evaluation.checks.outcome import NotApplicable, Outcome
from affuse.evaluation.members import Member
from affuse.features.stream import Stream
from affuse.inference.clips import ClipModel
from affuse.models.base import Model
from affuse.models.sliding import WindowModel

#: By which outputs may differ for rounding: on one processor, and between two kinds of them.
ROUNDING, OTHER_DEVICE = 1e-5, 1e-3
_CLIPS = 12
_WHY = "stated: rounding of float32"
#: What stands where nothing is present, to see whether it is looked at.
_JUNK = 100.0


def of_batch(model: Examined) -> Outcome:
    """Clips together, and one by one."""
    member, clips = _few(model)
    together = _outputs(model, member, [clips])
    alone = _outputs(model, member, [[clip] for clip in clips])
    return _difference(together, alone, f"{len(clips)} clips together and one by one")


def of_order(model: Examined) -> Outcome:
    """Clips one by one, forwards and backwards."""
    member, clips = _few(model)
    forwards = _outputs(model, member, [[clip] for clip in clips])
    backwards = _outputs(model, member, [[clip] for clip in reversed(clips)])
    return _difference(forwards, backwards[::-1], f"{len(clips)} clips in two orders, one by one")


def of_threads(model: Examined) -> Outcome:
    """One thread and two."""
    member, clips = _few(model)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = _outputs(model, member, [clips])
        torch.set_num_threads(2)
        two = _outputs(model, member, [clips])
    finally:
        torch.set_num_threads(before)
    return _difference(one, two, f"{len(clips)} clips with one thread and with two")


def of_device(model: Examined) -> Outcome:
    """The CPU and a GPU."""
    if not torch.cuda.is_available():
        raise NotApplicable("there is no other device than the CPU")
    member, clips = _few(model)
    cpu, gpu = (_outputs(model, member, [clips], model.model(member, d)) for d in ("cpu", "cuda"))
    outcome = _difference(cpu, gpu, f"{len(clips)} clips on the CPU and on the GPU")
    return replace(outcome, limit=OTHER_DEVICE, why="stated: rounding of other kernels")


def of_absent(model: Examined) -> Outcome:
    """Windows whose frames of a modality are marked as absent, beside shorter ones of nothing."""
    modalities = sorted({spec.modality for spec in model.spec.streams.values()})
    if len(modalities) < 2:
        raise NotApplicable(f"the model reads {modalities[0]} alone")
    many = len(model.clips)
    both = {clip.id for clip in model.some(modalities[0], many)}
    clips = [clip for clip in model.some(modalities[1], many) if clip.id in both]
    if not clips:
        raise NotApplicable("no clip has both sound and images")
    member, clips = model.member_of(clips)
    clips = clips[:_CLIPS]
    applied = WindowModel(model.model(member), member.spec)
    found: list[list[np.ndarray]] = [[], []]
    for gone in modalities:
        for clip in clips:
            sample = _window(applied, member, clip)
            for kept, way in zip(found, (_marked, _shortened), strict=True):
                kept.append(
                    _numbers(applied, {n: way(x, applied, n, gone) for n, x in sample.items()})
                )
    said = f"{len(clips)} clips without {' or '.join(modalities)}: marked as absent, or not there"
    return _difference(found[0], found[1], said)


def of_nothing(model: Examined) -> Outcome:
    """A window in which nothing is present, alone and beside one in which something is."""
    member, clips = _few(model)
    applied = WindowModel(model.model(member), member.spec)
    seconds = member.spec.seconds
    nothing = {name: Stream.absent(spec, seconds) for name, spec in applied.specs.items()}
    samples = [[nothing], [nothing, _window(applied, member, clips[0])]]
    scores = [applied.outputs(some)[0].scores.ravel() for some in samples]
    bad = float((~np.isfinite(np.concatenate(scores))).sum())
    said = "outputs that are not a number, for a window without sound and images"
    return Outcome(bad, 0.0, "min", "value", said, "stated: none")


def _window(applied: WindowModel, member: Member, clip: Clip) -> dict[str, Stream]:
    """The streams of the first window of a clip."""
    found = {}
    for name, spec in applied.specs.items():
        stream = member.data.stream(name)[clip.id]
        stream = applied.embed(name, stream, slice(0, len(stream.mask)), clip.id)
        whole = len(stream.mask) > 0
        seconds = member.spec.seconds
        found[name] = stream.cut(spec, 0.0, seconds) if whole else Stream.absent(spec, seconds)
    return found


def _marked(stream: Stream, applied: WindowModel, name: str, gone: str) -> Stream:
    """Without a modality: all frames absent, whatever they hold."""
    if applied.specs[name].modality != gone:
        return stream
    junk = np.full_like(stream.values, _JUNK)
    return Stream(junk, np.zeros(len(stream.mask), bool), stream.start)


def _shortened(stream: Stream, applied: WindowModel, name: str, gone: str) -> Stream:
    """Without a modality: zeros, half as many where the length is free."""
    spec = applied.specs[name]
    if spec.modality != gone:
        return stream
    free = spec.rate > 0 and spec.span is None
    length = max(1, len(stream.mask) // 2) if free else len(stream.mask)
    return Stream(np.zeros_like(stream.values[:length]), np.zeros(length, bool), stream.start)


def _numbers(applied: WindowModel, sample: Mapping[str, Stream]) -> np.ndarray:
    """(C,) probabilities, or (T, D) values, zero where nothing is known."""
    output, _ = applied.outputs([sample])
    if output.mask is None:
        return np.asarray(output.probabilities[0])
    return np.asarray(output.scores[0] * output.mask[0, :, None])


def _few(model: Examined) -> tuple[Member, list[Clip]]:
    """One model and some of the clips that it judges."""
    member, clips = model.member_of(model.some(count=len(model.clips)))
    return member, clips[:_CLIPS]


def _outputs(
    model: Examined,
    member: Member,
    groups: Sequence[Sequence[Clip]],
    network: Model | None = None,
) -> list[np.ndarray]:
    """What a model says about groups of clips, clip by clip: probabilities, or values."""
    applied = ClipModel(network or model.model(member), member.spec, member.data)
    said = chain.from_iterable(applied.predict(group)[""] for group in groups)
    if model.over_time:
        return [np.where(x.mask[:, None], x.values, 0) for x in said]
    return [x.answer for x in said]


def _difference(one: Sequence[np.ndarray], other: Sequence[np.ndarray], said: str) -> Outcome:
    """The largest difference of outputs."""
    pairs = zip(one, other, strict=True)
    apart = max(np.inf if x.shape != y.shape else np.abs(x - y).max(initial=0) for x, y in pairs)
    return Outcome(float(apart), ROUNDING, "min", "rounding", f"largest difference, {said}", _WHY)
