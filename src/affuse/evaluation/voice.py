"""Where somebody is heard, from what a model of the voice hears: logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from affuse.errors import BadInput
from affuse.evaluation.cross_validation import FOLDS, speaker_folds, speakers_of
from affuse.features.batch import collate, normalise
from affuse.features.extractor import check_same_stream
from affuse.features.joined import open_stores
from affuse.features.store import Store
from affuse.models.baselines.unimodal import AudioOnly
from affuse.models.layers.voice import VoiceDetector, averaged_around
from affuse.models.modelfile import ModelSpec
from affuse.training.opening import open_copy
from affuse.training.run import read_run, read_split, trained_folds
from affuse.training.stores import stores_of

_BATCH = 32
#: Frames of a clip that are learned from, spread evenly.
_FRAMES = 8
#: Clips of speech that are learned from at least, where there are so many; spread evenly, there are
#: fewer than twice as many.
_CLIPS = 1500
#: Weight of the squared coefficients, for features of deviation 1.
_RIDGE = 1e-3


@dataclass(frozen=True)
class Voices:
    """The regression.

    Args:
        weight: (1, C) float32.
        bias: (1,) float32.
        found: Share of clips of speech in which a voice is heard, of folds that the fit has not
            seen.
        mistaken: Share of the sounds in which one is heard and is none, likewise.
        facts: Corpus, clips and licence of the sounds, for the record.
    """

    weight: Tensor
    bias: Tensor
    found: float
    mistaken: float
    facts: dict[str, Any]


def fit_voice(sounds: Store, run: Path, model: AudioOnly, spec: ModelSpec) -> Voices:
    """Learn to tell voices from sounds that are none.

    Args:
        sounds: Store of a corpus in whose clips nobody is heard.
        run: The run that the model is from; of the clips that it learned from, and of their copies,
            the middle half counts as a voice.
        model: What hears, in evaluation mode.
        spec: Its spec.

    Raises:
        BadInput: There are too few sounds.
        AffuseError: The streams are not made as those of the model were.
    """
    for name, trained in spec.streams.items():
        check_same_stream(sounds.stream(name).spec, trained)
    ids = [clip.id for clip in sounds.usable(list(spec.streams))]
    if len(ids) < 2 * FOLDS:
        raise BadInput(sounds.path, f"has {len(ids)} sounds; too few to learn what is no voice")
    speech = _speech(run, list(spec.streams))
    every = max(1, sum(len(clips) for _, clips in speech) // _CLIPS)
    parts = [(sounds, ids, 0.0), *((data, clips[::every], 0.25) for data, clips in speech)]
    frames = torch.cat([_frames(*part, model, spec) for part in parts])
    voice = torch.arange(len(frames)) >= len(ids)
    speakers = [clip for data, clips, _ in parts for clip in speakers_of(data, clips)]
    folds = torch.from_numpy(speaker_folds(speakers))
    told = torch.zeros(len(frames), dtype=torch.bool)
    for fold in range(FOLDS):
        weight, bias = _fit(frames[folds != fold], voice[folds != fold])
        told[folds == fold] = ((frames[folds == fold] @ weight.T + bias) > 0).any(1).squeeze(-1)
    found, mistaken = told[voice].float().mean().item(), told[~voice].float().mean().item()
    facts = {
        "sounds": sounds.corpus,
        "clips": len(ids),
        "found": round(found, 4),
        "mistaken": round(mistaken, 4),
        "licence": f"sounds: {sounds.licence}",
    }
    return Voices(*_fit(frames, voice), found, mistaken, facts)


def _speech(run: Path, streams: Sequence[str]) -> list[tuple[Store, list[str]]]:
    """The training clips of the first fold of a run, by stores."""
    facts, learned = read_run(run), read_split(trained_folds(run)[0])["train"]
    data = open_stores(stores_of(facts))
    copies = [open_copy(data, Path(one["store"])) for one in facts.get("copies", ())]
    there = [(store, {clip.id for clip in store.usable(streams)}) for store in (data, *copies)]
    return [(store, [clip for clip in learned if clip in own]) for store, own in there]


def _frames(
    data: Store, ids: Sequence[str], edge: float, model: AudioOnly, spec: ModelSpec
) -> Tensor:
    """(N, `_FRAMES`, C) of clips, without a share `edge` of each at its beginning and its end."""
    clock, (_, channels) = model.audio.frontend.clock, model.audio.frontend.channels
    span = VoiceDetector(channels, clock.rate / clock.stride).span
    found = []
    for first in range(0, len(ids), _BATCH):
        some = ids[first : first + _BATCH]
        samples = [{name: data.stream(name)[clip] for name in spec.streams} for clip in some]
        batch = normalise(collate(samples, spec.streams), spec.normalisation)
        with torch.inference_mode():
            x, mask = model.audio.frontend(
                batch.streams[model.audio.stream], batch.masks[model.audio.stream]
            )
            x = averaged_around(x, mask, span)
        for rows, there in zip(x, mask, strict=True):
            rows = rows[there]
            places = np.linspace(edge, 1 - edge, _FRAMES) * (len(rows) - 1)
            found.append(rows[np.round(places).astype(int)])
    return torch.stack(found)


def _fit(frames: Tensor, voice: Tensor) -> tuple[Tensor, Tensor]:
    """(1, C) and (1,) for frames (N, F, C) of clips with a voice or none (N,), of equal weight."""
    x, y = frames.flatten(0, 1), voice.repeat_interleave(frames.shape[1]).float()
    mean, std = x.mean(0), x.std(0).clamp(min=1e-6)
    x = (x - mean) / std
    share = torch.where(y > 0, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    weight, bias = torch.zeros(1, x.shape[1]), torch.zeros(1)
    for value in (weight, bias):
        value.requires_grad_()
    steps = torch.optim.LBFGS([weight, bias], max_iter=50, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        steps.zero_grad()
        wrong = F.binary_cross_entropy_with_logits((x @ weight.T + bias).squeeze(1), y, share)
        total = wrong + _RIDGE * weight.square().sum()
        total.backward()
        return total

    steps.step(loss)
    with torch.no_grad():
        scaled = weight / std
        return scaled, bias - scaled @ mean
