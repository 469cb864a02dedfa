"""What changes of images do, how far they go, and that a clip is changed as a whole."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ferplus import smooth
from torch import Tensor

from affuse.features.batch import Batch, Normalisation
from affuse.training.augmentations.augment import augment
from affuse.training.augmentations.images import change_pictures, no_face
from affuse.training.recipe_parts import Augmentation

PLAIN = Normalisation()
LEVELS = Normalisation((128.0,) * 3, (64.0,) * 3)
NAME, CLASSES = "video/aligned48", 8
KINDS = {NAME: "pictures", "video/openface": "vectors"}
CHANGES = {
    "horizontal_flip": Augmentation(horizontal_flip=0.5),
    "rotation": Augmentation(rotation=20.0),
    "scale": Augmentation(scale=0.3),
    "translate": Augmentation(translate=0.1),
    "gaussian_blur": Augmentation(gaussian_blur=1.5),
    "jpeg": Augmentation(jpeg=0.5),
    "color_jitter": Augmentation(color_jitter=0.4),
    "erasing": Augmentation(erasing=0.4),
    "crop": Augmentation(crop=3),
}
EVERYTHING = Augmentation(
    horizontal_flip=0.5,
    rotation=12.0,
    scale=0.2,
    translate=0.08,
    gaussian_blur=1.0,
    jpeg=0.25,
    color_jitter=0.3,
    erasing=0.3,
    crop=2,
)
seeds = st.integers(0, 9999)


def faces(clips: int, frames: int = 2, side: int = 48, seed: int = 0) -> Tensor:
    """(B, T, 3, H, W) normalised by `LEVELS`: smooth images, equal in all frames of a clip."""
    random = np.random.default_rng(seed)
    grey = np.stack([smooth(random, side) for _ in range(clips)]).astype(np.float32)
    x = torch.from_numpy((grey - 128) / 64)
    return x[:, None, None].expand(-1, frames, 3, -1, -1).contiguous()


def changed(x: Tensor, change: Augmentation, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return change_pictures(x, change, LEVELS)


@pytest.mark.parametrize("name", CHANGES)
@given(seeds, st.sampled_from([32, 41, 48]))
@settings(max_examples=8, deadline=None)
def test_all_pictures_of_a_clip_are_changed_alike_and_clips_in_other_ways(
    name: str, seed: int, side: int
) -> None:
    given = faces(40, 2, side, seed)
    x = given.clone()
    after = changed(x, CHANGES[name], seed)
    assert x.equal(given) and after.shape == x.shape and after.dtype == x.dtype
    assert after.isfinite().all()
    torch.testing.assert_close(after, after[:, :1].expand_as(after))
    same = faces(1, 1, side, seed).expand(40, -1, -1, -1, -1)
    ways = changed(same, CHANGES[name], seed).flatten(1)
    assert (ways - ways[:1]).abs().max() > 1e-3, "another way per clip"
    assert not torch.equal(after, x)


@given(seeds)
@settings(max_examples=5, deadline=None)
def test_the_seed_decides_and_nothing_is_done_by_default(seed: int) -> None:
    x = faces(6, seed=seed)
    assert changed(x, EVERYTHING, seed).equal(changed(x, EVERYTHING, seed))
    assert not changed(x, EVERYTHING, seed).equal(changed(x, EVERYTHING, seed + 1))
    assert changed(x, Augmentation()).equal(x)


def dot(side: int, clips: int) -> Tensor:
    """A dot of 3 x 3 pixels in the middle."""
    x = torch.zeros(clips, 1, 3, side, side)
    x[..., side // 2 - 1 : side // 2 + 2, side // 2 - 1 : side // 2 + 2] = 1.0
    return x


def moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mass, centre (B, 2) in pixels from the middle, and variance across of the first channel."""
    plane = x[:, 0, 0]
    mass = plane.sum((-2, -1))
    place = torch.arange(plane.shape[-1]) - plane.shape[-1] // 2
    across = plane.sum(-2) / mass[:, None]
    down = plane.sum(-1) / mass[:, None]
    centre = torch.stack([(across * place).sum(-1), (down * place).sum(-1)], 1)
    variance = (across * place**2).sum(-1) - centre[:, 0] ** 2
    return mass, centre, variance


@given(seeds, st.floats(0.03, 0.3))
@settings(max_examples=10, deadline=None)
def test_pictures_are_moved_either_way_and_no_farther_than_allowed(seed: int, place: float) -> None:
    _, centre, _ = moments(changed(dot(49, 200), Augmentation(translate=place), seed))
    largest = place * 49
    assert centre.abs().max() <= largest + 0.01
    assert (centre.amax(0) > 0.8 * largest).all() and (centre.amin(0) < -0.8 * largest).all()


@given(seeds, st.floats(0.05, 0.4))
@settings(max_examples=10, deadline=None)
def test_pictures_are_made_larger_and_smaller_around_their_middle(seed: int, zoom: float) -> None:
    side = 65
    x = torch.zeros(200, 1, 3, side, side)
    x[..., 22:43, 22:43] = 1.0
    mass, centre, _ = moments(changed(x, Augmentation(scale=zoom), seed))
    size = (mass / 21**2).sqrt()
    assert centre.abs().max() < 0.05
    assert size.max() <= 1 + zoom + 0.02 and size.min() >= 1 - zoom - 0.02
    assert size.max() > 1 + 0.8 * zoom and size.min() < 1 - 0.8 * zoom


def test_what_comes_from_beyond_the_picture_is_the_mean_of_training() -> None:
    after = changed(torch.ones(100, 1, 3, 48, 48), Augmentation(translate=0.25))
    edges = torch.cat([after[..., 0, :], after[..., -1, :]], -1)
    assert edges.eq(0).any() and after[..., 24, 24].allclose(torch.ones(()))
    assert after.min() >= 0 and after.max() <= 1 + 1e-5


@given(seeds, st.floats(0.05, 0.6))
@settings(max_examples=10, deadline=None)
def test_light_is_a_contrast_and_a_brightness(seed: int, light: float) -> None:
    x = faces(100, seed=seed)
    after = changed(x, Augmentation(color_jitter=light), seed)
    flat, result = x.flatten(1), after.flatten(1)
    mean = flat.mean(1, keepdim=True)
    contrast = ((flat - mean) * result).sum(1) / (flat - mean).square().sum(1)
    brightness = result.mean(1) - contrast * mean[:, 0]
    expected = contrast[:, None] * flat + brightness[:, None]
    torch.testing.assert_close(result, expected, rtol=1e-3, atol=1e-3)
    for drawn in (contrast - 1, brightness):
        assert drawn.abs().max() <= light + 1e-3
        assert drawn.max() > 0.7 * light and drawn.min() < -0.7 * light


@given(seeds, st.floats(0.6, 2.0))
@settings(max_examples=10, deadline=None)
def test_half_of_the_clips_are_blurred_and_no_more_than_allowed(seed: int, largest: float) -> None:
    x = dot(49, 200)
    after = changed(x, Augmentation(gaussian_blur=largest), seed)
    mass, centre, variance = moments(after)
    torch.testing.assert_close(mass, torch.full_like(mass, 9.0), rtol=1e-4, atol=1e-3)
    assert centre.abs().max() < 1e-3
    deviation = (variance - 2 / 3).clamp(min=0).sqrt()  # a row of three has a variance of 2 / 3
    assert deviation.max() <= largest + 0.01 and deviation.max() > 0.8 * largest
    sharp = (after - x).flatten(1).abs().amax(1) < 1e-5
    # of the others, a blur below a fifth of a pixel cannot be told from none
    assert int(sharp.sum()) / 200 == pytest.approx(0.5 + 0.5 * 0.21 / largest, abs=0.18)
    even = changed(torch.full((8, 1, 3, 20, 20), 0.7), Augmentation(gaussian_blur=largest), seed)
    torch.testing.assert_close(even, torch.full_like(even, 0.7))


def jpeg(grey: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(float)


@pytest.mark.parametrize("quality", [25, 50])
@pytest.mark.parametrize("side", [48, 45])
def test_blocks_are_those_of_jpeg(monkeypatch: pytest.MonkeyPatch, quality: int, side: int) -> None:
    monkeypatch.setattr("affuse.training.augmentations.images._QUALITIES", (quality, quality))
    random = np.random.default_rng(0)
    grey = np.stack([smooth(random, side) for _ in range(6)])
    grey = np.clip(grey + random.normal(0, 6, grey.shape), 0, 255).astype(np.uint8)
    x = torch.from_numpy((grey.astype(np.float32) - 128) / 64)[:, None, None]
    after = changed(x.expand(-1, 1, 3, -1, -1), Augmentation(jpeg=1.0))
    levels = (after[:, 0, 1] * 64 + 128).clamp(0, 255).numpy()
    for mine, picture in zip(levels, grey, strict=True):
        theirs = jpeg(picture, quality)
        whole = slice(0, side // 8 * 8)  # beyond, encoders may fill up blocks as they like
        apart = np.abs(mine - theirs)[whole, whole]
        # what lies half way between two steps is rounded either way
        assert (apart < 1.5).mean() > 0.9 and apart.mean() < 0.6
        assert np.abs(theirs - picture).mean() > 1.5, "and it is damage"


@given(seeds)
@settings(max_examples=8, deadline=None)
def test_blocks_damage_so_many_clips_and_never_far(seed: int) -> None:
    x = faces(100, 1, seed=seed) + 0.1 * torch.randn(100, 1, 3, 48, 48)
    after = changed(x, Augmentation(jpeg=0.25), seed)
    difference = (after - x).flatten(1).square().mean(1).sqrt()
    assert 3 <= int((difference > 0).sum()) <= 47
    assert difference.max() < 0.4, "in units of the deviation of 64 levels"
    assert changed(x, Augmentation(jpeg=1.0), seed).ne(x).flatten(1).any(1).all()


@given(seeds, st.floats(0.1, 0.6))
@settings(max_examples=10, deadline=None)
def test_a_square_is_blanked_in_half_of_the_clips(seed: int, part: float) -> None:
    x = torch.rand(200, 2, 3, 40, 40) + 1
    after = changed(x, Augmentation(erasing=part), seed)
    blank = after.eq(0)
    assert after[~blank].equal(x[~blank])
    assert blank.equal(blank[:, :1, :1].expand_as(blank)), "in all frames and colours"
    planes = blank[:, 0, 0]
    rows, columns = planes.any(2), planes.any(1)
    assert planes.equal(rows[:, :, None] & columns[:, None, :]), "a rectangle"
    for line in (rows, columns):
        sides = line.sum(1)
        assert sides.max() <= part * 40 + 1
        assert sides.max() >= part * 40 - 1
    assert 60 <= int(planes.flatten(1).any(1).sum()) <= 140


@given(seeds, st.sampled_from([16, 40, 48]))
@settings(max_examples=10, deadline=None)
def test_pictures_without_a_face_are_shuffled_tiles_or_clouds(seed: int, side: int) -> None:
    x = faces(60, 2, side, seed)
    torch.manual_seed(seed)
    after = no_face(x)
    assert after.shape == x.shape and after.isfinite().all()
    assert after.equal(after[:, :1].expand_as(after)), "alike in all frames of a clip"
    values = after[:, 0].flatten(2).sort(-1).values
    shuffled = values.eq(x[:, 0].flatten(2).sort(-1).values).flatten(1).all(1)
    assert 10 <= int(shuffled.sum()) <= 50
    assert after[shuffled].flatten(1).ne(x[shuffled].flatten(1)).any(1).all()
    centred = [y - y.mean(1, keepdim=True) for y in (x.flatten(1), after.flatten(1))]
    alike = torch.nn.functional.cosine_similarity(*centred)
    assert alike.abs().mean() < 0.4 and alike.max() < 0.95


@pytest.mark.parametrize("size", [(45, 50), (7, 9), (48, 40)])
def test_pictures_of_any_size_can_lose_their_face(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(20, 1, 3, *size)
    after = no_face(x)
    assert after.shape == x.shape and after.isfinite().all()
    assert (after != x).flatten(1).any(1).all()


def lesson(clips: int, targets: Tensor) -> Batch:
    mask = torch.ones(clips, 3).bool()
    mask[1::2, 2] = False
    x = faces(clips, 3) * mask[:, :, None, None, None]
    vectors = torch.randn(clips, 3, 5) * mask[:, :, None]
    return Batch(
        {NAME: x, "video/openface": vectors},
        {NAME: mask, "video/openface": mask},
        targets,
        kinds=KINDS,
    )


@pytest.mark.parametrize("shares", [False, True])
@given(seeds, st.sampled_from([0.1, 0.5]))
@settings(max_examples=8, deadline=None)
def test_what_shows_nothing_is_learned_as_all_classes_alike(
    shares: bool, seed: int, part: float
) -> None:
    classes = torch.arange(200) % CLASSES
    own = torch.eye(CLASSES)[classes]
    before = lesson(200, 0.9 * own + 0.1 / CLASSES if shares else classes)
    torch.manual_seed(seed)
    after = augment(before, Augmentation(outlier_exposure=part), CLASSES, {NAME: LEVELS})
    assert after.targets.shape == (200, CLASSES) and after.targets.dtype == torch.float32
    empty = (after.targets == 1 / CLASSES).all(1)
    assert abs(int(empty.sum()) - 200 * part) < 5 * (200 * part * (1 - part)) ** 0.5
    kept = 0.9 * own + 0.1 / CLASSES if shares else own
    assert after.targets[~empty].equal(kept[~empty])
    x, mask = after.streams[NAME], after.masks[NAME]
    assert x[~empty].equal(before.streams[NAME][~empty])
    assert (x[empty] != before.streams[NAME][empty]).flatten(1).any(1).all()
    assert mask.equal(before.masks[NAME]) and x[~mask].eq(0).all()
    vectors = after.streams["video/openface"]
    assert vectors[empty].eq(0).all()
    assert vectors[~empty].equal(before.streams["video/openface"][~empty])


def test_nothing_needs_targets_to_change_anything() -> None:
    before = lesson(8, torch.arange(8))
    bare = Batch(before.streams, before.masks, kinds=KINDS)
    after = augment(bare, Augmentation(outlier_exposure=1.0), CLASSES)
    assert after.targets is None and after.streams[NAME].equal(before.streams[NAME])
    everything = augment(before, Augmentation(outlier_exposure=1.0), CLASSES)
    assert everything.targets.eq(1 / CLASSES).all()
