"""A talking face: expressions, speech and head motion, by warping a portrait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache

import cv2
import numpy as np

from affuse.corpora.synthetic.portrait import EYES, FACE_CENTRE, Appearance, Array, Image, portrait

FRAME_HEIGHT, FRAME_WIDTH = 240, 320  # pixels

# Landmarks of the photograph, in its pixels (x right, y down).
REGION = (slice(58, 206), slice(164, 288))  # rows, columns that expressions may change
BROWS = ((201.0, 91.0), (249.0, 93.0))
INNER_BROWS = ((211.0, 92.5, 1.0), (238.0, 93.5, -1.0))  # x, y, direction of the nose
MOUTH_X, MOUTH_CORNER_Y, MOUTH_HALF_WIDTH = 224.0, 140.0, 21.0
UPPER_LIP_BOW, TEETH = 3.8, 6.0  # how far the inner lips hang below the corners; gap between them
NOSE_BASE_Y, CHIN_Y, NECK_Y = 132.0, 178.0, 204.0
NO_SECOND_MAP = np.empty(0, np.float32)  # both coordinates are in the first map of cv2.remap


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
            self._canvas, where, NO_SECOND_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        top, left = self._rng.integers(0, 32, 2)
        noise = self._noise[top : top + FRAME_HEIGHT, left : left + FRAME_WIDTH]
        return cv2.add(frame, noise, dtype=cv2.CV_8U)


def head_motion(times: Array, rng: np.random.Generator) -> Iterator[Pose]:
    """Slow wandering of the head: a sum of random sines for each way it can move.

    Args:
        times: (T,) float, seconds.
        rng: Where amplitudes, rates and phases come from.
    """
    spans = np.array([3.0, 2.0, 0.035, 0.02])
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
    raised = np.zeros_like(y)
    for brow_x, brow_y in BROWS:
        height = np.clip(np.minimum(y - brow_y + 15, brow_y + 5.5 - y) / 8, 0, 1)
        raised += 5.0 * height * _bump(brow_x, 0.0, 13.0, np.inf)
    frown_x, frown_y = np.zeros_like(y), np.zeros_like(y)
    for inner_x, inner_y, side in INNER_BROWS:
        inner = _bump(inner_x, inner_y, 7.0, 6.0)
        frown_x -= 3.0 * side * inner
        frown_y -= 5.0 * inner
    furrow = 0.35 * (_bump(219.0, 92.5, 2.0, 5.0) + _bump(229.0, 92.5, 2.0, 5.0))
    for eye_x, *_ in EYES:
        furrow += 0.6 * _bump(eye_x, 97.0, 10.0, 3.5)
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
        row, column = int(upper) - REGION[0].start, int(centre) - REGION[1].start
        part = (slice(row - 14, row + 16), slice(column - 18, column + 18))
        u = (x[part] - centre) / half_width
        arch = np.clip(1.0 - u * u, 0.0, None)
        middle = (upper + 2 * lower) / 3
        lid = middle - (middle - upper) * arch
        rise = (2.6 if expression.lids > 0 else 7.0) * expression.lids * arch
        top = upper - 9.0
        new_lid = lid - rise
        y_here = y[part]
        above = top + (y_here - top) * (lid - top) / (new_lid - top)
        stretched = lower - (lower - y_here) * (lower - lid) / (lower - new_lid)
        inside = stretched if expression.lids > 0 else y_here
        moved = np.where(y_here < new_lid, above, np.where(y_here < lower, inside, y_here))
        from_y[part] += np.where(y_here > top, moved - y_here, 0.0)


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
    shift = carried * (corner - MOUTH_CORNER_Y)

    upper = MOUTH_CORNER_Y + UPPER_LIP_BOW * arch
    lower = upper + TEETH * arch
    new_upper = MOUTH_CORNER_Y + shift + bow * arch - 0.12 * opening * arch
    new_lower = new_upper + (TEETH * grin + opening * np.sqrt(arch)) * arch
    chin_drop = 0.55 * opening * np.exp(-0.5 * ((x - MOUTH_X) / 32.0) ** 2)

    above = NOSE_BASE_Y + (y - NOSE_BASE_Y) * (upper - NOSE_BASE_Y) / (new_upper - NOSE_BASE_Y)
    depth = y - new_upper
    # Only a smile lifts the upper lip off the teeth.
    behind_lip = np.minimum(3.2 * max(1.0 - grin, 0.0), lower - upper)
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
