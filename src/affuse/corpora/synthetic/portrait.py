"""The photograph behind every synthetic face, and the actors made of it.

It is NASA's portrait of Eileen Collins, in the public domain and bundled with scikit-image.
Every actor is that one person in another colour, shape and light, so the images exercise
face detection and learning; they say nothing about accuracy on people.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.extras import need

Image = NDArray[Any]  # uint8 RGB
Array = NDArray[Any]  # float32

# Landmarks of the photograph, in its pixels (x right, y down).
FACE_CENTRE = (224.0, 125.0)
EYES = ((202.0, 96.5, 104.5, 11.5), (247.0, 99.0, 107.0, 12.0))  # centre x, lids y, half width
BROW_LINES = (
    ((189, 91), (194, 89.5), (200, 89.3), (207, 91), (213, 93.5)),
    ((236, 94.5), (242, 92.8), (250, 92.5), (256, 93.5), (261, 96)),
)
SMILE_FOLDS = (((207, 126), (200, 132), (196, 137)), ((240, 126), (246, 132), (250, 140)))


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
            gamma=rng.uniform(0.75, 1.35),
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


@lru_cache(maxsize=1)
def photograph() -> Image:
    """The portrait, (320, 448, 3) uint8 RGB.

    Raises:
        AffuseError: scikit-image is not installed.
    """
    need("demo", "the photograph of synthetic faces")
    from skimage.data import astronaut

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


def _without_smile_folds(photo: Image) -> Image:
    folds = np.zeros(photo.shape[:2], np.uint8)
    for line in SMILE_FOLDS:
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
    rgb: Array = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) ** appearance.gamma
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
    for line in BROW_LINES:
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
