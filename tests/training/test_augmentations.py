"""What each random change touches, how far it goes, and what it leaves alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.catalogue import stream_spec
from affuse.features.stream import StreamSpec
from affuse.training.augmentations.augment import augment, check_augmentation
from affuse.training.recipe_parts import Augmentation

LOGMEL, MFCC, UNITS, FACES = "audio/logmel16-16k", "audio/mfcc10", "video/openface", "video/faces12"
KINDS = {LOGMEL: "spectrum", MFCC: "vectors", UNITS: "vectors", FACES: "pictures"}
SHAPES = {LOGMEL: (20, 16), MFCC: (17, 10), UNITS: (1, 6), FACES: (4, 3, 12, 12)}
EVERYTHING = Augmentation(
    horizontal_flip=0.5,
    rotation=15.0,
    gain=0.3,
    gaussian_noise=0.1,
    time_stretch=0.1,
    pitch_shift=0.05,
    frequency_masks=(4, 4),
    time_masks=(5,),
    mixup=0.4,
)
seeds = st.integers(0, 9999)


def batch(clips: int = 6, seed: int = 0) -> Batch:
    """A normalised batch; every second clip lacks its last frames, the last one its sound."""
    generator = torch.Generator().manual_seed(seed)
    streams, masks = {}, {}
    for name, shape in SHAPES.items():
        mask = torch.ones(clips, shape[0]).bool()
        mask[1::2, (shape[0] + 1) // 2 :] = False
        if name.startswith("audio"):
            mask[-1] = False
        x = torch.randn(clips, *shape, generator=generator)
        streams[name] = x * mask.reshape(*mask.shape, *[1] * (x.ndim - 2))
        masks[name] = mask
    return Batch(streams, masks, torch.arange(clips), [str(k) for k in range(clips)], KINDS)


def changed(given: Batch, change: Augmentation, seed: int = 0) -> Batch:
    torch.manual_seed(seed)
    return augment(given, change, classes=len(given))


def spectra(x: Tensor) -> Batch:
    """A batch of spectra (B, T, F), all frames present."""
    mask = {LOGMEL: torch.ones(x.shape[:2]).bool()}
    return Batch({LOGMEL: x}, mask, torch.arange(len(x)), kinds=KINDS)


def touched(before: Batch, after: Batch) -> set[str]:
    return {n for n, x in before.streams.items() if not torch.equal(x, after.streams[n])}


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_nothing_by_default(seed: int) -> None:
    before = batch(seed=seed)
    after = changed(before, Augmentation())
    assert touched(before, after) == set()
    assert all(after.masks[name].equal(mask) for name, mask in before.masks.items())
    assert after.targets is not None and after.targets.equal(torch.arange(6))
    assert after.ids == before.ids


@pytest.mark.parametrize(
    ("change", "streams"),
    [
        (Augmentation(horizontal_flip=1.0), {FACES}),
        (Augmentation(rotation=10.0), {FACES}),
        (Augmentation(shift=0.5), set()),
        (Augmentation(adjust_duration=0.5), set()),
        (Augmentation(gain=0.5), {LOGMEL}),
        (Augmentation(time_stretch=0.1), {LOGMEL}),
        (Augmentation(pitch_shift=0.1), {LOGMEL}),
        (Augmentation(time_masks=(5,)), {LOGMEL}),
        (Augmentation(frequency_masks=(5,)), {LOGMEL}),
        (Augmentation(gaussian_noise=0.5), {MFCC, UNITS}),
        (Augmentation(mixup=0.4), set(SHAPES)),
    ],
    ids=[
        "horizontal_flip",
        "rotation",
        "shift",
        "adjust_duration",
        "gain",
        "time_stretch",
        "pitch_shift",
        "time",
        "bands",
        "gaussian_noise",
        "mixup",
    ],
)
def test_each_touches_its_streams_alone(change: Augmentation, streams: set[str]) -> None:
    before = batch()
    after = changed(before, change)
    assert touched(before, after) == streams
    if not change.mixup:
        assert all(after.masks[name].equal(mask) for name, mask in before.masks.items())
        assert after.targets is before.targets


@given(seeds, st.booleans())
@settings(max_examples=20, deadline=None)
def test_absent_frames_stay_zero_and_the_given_batch_as_it_is(seed: int, mix: bool) -> None:
    before, untouched = batch(seed=seed), batch(seed=seed)
    after = changed(before, EVERYTHING if mix else replace(EVERYTHING, mixup=0.0), seed)
    assert touched(before, untouched) == set()
    for name, x in after.streams.items():
        assert x.shape == before.streams[name].shape and x.isfinite().all()
        assert x[~after.masks[name]].eq(0).all()


@given(seeds)
@settings(max_examples=5, deadline=None)
def test_the_seed_decides(seed: int) -> None:
    one, two, other = (changed(batch(), EVERYTHING, s) for s in (seed, seed, seed + 1))
    assert touched(one, two) == set()
    assert one.targets is not None and two.targets is not None and one.targets.equal(two.targets)
    assert touched(one, other) == set(SHAPES)


class TestPictures:
    def test_a_clip_is_mirrored_as_a_whole_or_not_at_all(self) -> None:
        before = batch(clips=40).streams[FACES]
        after = changed(batch(clips=40), Augmentation(horizontal_flip=0.5)).streams[FACES]
        mirrored = [x.equal(y.flip(-1)) for x, y in zip(after, before, strict=True)]
        kept = [x.equal(y) for x, y in zip(after, before, strict=True)]
        assert all(a != b for a, b in zip(mirrored, kept, strict=True))
        assert 8 <= sum(mirrored) <= 32

    def test_probability_one_mirrors_every_clip(self) -> None:
        after = changed(batch(), Augmentation(horizontal_flip=1.0)).streams[FACES]
        assert after.equal(batch().streams[FACES].flip(-1))

    @given(seeds, st.floats(2.0, 45.0))
    @settings(max_examples=15, deadline=None)
    def test_a_clip_is_turned_as_a_whole_and_at_most_as_far_as_allowed(
        self, seed: int, largest: float
    ) -> None:
        size, clips, radius = 33, 30, 11
        x = torch.zeros(clips, 2, 3, size, size)
        x[:, :, 0] = 1.0
        x[:, :, 1, 16 - 1 : 16 + 2, 16 + radius - 1 : 16 + radius + 2] = 1.0  # a dot on the right
        before = Batch({FACES: x}, {FACES: torch.ones(clips, 2).bool()}, kinds=KINDS)
        after = changed(before, Augmentation(rotation=largest), seed).streams[FACES]
        assert after.shape == x.shape
        torch.testing.assert_close(after[:, 0], after[:, 1])
        place = torch.arange(size) - 16.0
        dot = after[:, 0, 1] / after[:, 0, 1].sum((-2, -1), keepdim=True)
        right, down = (dot.sum(-2) * place).sum(-1), (dot.sum(-1) * place).sum(-1)
        angle = torch.rad2deg(torch.atan2(down, right))
        assert (torch.hypot(right, down) - radius).abs().max() < 0.3
        assert angle.abs().max() <= largest + 0.5
        assert angle.max() > 0.3 * largest and angle.min() < -0.3 * largest
        corners = after[:, 0, 0][:, [0, 0, -1, -1], [0, -1, 0, -1]]
        assert corners[angle.abs() > 5].eq(0).all()  # nothing is there to be turned in
        assert after[:, :, 0, 16, 16].allclose(torch.ones(()))


class TestWarp:
    @given(seeds, st.integers(5, 40), st.floats(0.02, 0.4))
    @settings(max_examples=25, deadline=None)
    def test_speed_stretches_time_around_the_middle(
        self, seed: int, frames: int, speed: float
    ) -> None:
        time = torch.arange(frames) - (frames - 1) / 2
        x = time[None, :, None].expand(8, frames, 6)
        after = changed(spectra(x), Augmentation(time_stretch=speed), seed).streams[LOGMEL]
        middle = frames // 2
        slope = after[:, middle, 0] - after[:, middle - 1, 0]
        assert ((slope - 1).abs() <= speed + 1e-4).all()
        assert slope.max() - slope.min() > 0.1 * speed, "another tempo for each clip"
        limit = float(time.max())
        expected = (slope[:, None] * time).clamp(-limit, limit)[..., None].expand_as(after)
        torch.testing.assert_close(after, expected, rtol=1e-3, atol=1e-3)

    @given(seeds, st.integers(12, 64), st.floats(0.02, 0.2))
    @settings(max_examples=25, deadline=None)
    def test_pitch_stretches_and_shifts_the_bands_alike_in_every_frame(
        self, seed: int, bands: int, pitch: float
    ) -> None:
        band = torch.arange(bands) - (bands - 1) / 2
        x = band.expand(8, 5, bands)
        after = changed(spectra(x), Augmentation(pitch_shift=pitch), seed).streams[LOGMEL]
        torch.testing.assert_close(after, after[:, :1].expand_as(after), rtol=1e-4, atol=1e-4)
        middle = bands // 2
        slope = after[:, 0, middle] - after[:, 0, middle - 1]
        shift = after[:, 0, middle] - slope * band[middle]
        assert ((slope - 1).abs() <= pitch + 1e-3).all()
        assert (shift.abs() <= pitch * bands / 2 + 1e-2).all()
        assert slope.max() - slope.min() > 0.1 * pitch, "another stretch for each clip"
        assert shift.max() - shift.min() > 0.1 * pitch, "another shift for each clip"
        limit = float(band.max())
        expected = (slope[:, None] * band + shift[:, None]).clamp(-limit, limit)
        torch.testing.assert_close(after[:, 0], expected, rtol=1e-3, atol=1e-2)

    def test_speed_leaves_a_steady_sound(self) -> None:
        steady = torch.randn(4, 1, 16).expand(4, 20, 16)
        after = changed(spectra(steady), Augmentation(time_stretch=0.3)).streams[LOGMEL]
        torch.testing.assert_close(after, steady.contiguous(), rtol=1e-4, atol=1e-5)


class TestMasks:
    @pytest.mark.parametrize("axis", ["time", "frequency"])
    @given(seeds, st.integers(0, 25))
    @settings(max_examples=25, deadline=None)
    def test_one_stretch_of_at_most_the_width_becomes_zero(
        self, axis: str, seed: int, width: int
    ) -> None:
        x = torch.rand(12, 20, 16) + 1
        change = Augmentation(**{f"{axis}_masks": (width,)})
        after = changed(spectra(x), change, seed).streams[LOGMEL]
        blank = after.eq(0)
        assert after[~blank].equal(x[~blank])
        along, across = (blank, 2) if axis == "time" else (blank.transpose(1, 2), 2)
        assert along.all(across).equal(along.any(across)), "a frame or band goes as a whole"
        for row in along.all(across):
            places = row.nonzero().flatten()
            assert len(places) <= width
            assert len(places) == 0 or int(places[-1] - places[0]) == len(places) - 1

    def test_every_clip_has_its_own_stretch_and_every_width_one(self) -> None:
        x = torch.ones(200, 50, 16)
        change = Augmentation(time_masks=(10, 10))
        blank = changed(spectra(x), change).streams[LOGMEL].eq(0).all(2)
        counts = blank.sum(1)
        assert 10 < counts.max() <= 20
        assert len({tuple(row.tolist()) for row in blank}) > 150
        assert blank[:, 2:-2].any(0).all(), "no frame is spared for ever"


class TestLevels:
    def test_gain_adds_one_value_to_a_whole_clip(self) -> None:
        before = batch(clips=400)
        after = changed(before, Augmentation(gain=0.35))
        mask = before.masks[LOGMEL]
        difference = after.streams[LOGMEL] - before.streams[LOGMEL]
        first = difference[:-1, :1, :1]
        torch.testing.assert_close(
            difference[:-1], first * mask[:-1, :, None].expand_as(difference[:-1]).float()
        )
        assert float(first.std()) == pytest.approx(0.35, rel=0.15)
        assert float(first.mean()) == pytest.approx(0.0, abs=0.06)

    def test_noise_is_another_in_every_value(self) -> None:
        before = batch(clips=40)
        after = changed(before, Augmentation(gaussian_noise=0.2))
        for name in (MFCC, UNITS):
            difference = (after.streams[name] - before.streams[name])[before.masks[name]]
            assert float(difference.std()) == pytest.approx(0.2, rel=0.15)
            assert len(difference.unique()) > 0.95 * difference.numel()


class TestMixup:
    @given(seeds, st.floats(0.05, 4.0))
    @settings(max_examples=25, deadline=None)
    def test_streams_and_targets_are_mixed_alike_and_what_either_has_is_present(
        self, seed: int, parameter: float
    ) -> None:
        before = batch()
        after = changed(before, Augmentation(mixup=parameter), seed)
        targets = after.targets
        assert targets is not None and targets.shape == (6, 6)
        assert targets.min() >= 0
        torch.testing.assert_close(targets.sum(1), torch.ones(6))
        own = targets.diagonal()
        assert (own >= 0.5).all(), "the larger share stays with the clip whose id it carries"
        partners = (targets - targets.diagonal().diag()).argmax(1)
        partners = torch.where(own == 1, torch.arange(6), partners)
        for name, x in before.streams.items():
            weight = own.reshape(-1, *[1] * (x.ndim - 1))
            mixed = weight * x + (1 - weight) * x[partners]
            torch.testing.assert_close(after.streams[name], mixed, rtol=1e-4, atol=1e-5)
            mask = before.masks[name]
            kept = own < 1  # of the others the partner is not known
            assert after.masks[name][kept].equal((mask | mask[partners])[kept])
            assert (after.masks[name] | ~mask).all()

    def test_shares_follow_the_beta_distribution(self) -> None:
        own = changed(batch(clips=600), Augmentation(mixup=1.0)).targets
        assert own is not None
        shares = own.diagonal()
        # of max(u, 1 - u), u uniform
        assert float(shares.mean()) == pytest.approx(0.75, abs=0.02)
        assert float(shares.std()) == pytest.approx(math.sqrt(1 / 48), abs=0.015)

    def test_without_targets_nothing_is_mixed(self) -> None:
        before = replace(batch(), targets=None)
        after = changed(before, Augmentation(mixup=0.4))
        assert after.targets is None and touched(before, after) == set()


def test_jitter_and_a_middle_crop_are_a_random_crop() -> None:
    pictures = torch.arange(48 * 48.0).reshape(1, 1, 1, 48, 48).expand(64, 3, 3, 48, 48)
    batch = Batch({FACES: pictures}, {FACES: torch.ones(64, 3) > 0}, kinds=KINDS)
    torch.manual_seed(0)
    moved = augment(batch, Augmentation(crop=4), 2).streams[FACES]
    middle = moved[..., 4:44, 4:44]
    corners = {divmod(int(clip[0, 0, 0, 0]), 48) for clip in middle}
    assert {y for y, _ in corners} == {x for _, x in corners} == set(range(9))
    for clip in middle:
        y, x = divmod(int(clip[0, 0, 0, 0]), 48)
        assert torch.equal(clip, pictures[0, :, :, y : y + 40, x : x + 40]), "all frames alike"


@pytest.mark.parametrize(
    ("change", "streams", "said"),
    [
        (
            {"horizontal_flip": 0.5},
            ["audio/mfcc10"],
            "augmentation.horizontal_flip changes streams of kind pictures",
        ),
        ({"gain": 0.5}, ["video/faces48"], "the recipe has video/faces48 (pictures)"),
        ({"gaussian_noise": 0.1}, ["audio/logmel64-16k", "video/faces48"], "of kind vectors"),
        ({"room_simulator": 0.2}, ["audio/logmel64-tsav"], "it cannot change audio/logmel64-tsav"),
        ({"outlier_exposure": 0.2}, ["audio/logmel64-tsav"], "is for audio/logmel<N>-16k"),
        (
            {"adjust_duration": 0.5},
            ["audio/mfcc10-published", "video/faces224-published"],
            "augmentation.adjust_duration cannot cut one row per clip or a fixed span",
        ),
    ],
)
def test_a_change_that_touches_no_stream_is_refused(
    change: dict[str, float], streams: list[str], said: str
) -> None:
    specs = {name: stream_spec(name) for name in streams}
    with pytest.raises(AffuseError) as error:
        check_augmentation(Augmentation(**change), specs)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("change", "streams"),
    [
        ({"shift": 0.5, "mixup": 0.2}, ["audio/mfcc10"]),
        ({"adjust_duration": 0.5}, ["audio/mfcc10-published", "video/faces48"]),
        ({"outlier_exposure": 0.2, "gaussian_noise": 0.1}, ["audio/mfcc10", "video/faces48"]),
        ({"room_simulator": 0.2, "gain": 0.1}, ["audio/logmel40-16k", "video/faces48"]),
    ],
)
def test_a_change_that_touches_a_stream_is_taken(
    change: dict[str, float], streams: list[str]
) -> None:
    check_augmentation(Augmentation(**change), {name: stream_spec(name) for name in streams})
    maps = {"video/x": StreamSpec("video/x", 1.0, (8, 7, 7))}
    check_augmentation(Augmentation(gaussian_noise=0.1), maps)
