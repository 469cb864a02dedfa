"""What the conditions do to a batch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from affuse.evaluation.conditions import CONDITIONS, condition
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.registry import create_model
from affuse.verification.contracts.model import MFCC, OPENFACE, pick, random_batch

#: As published: a fixed window of frames, whose absent ones are zero-filled.
FIXED = {spec.name: replace(spec, span=3.6) for spec in (MFCC, OPENFACE)}
STREAMS = {spec.name: spec for spec in (MFCC, OPENFACE)}
LENGTHS = {MFCC.name: [60, 41, 52], OPENFACE.name: [30, 20, 25]}


@pytest.fixture
def batch() -> Batch:
    return replace(random_batch(STREAMS, LENGTHS, 3), ids=["a", "b", "c"])


def parts(batch: Batch, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    return batch.streams[name], batch.masks[name]


@pytest.mark.parametrize("modality", ["audio", "video"])
def test_noise_replaces_a_modality_and_nothing_else(batch: Batch, modality: str) -> None:
    name, other = (MFCC.name, OPENFACE.name) if modality == "audio" else (OPENFACE.name, MFCC.name)
    change = condition(f"noise-filled-{modality}", STREAMS)
    x, mask = parts(change(batch), name)
    assert torch.equal(mask, batch.masks[name]) and not x[~mask].any()
    present = x[mask]
    assert abs(float(present.mean())) < 0.1 and float(present.std()) == pytest.approx(1, abs=0.1)
    louder = replace(batch, streams={n: 100 * x + 7 for n, x in batch.streams.items()})
    assert torch.equal(parts(change(louder), name)[0], x), "nothing of the signal is left"
    assert all(
        torch.equal(*pair)
        for pair in zip(parts(change(batch), other), parts(batch, other), strict=True)
    )
    assert not torch.equal(x[0][mask[1]], x[1][mask[1]]), "another draw for each clip"


def test_a_fixed_window_is_replaced_throughout(batch: Batch) -> None:
    empty = batch.without("video")
    for name in (MFCC.name, OPENFACE.name):
        modality = name.split("/")[0]
        noise, mask = parts(condition(f"noise-filled-{modality}", FIXED)(batch), name)
        assert mask.all() and noise.ne(0).all()
        zeros, mask = parts(condition(f"zero-filled-{modality}", FIXED)(batch), name)
        assert mask.all() and not zeros.any()
    x, mask = parts(condition("noise-filled-video", FIXED)(empty), OPENFACE.name)
    assert not x.any() and not mask.any(), "what a clip does not have stays absent"


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("streams", [STREAMS, FIXED], ids=["any", "fixed"])
def test_a_clip_is_changed_alike_in_every_batch(
    batch: Batch, name: str, streams: dict[str, StreamSpec]
) -> None:
    change = condition(name, streams)
    whole, again = change(batch), change(batch)
    for row in range(3):
        alone = pick(batch, [row]) if streams is STREAMS else batch.rows([row])
        alone = change(replace(alone, ids=[batch.ids[row]]))
        for stream in STREAMS:
            length = alone.masks[stream].shape[1]
            assert torch.equal(whole.streams[stream][row, :length], alone.streams[stream][0])
            assert torch.equal(whole.masks[stream][row, :length], alone.masks[stream][0])
            assert torch.equal(whole.streams[stream], again.streams[stream])


def test_zeros_count_in_a_published_model_and_in_no_other(batch: Batch) -> None:
    scores = {}
    for masking in ("published", "exclude"):
        torch.manual_seed(0)
        model = create_model("chumachenko-it", STREAMS, 4, masking=masking).eval()
        for name in ("audio", "zero-filled-video", "noise-filled-video"):
            with torch.no_grad():
                scores[masking, name] = model(condition(name, FIXED)(batch)).logits
    absent, zeros, noise = ("audio", "zero-filled-video", "noise-filled-video")
    assert torch.equal(scores["published", absent], scores["published", zeros])
    assert not torch.allclose(scores["exclude", absent], scores["exclude", zeros], atol=1e-4)
    assert not torch.allclose(scores["published", noise], scores["published", zeros], atol=1e-4)


@pytest.mark.parametrize(("name", "share"), [("lost-video-50", 0.5), ("lost-video-90", 0.9)])
def test_images_are_lost_in_bursts_and_sound_is_not(name: str, share: float) -> None:
    lengths = {MFCC.name: [90] * 4, OPENFACE.name: [3000] * 4}
    batch = replace(random_batch(STREAMS, lengths, 3), ids=["a", "b", "c", "d"])
    changed = condition(name, STREAMS)(batch)
    before, after = batch.masks[OPENFACE.name], changed.masks[OPENFACE.name]
    assert not (after & ~before).any() and not changed.streams[OPENFACE.name][~after].any()
    lost = (before & ~after).float().sum() / before.float().sum()
    assert float(lost) == pytest.approx(share, abs=0.05)
    assert torch.equal(changed.masks[MFCC.name], batch.masks[MFCC.name])
    means = {OPENFACE.name: replace(OPENFACE, rate=0.0)}
    one = Batch({OPENFACE.name: torch.ones(1, 1, 5)}, {OPENFACE.name: torch.ones(1, 1).bool()})
    assert condition(name, means)(replace(one, ids=["a"])).masks[OPENFACE.name].all()
