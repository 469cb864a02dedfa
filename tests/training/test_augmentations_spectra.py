"""What noise, rooms, microphones and narrow lines do to the power of log-mel spectra."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from affuse.features.batch import Normalisation
from affuse.training.augmentations.spectra import change_spectra, no_voice
from affuse.training.recipe_parts import Augmentation

FLOOR = 1e-4
BANDS = 64
SCALE = Normalisation((-7.0,) * BANDS, (3.0,) * BANDS)
ALL = Augmentation(
    parametric_eq=0.3, background_noise=1.0, room_simulator=1.0, band_pass_filter=1.0
)
EACH = [
    Augmentation(parametric_eq=0.3),
    Augmentation(background_noise=0.5),
    Augmentation(room_simulator=0.5),
    Augmentation(band_pass_filter=0.5),
]
NAMES = ["parametric_eq", "background_noise", "room_simulator", "band_pass_filter"]
seeds = st.integers(0, 9999)


def spectra(power: Tensor) -> Tensor:
    return (power.log() + 7.0) / 3.0


def power(x: Tensor) -> Tensor:
    return (x * 3.0 - 7.0).exp()


def voices(clips: int = 8, frames: int = 100, seed: int = 0) -> Tensor:
    """Normalised spectra with loud and quiet frames and pauses at the floor."""
    random = torch.Generator().manual_seed(seed)
    loud = (3 * torch.randn(clips, frames, 1, generator=random)).exp()
    pause = torch.rand(clips, frames, 1, generator=random) < 0.3
    values = loud * torch.rand(clips, frames, BANDS, generator=random) * ~pause
    return spectra(values.clamp_min(FLOOR))


def changed(x: Tensor, change: Augmentation, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return change_spectra(x, change, SCALE)


def middles() -> Tensor:
    """Of the bands, in Hz: HTK mels from 50 to 8000 Hz."""
    low, high = (2595 * math.log10(1 + f / 700) for f in (50, 8000))
    mel = torch.linspace(low, high, BANDS + 2)[1:-1]
    return 700 * (10 ** (mel / 2595) - 1)


class TestEach:
    def test_off_draws_nothing_and_changes_nothing(self) -> None:
        x = voices()
        torch.manual_seed(0)
        state = torch.get_rng_state()
        assert change_spectra(x, Augmentation(), SCALE) is x
        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.parametrize("change", EACH, ids=NAMES)
    def test_a_seed_fixes_it_and_another_one_changes_it(self, change: Augmentation) -> None:
        x = voices()
        assert torch.equal(changed(x, change, 3), changed(x, change, 3))
        assert not torch.equal(changed(x, change, 3), changed(x, change, 4))

    @pytest.mark.parametrize("change", EACH, ids=NAMES)
    def test_clips_alike_become_different(self, change: Augmentation) -> None:
        x = voices(1).expand(60, -1, -1).contiguous()
        after = changed(x, change)
        same = torch.tensor([torch.equal(a, b) for a, b in zip(after, x, strict=True)])
        if change.parametric_eq:
            assert not same.any()
        else:
            assert 15 <= int(same.sum()) <= 45, "half of the clips stay exactly as they are"
        others = {tuple(clip.flatten().tolist()) for clip in after[~same]}
        assert len(others) > 0.6 * int((~same).sum()), "few cutoffs fall between the same bands"

    @pytest.mark.parametrize("change", [*EACH, ALL], ids=[*NAMES, "all"])
    def test_the_given_spectra_stay(self, change: Augmentation) -> None:
        x = voices()
        changed(x, change)
        assert torch.equal(x, voices())

    @given(seeds)
    @settings(max_examples=15, deadline=None)
    def test_never_below_the_floor_and_finite_for_silence(self, seed: int) -> None:
        silence = spectra(torch.full((4, 60, BANDS), FLOOR))
        quiet = changed(silence, ALL, seed)
        torch.testing.assert_close(power(quiet), power(silence), rtol=1e-3, atol=0)
        after = power(changed(voices(seed=seed), ALL, seed))
        assert after.isfinite().all() and after.min() >= FLOOR * 0.999

    @pytest.mark.parametrize("change", [*EACH, ALL], ids=[*NAMES, "all"])
    def test_what_gain_puts_below_the_floor_returns_to_it(self, change: Augmentation) -> None:
        faint = spectra(torch.full((20, 60, BANDS), FLOOR / 5))
        after = changed(faint, change)
        assert after.isfinite().all()
        touched = after != faint
        assert touched.any() and power(after)[touched].min() >= FLOOR * 0.999

    def test_one_mean_for_all_bands_serves_as_well(self) -> None:
        torch.manual_seed(1)
        one = change_spectra(voices(), ALL, Normalisation((-7.0,), (3.0,)))
        torch.testing.assert_close(one, changed(voices(), ALL, 1))


class TestBackground:
    @given(seeds)
    @settings(max_examples=10, deadline=None)
    def test_it_is_0_to_30_db_below_loud_frames(self, seed: int) -> None:
        x = voices(60, 100, seed)
        added = power(changed(x, Augmentation(background_noise=1.0), seed)) - power(x)
        total = power(x).sum(2)
        assert added.min() > -1e-3 * power(x).max(), "powers add"
        below = total.quantile(0.9, dim=1) / added.sum(2).mean(1)
        decibels = 10 * below.log10()
        assert decibels.min() > -2 and decibels.max() < 32
        assert decibels.max() - decibels.min() > 20

    def test_its_colours_are_many(self) -> None:
        x = voices(200)
        added = (power(changed(x, Augmentation(background_noise=1.0))) - power(x)).sum(1)
        share = (added * torch.arange(BANDS)).sum(1) / added.sum(1)
        assert share.quantile(0.1) < 12 and share.quantile(0.9) > 40


class TestRoom:
    @given(seeds)
    @settings(max_examples=15, deadline=None)
    def test_a_clap_dies_away_and_keeps_its_energy(self, seed: int) -> None:
        clap = torch.full((10, 200, BANDS), FLOOR)
        clap[:, 20] += 50.0
        after = power(changed(spectra(clap), Augmentation(room_simulator=1.0), seed)) - FLOOR
        assert after[:, :20].abs().max() < 1e-6, "nothing comes before its cause"
        torch.testing.assert_close(after.sum(1), torch.full((10, BANDS), 50.0), rtol=0.01, atol=0)
        assert (after[:, 21:30].diff(dim=1) < 0).all() and after[:, 21].min() > 0.05
        # 60 dB take 0.2 to 1 s in the lows, and at least half of that in the highs
        seconds = 60 / (10 * (after[:, 21] / after[:, 26]).log10() / (5 / 50))
        assert seconds.max() < 1.05 and seconds.min() > 0.09
        assert (seconds[:, 0] >= seconds[:, -1] - 0.01).all()


class TestBand:
    @given(seeds)
    @settings(max_examples=15, deadline=None)
    def test_bands_above_a_cutoff_are_at_the_floor(self, seed: int) -> None:
        x = spectra(torch.rand(40, 30, BANDS) + 1)
        before, after = power(x), power(changed(x, Augmentation(band_pass_filter=1.0), seed))
        gone = after <= FLOOR * 1.001
        torch.testing.assert_close(after[~gone], before[~gone], rtol=1e-3, atol=0)
        assert torch.equal(gone.all(1), gone.any(1)), "for the whole clip"
        kept = [middles()[~row] for row in gone.all(1)]
        for frequencies in kept:
            assert 2600 < frequencies.max() <= 7000 and frequencies.min() <= 400
        assert 4 < int(gone[:, 0, 0].sum()) < 36, "half of the clips lose lows as well"
        assert len({float(f.max()) for f in kept}) > 8


def test_tilt_weighs_bands_by_a_slope_and_a_bend() -> None:
    x = spectra(torch.rand(500, 6, BANDS) + 10)
    weight = 3 * (changed(x, Augmentation(parametric_eq=0.4)) - x)
    torch.testing.assert_close(weight, weight[:, :1].expand_as(weight), atol=0.01, rtol=0)
    places = torch.linspace(-1, 1, BANDS)
    curves = torch.stack([places, 1.5 * places**2 - 0.5], 1)
    found = torch.linalg.lstsq(curves, weight[:, 0].T)
    assert float((curves @ found.solution - weight[:, 0].T).abs().max()) < 0.01
    deviations = found.solution.std(1)
    torch.testing.assert_close(deviations, torch.full((2,), 1.2), rtol=0.12, atol=0)


class TestNoVoice:
    def test_there_is_silence_and_all_else_is_audible_and_varied(self) -> None:
        torch.manual_seed(0)
        x = no_voice(voices(400), SCALE)
        assert x.shape == (400, 100, BANDS) and x.isfinite().all()
        silent = (power(x) - FLOOR).abs().amax((1, 2)) < 1e-6
        assert 0.1 < float(silent.float().mean()) < 0.3
        loud = power(x)[~silent].sum(2).mean(1).log()
        assert loud.quantile(0.05) < -2.5 and loud.quantile(0.95) > 8
        # hum and tones fill few bands of a frame, hiss fills many
        power_of_bands = power(x)[~silent] - FLOOR * 0.99
        share = power_of_bands / power_of_bands.sum(2, keepdim=True)
        filled = torch.exp(-(share * share.log()).sum(2)).median(1).values
        assert filled.quantile(0.1) < 5 and filled.quantile(0.9) > 30

    def test_it_depends_on_the_seed_alone(self) -> None:
        drawn = []
        for x, seed in ((voices(seed=0), 5), (voices(seed=1), 5), (voices(seed=0), 6)):
            torch.manual_seed(seed)
            drawn.append(no_voice(x, SCALE))
        assert torch.equal(drawn[0], drawn[1])
        assert not torch.equal(drawn[0], drawn[2])

    def test_of_no_clip_there_is_nothing(self) -> None:
        assert no_voice(voices()[:0], SCALE).shape == (0, 100, BANDS)
