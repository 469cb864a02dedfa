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


def test_softhard_is_the_published_computation_draw_by_draw() -> None:
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


def test_noise_is_the_published_computation_draw_by_draw() -> None:
    clean = batch()
    torch.manual_seed(4)
    out = apply_dropout(clean, Dropout("noise", masks=False))
    torch.manual_seed(4)
    a, v = clean.streams["audio/x"], clean.streams["video/y"]
    noise_a, noise_v = torch.randn(a.shape), torch.randn(v.shape)
    order = torch.randperm(18)
    assert torch.equal(out.streams["audio/x"], torch.cat([a, noise_a, a])[order])
    assert torch.equal(out.streams["video/y"], torch.cat([v, v, noise_v])[order])


def test_sound_softhard_marks_what_is_gone_as_absent() -> None:
    out = apply_dropout(batch(), Dropout("softhard"))
    for name in out.streams:
        gone = out.streams[name].flatten(1).abs().sum(1) == 0
        assert torch.equal(gone, ~out.masks[name].any(1))
        assert gone.sum() >= 6


def test_drop_keeps_the_size_and_never_takes_both() -> None:
    torch.manual_seed(0)
    out = apply_dropout(batch(400), Dropout("drop", probability=0.5))
    silent, unseen = (~out.masks[name].any(1) for name in out.streams)
    assert len(out) == 400 and not (silent & unseen).any()
    assert 70 < silent.sum() < 130 and 70 < unseen.sum() < 130
    assert torch.equal(out.targets, torch.arange(400))


def test_none_changes_nothing() -> None:
    clean = batch()
    assert apply_dropout(clean, Dropout()) is clean


@pytest.mark.parametrize("kind", ["softhard", "noise"])
def test_soft_targets_are_repeated_too(kind: str) -> None:
    clean = batch()
    clean.targets = torch.rand(6, 8)
    out = apply_dropout(clean, Dropout(kind))
    rows = [int(clip) for clip in out.ids]
    assert torch.equal(out.targets, clean.targets[rows])


@pytest.mark.parametrize("masks", [True, False])
def test_batch_shuts_one_modality_off_for_all_clips_together(masks: bool) -> None:
    clean = batch()
    torch.manual_seed(0)
    counts = {"nothing": 0, "audio/x": 0, "video/y": 0}
    for _ in range(500):
        out = apply_dropout(clean, Dropout("batch", masks=masks, probability=0.4))
        gone = [name for name, x in out.streams.items() if not x.any()]
        assert len(out) == 6 and len(gone) < 2 and torch.equal(out.targets, clean.targets)
        assert all(x.equal(clean.streams[n]) for n, x in out.streams.items() if n not in gone)
        assert all(m.any() == (n not in gone or not masks) for n, m in out.masks.items())
        counts[gone[0] if gone else "nothing"] += 1
    assert 70 < counts["audio/x"] < 130 and 70 < counts["video/y"] < 130  # published: 0.2 each


def test_batch_draws_once_sound_below_the_half_pictures_above_it() -> None:
    torch.manual_seed(5)
    drawn = [float(torch.rand(())) for _ in range(50)]
    torch.manual_seed(5)
    for u in drawn:
        out = apply_dropout(batch_of_ones(), Dropout("batch", probability=0.4))
        assert out.streams["audio/x"].any() == (u >= 0.2)
        assert out.streams["video/y"].any() == (not 0.2 <= u < 0.4)


def batch_of_ones() -> Batch:
    """A batch whose making draws no random numbers."""
    streams = {"audio/x": torch.ones(2, 5, 4), "video/y": torch.ones(2, 3, 2)}
    masks = {k: torch.ones(x.shape[:2], dtype=torch.bool) for k, x in streams.items()}
    return Batch(streams, masks, torch.arange(2))
