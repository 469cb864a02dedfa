"""A talking face: one public-domain photograph, warped into actors, expressions and speech.

The photograph is NASA's portrait of Eileen Collins, bundled with scikit-image. Every actor is
that one person in another colour, shape and light, so the pictures exercise face detection and
learning; they say nothing about accuracy on people.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.errors import AffuseError

Image = NDArray[np.uint8]
Array = NDArray[np.float32]

FRAME_HEIGHT, FRAME_WIDTH = 240, 320  # pixels

# Landmarks of the photograph, in its pixels (x right, y down).
FACE_CENTRE = (224.0, 125.0)
REGION = (slice(58, 206), slice(164, 288))  # rows, columns that expressions may change
EYES = ((202.0, 96.5, 104.5, 11.5), (247.0, 99.0, 107.0, 12.0))  # centre x, lids y, half width
BROWS = ((201.0, 91.0), (249.0, 93.0))
INNER_BROWS = ((211.0, 92.5, 1.0), (238.0, 93.5, -1.0))  # x, y, direction of the nose
MOUTH_X, MOUTH_CORNER_Y, MOUTH_HALF_WIDTH = 224.0, 140.0, 21.0
UPPER_LIP_BOW, TEETH = 3.8, 6.0  # how far the inner lips hang below the corners; gap between them
NOSE_BASE_Y, CHIN_Y, NECK_Y = 132.0, 178.0, 204.0


@dataclass(frozen=True)
class Appearance:
    """What one actor looks like; the defaults are the photograph."""

    mirrored: bool = False
    hue: float = 0.0  # degrees
    saturation: float = 1.0
    gamma: float = 1.0
    hair: float = 1.0  # brightness of the hair
    backdrop: tuple[float, float, float] = (1.0, 1.0, 1.0)  # gain of red, green and blue
    brow_ink: float = 0.3  # 0 faint .. 1 black
    jaw: float = 1.0  # width below the cheeks
    eyes: float = 1.0  # size
    side_light: float = 0.0  # -1 .. 1, left or right
    scale: float = 1.15  # frame pixels per pixel of the photograph
    aspect: float = 1.0  # width over height
    blur: float = 0.0  # standard deviation, pixels
    noise: float = 1.0  # standard deviation, grey levels

    @classmethod
    def random(cls, rng: np.random.Generator) -> Appearance:
        """Draw an actor."""
        backdrop = rng.uniform(0.45, 1.1) * rng.uniform(0.85, 1.15, 3)
        red, green, blue = (float(gain) for gain in backdrop)
        return cls(
            mirrored=bool(rng.random() < 0.5),
            hue=rng.uniform(-14.0, 10.0),
            saturation=rng.uniform(0.5, 1.35),
            gamma=rng.uniform(0.75, 1.5),
            hair=rng.uniform(0.35, 1.15),
            backdrop=(red, green, blue),
            brow_ink=rng.uniform(0.35, 0.8),
            jaw=rng.uniform(0.92, 1.1),
            eyes=rng.uniform(0.92, 1.12),
            side_light=rng.uniform(-0.35, 0.35),
            scale=rng.uniform(1.0, 1.3),
            aspect=rng.uniform(0.9, 1.13),
            blur=rng.uniform(0.0, 0.8),
            noise=rng.uniform(0.8, 3.0),
        )


@dataclass(frozen=True)
class Expression:
    """What a face shows, beside speech; 0 is at rest, 1 is full strength."""

    smile: float = 0.0  # -1: corners of the mouth down
    brow_raise: float = 0.0
    frown: float = 0.0
    lids: float = 0.0  # -1: eyes shut, 1: wide open
    jaw: float = 0.0  # mouth open without speech

    def __add__(self, other: Expression) -> Expression:
        return Expression(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __mul__(self, strength: float) -> Expression:
        return Expression(*(getattr(self, f.name) * strength for f in fields(self)))


@dataclass(frozen=True)
class Pose:
    """Where the head is: offsets in pixels of the photograph, turn in radians, growth as share."""

    x: float = 0.0
    y: float = 0.0
    turn: float = 0.0
    growth: float = 0.0


@lru_cache(maxsize=1)
def photograph() -> Image:
    """The portrait, (320, 448, 3) uint8 RGB.

    Raises:
        AffuseError: scikit-image is not installed.
    """
    try:
        from skimage.data import astronaut
    except ImportError as error:
        raise AffuseError(
            "synthetic faces need the photograph in scikit-image: pip install affuse[demo]"
        ) from error
    return np.ascontiguousarray(astronaut()[:320, :448])


@lru_cache(maxsize=2)
def portrait(appearance: Appearance) -> tuple[Image, Image]:
    """The photograph dressed up as an actor, smiling and relaxed (without the folds of the smile).

    Returns:
        Two images, (320, 448, 3) uint8 RGB, landmarks where the photograph has them.
    """
    smiling = photograph()
    relaxed = _without_smile_folds(smiling)
    return _dress(smiling, appearance), _dress(relaxed, appearance)


class Face:
    """Draws one actor in one place, frame by frame.

    Args:
        appearance: The actor.
        x: Distance of the face from the middle of the frame, pixels.
        y: The same, downwards.
        zoom: Factor on the actor's own scale.
        light: Factor on the brightness.
        rng: Where the sensor noise comes from.
    """

    def __init__(
        self,
        appearance: Appearance,
        rng: np.random.Generator,
        x: float = 0.0,
        y: float = 0.0,
        zoom: float = 1.0,
        light: float = 1.0,
    ) -> None:
        levels = np.clip(np.arange(256) * light, 0, 255).astype(np.uint8)
        self._smiling, self._relaxed = (cv2.LUT(p, levels) for p in portrait(appearance))
        self._canvas = self._smiling.copy()
        self._rng = rng
        self._noise = rng.normal(
            0.0, appearance.noise, (FRAME_HEIGHT + 32, FRAME_WIDTH + 32, 1)
        ).astype(np.int16)
        self._noise = np.repeat(self._noise, 3, axis=2)
        self._place(appearance, x, y, zoom)

    def _place(self, appearance: Appearance, x: float, y: float, zoom: float) -> None:
        """Map each frame pixel to the photograph, with fields by which the head can move in it."""
        rows, columns = np.mgrid[:FRAME_HEIGHT, :FRAME_WIDTH].astype(np.float32)
        scale = appearance.scale * zoom
        side = -1.0 if appearance.mirrored else 1.0
        dx = side * (columns - FRAME_WIDTH / 2 - x) / (scale * appearance.aspect)
        dy = (rows - 0.47 * FRAME_HEIGHT - y) / scale
        # The head carries its surroundings softly, and the shoulders hardly at all.
        head = 1.0 / (1.0 + np.exp((np.hypot(dx / 95.0, dy / 90.0) - 1.0) * 9.0))
        self._base = np.stack([dx + FACE_CENTRE[0], dy + FACE_CENTRE[1]], axis=-1)
        dy = dy - 60.0  # heads turn about the neck
        zero = np.zeros_like(head)
        self._motion = np.stack(
            [
                np.stack([-head, zero], axis=-1),
                np.stack([zero, -head], axis=-1),
                np.stack([head * dy, -head * dx], axis=-1),
                np.stack([-head * dx, -head * dy], axis=-1),
            ]
        )

    def draw(self, expression: Expression, speech: float, pose: Pose) -> Image:
        """One frame.

        Args:
            expression: What the face shows.
            speech: How far speech opens the mouth, 0 .. 1.
            pose: Where the head is.

        Returns:
            (240, 320, 3) uint8 RGB.
        """
        self._canvas[REGION] = _express(self._smiling, self._relaxed, expression, speech)
        where = self._base
        for amount, field in zip(
            (pose.x, pose.y, pose.turn, pose.growth), self._motion, strict=True
        ):
            where = cv2.scaleAdd(field, amount, where)
        frame = cv2.remap(
            self._canvas, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        top, left = self._rng.integers(0, 32, 2)
        noise = self._noise[top : top + FRAME_HEIGHT, left : left + FRAME_WIDTH]
        return cv2.add(frame, noise, dtype=cv2.CV_8U)


def head_motion(times: Array, rng: np.random.Generator, amount: float = 1.0) -> Iterator[Pose]:
    """Slow wandering of the head: a sum of random sines for each way it can move.

    Args:
        times: (T,) float, seconds.
        rng: Where amplitudes, rates and phases come from.
        amount: Factor on all movements.
    """
    spans = np.array([3.0, 2.0, 0.035, 0.02]) * amount
    rates = rng.uniform(0.1, 0.7, (3, 4))  # Hz
    phases = rng.uniform(0.0, 2 * np.pi, (3, 4))
    weights = rng.normal(0.0, 0.6, (3, 4)) * spans
    waves = weights * np.sin(2 * np.pi * rates * times[:, None, None] + phases)
    for x, y, turn, growth in waves.sum(axis=1):
        yield Pose(float(x), float(y), float(turn), float(growth))


# --- expressions -------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _grid() -> tuple[Array, Array]:
    """Photograph coordinates (x, y) of the pixels of REGION."""
    rows, columns = REGION
    y, x = np.mgrid[rows.start : rows.stop, columns.start : columns.stop].astype(np.float32)
    return x, y


def _bump(x0: float, y0: float, width: float, height: float) -> Array:
    """A Gaussian hill of height 1 over REGION."""
    x, y = _grid()
    return np.exp(-0.5 * (((x - x0) / width) ** 2 + ((y - y0) / height) ** 2))


@lru_cache(maxsize=1)
def _brow_fields() -> tuple[Array, Array, Array, Array]:
    """Source displacement for raised brows (y) and for a frown (x, y), and the furrow's shade."""
    y = _grid()[1]
    raised = sum(
        5.0 * _bump(x, 0.0, 13.0, np.inf) * np.clip(np.minimum(y - by + 15, by + 5.5 - y) / 8, 0, 1)
        for x, by in BROWS
    )
    inner = [(_bump(x, y, 7.0, 6.0), side) for x, y, side in INNER_BROWS]
    frown_x = sum(-3.0 * side * bump for bump, side in inner)
    frown_y = sum(-5.0 * bump for bump, _ in inner)
    furrow = sum(0.35 * _bump(x, 92.5, 2.0, 5.0) for x in (219.0, 229.0))
    furrow = furrow + 0.6 * sum(_bump(x, 97.0, 10.0, 3.5) for x, *_ in EYES)
    return raised, frown_x, frown_y, furrow


def _express(smiling: Image, relaxed: Image, expression: Expression, speech: float) -> Image:
    """Warp and shade the pixels of REGION."""
    x, y = _grid()
    raised, frown_x, frown_y, furrow = _brow_fields()
    from_x = x + expression.frown * frown_x
    from_y = y + expression.brow_raise * raised + expression.frown * frown_y
    _move_lids(from_y, expression)
    dark = _move_mouth(from_x, from_y, expression, speech)
    rows, columns = REGION
    from_x -= columns.start
    from_y -= rows.start
    fold = float(np.clip(expression.smile, 0.0, 1.0))
    face = cv2.addWeighted(smiling[REGION], fold, relaxed[REGION], 1.0 - fold, 0.0)
    face = cv2.remap(face, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    shade = 1.0 - 0.4 * max(expression.frown, 0.0) * furrow
    red, other = shade * (1.0 - 0.72 * dark), shade * (1.0 - 0.88 * dark)
    return cv2.multiply(face, cv2.merge([red, other, other]), dtype=cv2.CV_8U)


def _move_lids(from_y: Array, expression: Expression) -> None:
    """Lower the upper lids over the eyes, or raise them; changes `from_y` in place."""
    x, y = _grid()
    for centre, upper, lower, half_width in EYES:
        part = (
            slice(int(upper) - 72, int(upper) - 42),
            slice(int(centre) - 182, int(centre) - 146),
        )
        u = (x[part] - centre) / half_width
        arch = np.clip(1.0 - u * u, 0.0, None)
        middle = (upper + 2 * lower) / 3
        lid = middle - (middle - upper) * arch
        rise = (2.6 if expression.lids > 0 else 7.0) * expression.lids * arch
        top = upper - 9.0
        new_lid = lid - rise
        row = y[part]
        above = top + (row - top) * (lid - top) / (new_lid - top)
        stretched = lower - (lower - row) * (lower - lid) / (lower - new_lid)
        inside = stretched if expression.lids > 0 else row
        moved = np.where(row < new_lid, above, np.where(row < lower, inside, row))
        from_y[part] += np.where(row > top, moved - row, 0.0)


def _move_mouth(from_x: Array, from_y: Array, expression: Expression, speech: float) -> Array:
    """Shape the lips, drop the jaw; changes the maps in place, returns the dark of the mouth."""
    x, y = _grid()
    smile = float(np.clip(expression.smile, -1.0, 1.3))
    grin, sulk = max(smile, 0.0), max(-smile, 0.0)
    width = 0.86 + 0.14 * grin - 0.03 * sulk - 0.16 * min(expression.jaw, 1.0)
    corner = 145.5 - 5.5 * grin + 4.5 * sulk
    bow = 0.3 + (UPPER_LIP_BOW - 0.3) * grin - 4.0 * sulk
    opening = 8.0 * speech + 9.0 * expression.jaw

    reach = _mouth_reach()
    from_x += (x - MOUTH_X) * (1.0 / width - 1.0) * reach
    u = (from_x - MOUTH_X) / MOUTH_HALF_WIDTH
    arch = np.clip(1.0 - u * u, 0.0, None)
    carried = np.clip(2.2 - np.abs(u), 0.0, 1.2) / 1.2  # how far cheeks follow the corners
    shift = np.minimum(carried, 1.0) * (corner - MOUTH_CORNER_Y)

    upper = MOUTH_CORNER_Y + UPPER_LIP_BOW * arch
    lower = upper + TEETH * arch
    new_upper = MOUTH_CORNER_Y + shift + bow * arch - 0.12 * opening * arch
    new_lower = new_upper + (TEETH * grin + opening * np.sqrt(arch)) * np.minimum(arch, 1.0)
    chin_drop = 0.55 * opening * np.exp(-0.5 * ((x - MOUTH_X) / 32.0) ** 2)

    above = NOSE_BASE_Y + (y - NOSE_BASE_Y) * (upper - NOSE_BASE_Y) / (new_upper - NOSE_BASE_Y)
    depth = y - new_upper
    # Only a smile lifts the upper lip off the teeth.
    behind_lip = np.minimum(3.2 * (1.0 - grin), lower - upper)
    inside = upper + np.minimum(depth + behind_lip, lower - upper)
    new_chin = CHIN_Y + chin_drop
    below = lower + (y - new_lower) * (CHIN_Y - lower) / (new_chin - new_lower)
    neck = CHIN_Y + (y - new_chin) * (NECK_Y - CHIN_Y) / (NECK_Y - new_chin)
    moved = np.where(
        y < new_upper, above, np.where(y < new_lower, inside, np.where(y < new_chin, below, neck))
    )
    moved = np.where((y > NOSE_BASE_Y) & (y < NECK_Y), moved, y)
    from_y += moved - y
    mouth = (y >= new_upper) & (y < new_lower)
    cavity = np.where(mouth, np.clip(depth + behind_lip - (lower - upper), 0.0, 1.0), 0.0)
    return cv2.blur(cavity.astype(np.float32), (3, 3))


@lru_cache(maxsize=1)
def _mouth_reach() -> Array:
    """How far the skin around the mouth follows it sideways."""
    return _bump(MOUTH_X, 147.0, 24.0, 12.0)


# --- actors ------------------------------------------------------------------------------------


def _without_smile_folds(photo: Image) -> Image:
    folds = np.zeros(photo.shape[:2], np.uint8)
    for line in ([(207, 126), (200, 132), (196, 137)], [(240, 126), (246, 132), (250, 140)]):
        cv2.polylines(folds, [np.array(line, np.int32)], False, 255, 5)
    smooth = cv2.inpaint(photo, folds, 5, cv2.INPAINT_TELEA)
    soft = cv2.GaussianBlur(folds, (0, 0), 2.0)[..., None].astype(np.float32) / 255.0
    return (photo + np.minimum(soft * 1.5, 1.0) * (smooth.astype(np.float32) - photo)).astype(
        np.uint8
    )


def _dress(photo: Image, appearance: Appearance) -> Image:
    height, width = photo.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    image = _reshape(photo, appearance, x, y)
    image = image * _paint(image, appearance, x, y)
    hsv = cv2.cvtColor(np.clip(image, 0, 255) / np.float32(255), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + appearance.hue) % 360
    hsv[..., 1] = np.clip(hsv[..., 1] * appearance.saturation, 0, 1)
    rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) ** appearance.gamma
    if appearance.blur > 0.05:
        rgb = cv2.GaussianBlur(rgb, (0, 0), appearance.blur)
    return (np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def _reshape(photo: Image, appearance: Appearance, x: Array, y: Array) -> Array:
    """Widen the jaw and enlarge the eyes about their own centres."""
    from_x, from_y = x.copy(), y.copy()
    jaw = np.exp(-0.5 * (((x - FACE_CENTRE[0]) / 45) ** 2 + ((y - 165) / 25) ** 2))
    from_x += (x - FACE_CENTRE[0]) * (1 / appearance.jaw - 1) * jaw
    for centre, upper, lower, _ in EYES:
        middle = (upper + lower) / 2
        near = np.exp(-0.5 * (((x - centre) / 11) ** 2 + ((y - middle) / 8) ** 2))
        from_x += (x - centre) * (1 / appearance.eyes - 1) * near
        from_y += (y - middle) * (1 / appearance.eyes - 1) * near
    return cv2.remap(photo, from_x, from_y, cv2.INTER_CUBIC).astype(np.float32)


def _paint(image: Array, appearance: Appearance, x: Array, y: Array) -> Array:
    """Gain for each pixel: hair, backdrop, brows and light from a side."""
    head = _soft(np.hypot((x - 226) / 76, (y - 86) / 74))
    face = _soft(np.hypot((x - 224) / 47, (y - 128) / 54))
    yellowish = np.clip((image[..., 1] - image[..., 2]) / 20, 0, 1)
    hair = head * (1 - face) * np.clip(yellowish + _soft(image.max(-1) / 90), 0, 1)
    gain = 1 + (appearance.hair - 1) * hair[..., None]
    backdrop = _backdrop()[..., None]
    gain = gain * (1 + (np.array(appearance.backdrop, np.float32) - 1) * backdrop)
    ink = np.zeros(image.shape[:2], np.uint8)
    for line in (
        [(189, 91), (194, 89.5), (200, 89.3), (207, 91), (213, 93.5)],
        [(236, 94.5), (242, 92.8), (250, 92.5), (256, 93.5), (261, 96)],
    ):
        points = np.round(np.array(line) * 16).astype(np.int32)
        cv2.polylines(ink, [points], False, 255, 2, cv2.LINE_AA, shift=4)
    brow = cv2.GaussianBlur(ink, (0, 0), 0.9).astype(np.float32)[..., None] / 255
    gain = gain * (1 - appearance.brow_ink * brow)
    return gain * (1 + appearance.side_light * np.tanh((x - FACE_CENTRE[0]) / 60))[..., None]


@lru_cache(maxsize=1)
def _backdrop() -> Array:
    """1 on the studio's backdrop, 0 on the astronaut, soft between."""
    smooth = cv2.medianBlur(photograph(), 7)
    height, width = smooth.shape[:2]
    filled = np.zeros((height + 2, width + 2), np.uint8)
    for seed in ((5, 5), (width - 60, 5), (60, 60), (width - 80, 150)):
        cv2.floodFill(smooth, filled, seed, 0, (2, 2, 2), (2, 2, 2), 4 | cv2.FLOODFILL_MASK_ONLY)
    mask = cv2.morphologyEx(filled[1:-1, 1:-1], cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    mask = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.5)


def _soft(radius: Array) -> Array:
    """1 inside the unit circle, 0 outside, with a soft edge."""
    return 0.5 - 0.5 * np.tanh((radius - 1.0) * 12.5)
