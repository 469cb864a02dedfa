import pytest
import torch

from affuse.features.batch import Batch
from affuse.training.dropout import apply_dropout
from affuse.training.recipe_parts import Dropout


def batch(n: int = 6) -> Batch:
    streams = {
        "audio/x": torch.randn(n, 5, 4) + 10 * torch.arange(n).reshape(-1, 1, 1),
        "video/y": torch.randn(n, 3, 2, 2, 2) + 10 * torch.arange(n).reshape(-1, 1, 1, 1, 1),
    }
    masks = {k: torch.ones(x.shape[:2], dtype=torch.bool) for k, x in streams.items()}
    return Batch(streams, masks, torch.arange(n), [str(k) for k in range(n)])


def test_softhard_is_the_published_computation_draw_by_draw():
    clean = batch()
    torch.manual_seed(3)
    out = apply_dropout(clean, Dropout("softhard", masks=False))
    torch.manual_seed(3)
    alpha = torch.randint(0, 100, (6,)) / 100
    a, v = clean.streams["audio/x"], clean.streams["video/y"]
    soft_a = a * alpha.reshape(-1, 1, 1)
    soft_v = v * (1 - alpha).reshape(-1, 1, 1, 1, 1)
    zero_a, zero_v = torch.zeros_like(a), torch.zeros_like(v)
    order = torch.randperm(24)
    assert torch.equal(out.streams["audio/x"], torch.cat([a, soft_a, zero_a, a])[order])
    assert torch.equal(out.streams["video/y"], torch.cat([v, soft_v, v, zero_v])[order])
    assert torch.equal(out.targets, torch.arange(6).repeat(4)[order])
    assert all(mask.all() for mask in out.masks.values())
    assert out.ids == [str(k % 6) for k in order.tolist()]


def test_noise_is_the_published_computation_draw_by_draw():
    clean = batch()
    torch.manual_seed(4)
    out = apply_dropout(clean, Dropout("noise", masks=False))
    torch.manual_seed(4)
    a, v = clean.streams["audio/x"], clean.streams["video/y"]
    noise_a, noise_v = torch.randn(a.shape), torch.randn(v.shape)
    order = torch.randperm(18)
    assert torch.equal(out.streams["audio/x"], torch.cat([a, noise_a, a])[order])
    assert torch.equal(out.streams["video/y"], torch.cat([v, v, noise_v])[order])


def test_sound_softhard_marks_what_is_gone_as_absent():
    out = apply_dropout(batch(), Dropout("softhard"))
    for name in out.streams:
        gone = out.streams[name].flatten(1).abs().sum(1) == 0
        assert torch.equal(gone, ~out.masks[name].any(1))
        assert gone.sum() >= 6


def test_drop_keeps_the_size_and_never_takes_both():
    torch.manual_seed(0)
    out = apply_dropout(batch(400), Dropout("drop", probability=0.5))
    silent, unseen = (~out.masks[name].any(1) for name in out.streams)
    assert len(out) == 400 and not (silent & unseen).any()
    assert 70 < silent.sum() < 130 and 70 < unseen.sum() < 130
    assert torch.equal(out.targets, torch.arange(400))


def test_none_changes_nothing():
    clean = batch()
    assert apply_dropout(clean, Dropout()) is clean


@pytest.mark.parametrize("kind", ["softhard", "noise"])
def test_soft_targets_are_repeated_too(kind):
    clean = batch()
    clean.targets = torch.rand(6, 8)
    out = apply_dropout(clean, Dropout(kind))
    rows = [int(clip) for clip in out.ids]
    assert torch.equal(out.targets, clean.targets[rows])
