"""Whether somebody is heard, as a share of the frames that are there."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from affuse.models.layers.voice import VoiceDetector, averaged_around


def detector(rate: float) -> VoiceDetector:
    """Hears a voice where the first of three values is above zero."""
    made = VoiceDetector(3, rate)
    with torch.no_grad():
        made.score.weight.copy_(torch.tensor([[1.0, 0.0, 0.0]]))
        made.score.bias.zero_()
    return made.eval()


def frames(*first: float) -> tuple[Tensor, Tensor]:
    """(1, T, 3) with a first value each, all present."""
    x = torch.ones(1, len(first), 3)
    x[0, :, 0] = torch.tensor(first)
    return x, torch.ones(1, len(first), dtype=torch.bool)


def series(seed: int, count: int) -> tuple[Tensor, Tensor]:
    """(1, T, 3) of whole numbers, of which sums are exact, with a third of the frames absent."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(1, count, generator=generator) > 1 / 3
    return torch.randint(-8, 9, (1, count, 3), generator=generator) * mask.unsqueeze(-1) + 0.0, mask


def padded(x: Tensor, mask: Tensor, count: int) -> tuple[Tensor, Tensor]:
    more = count - x.shape[1]
    return torch.nn.functional.pad(x, (0, 0, 0, more)), torch.nn.functional.pad(mask, (0, more))


def test_the_share_is_of_the_frames_that_are_present() -> None:
    x, mask = frames(1, 1, 1, -1, -1, 5, 5, 5)
    assert detector(2.0)(x, mask).tolist() == [0.75], "a frame of half a second stands for itself"
    mask[0, 5:] = False
    assert detector(2.0)(x * mask.unsqueeze(-1), mask).tolist() == [0.6000000238418579]


def test_a_click_between_silence_is_no_voice_and_a_gap_in_speech_is_one() -> None:
    click, speech = [-1.0] * 40, [1.0] * 40
    click[20], speech[20] = 8.0, -8.0
    hears = detector(40.0)
    assert hears(*frames(*click)).tolist() == [0.0] and hears(*frames(*speech)).tolist() == [1.0]


def test_without_a_frame_nothing_is_known() -> None:
    x = torch.zeros(2, 6, 3)
    mask = torch.tensor([[False] * 6, [True] * 6])
    share = detector(4.0)(x + 1.0, mask)
    assert share[0].isnan() and share[1] == 1


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(1, 30), st.integers(1, 12))
def test_means_are_of_what_is_present_around_each_frame(seed: int, count: int, span: int) -> None:
    x, mask = series(seed, count)
    found = averaged_around(x, mask, span)[0].numpy()
    there = mask[0].numpy()
    for k in range(count):
        around = slice(max(0, k - span // 2), k + (span - 1) // 2 + 1)
        rows = x[0].numpy()[around][there[around]]
        expected = rows.mean(0) if len(rows) else np.zeros(3)
        np.testing.assert_allclose(found[k], expected, atol=1e-5)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 999), st.integers(1, 30)), min_size=1, max_size=4),
    st.integers(0, 20),
    st.sampled_from([2.0, 7.0, 20.0]),
)
def test_neither_padding_nor_batch_mates_matter(
    clips: list[tuple[int, int]], more: int, rate: float
) -> None:
    hears, own = detector(rate), [series(seed, count) for seed, count in clips]
    length = max(count for _, count in clips) + more
    rows = [padded(x, mask, length) for x, mask in own]
    together = hears(torch.cat([x for x, _ in rows]), torch.cat([mask for _, mask in rows]))
    alone = torch.cat([hears(x, mask) for x, mask in own])
    assert torch.equal(together.isnan(), alone.isnan())
    torch.testing.assert_close(together, alone, equal_nan=True)
    known = alone[~alone.isnan()]
    assert ((known >= 0) & (known <= 1)).all()
