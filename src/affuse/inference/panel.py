"""What is drawn below the images of a recording, moment by moment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import singledispatch
from pathlib import Path

import cv2
import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from affuse.errors import shown
from affuse.inference.circumplex import WORDS, place, plane_of
from affuse.inference.colours import DIMENSION_COLOURS, colours_of
from affuse.tasks.naming import named
from affuse.tasks.prediction import Prediction
from affuse.tasks.presence import stretches
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline

#: Seconds of the curves, and of the trail that the dot leaves.
PAST = 10.0
_TRAIL = 2.0
_DARK, _GREY, _WHITE = (24, 24, 28), (110, 110, 118), (235, 235, 235)
_LONGEST = 18  # letters of a name
_SHIFT = 4  # bits of a fraction of a pixel, for smooth lines

Image = NDArray[np.uint8]


class Panel(ABC):
    """A strip of fixed size below the images.

    Args:
        width: Pixels.
        height: Pixels, even.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.scale = height / 160

    @abstractmethod
    def draw(self, time: float) -> Image:
        """(height, width, 3) RGB at a time in seconds."""

    def _empty(self) -> Image:
        return np.full((self.height, self.width, 3), _DARK, np.uint8)

    def _text(
        self,
        image: Image,
        text: str,
        x: float,
        y: float,
        colour: tuple[int, int, int] = _WHITE,
        size: float = 0.42,
    ) -> None:
        """Text whose left end is at x and whose middle is at y."""
        if not text.isascii():
            self._letters(image, text, x, y, colour, size)
            return
        font, size = cv2.FONT_HERSHEY_SIMPLEX, size * self.scale
        (_, tall), _ = cv2.getTextSize(text, font, size, 1)
        corner = (round(x), round(y + tall / 2))
        cv2.putText(image, text, corner, font, size, colour, 1, cv2.LINE_AA)

    def _letters(
        self, image: Image, text: str, x: float, y: float, colour: tuple[int, int, int], size: float
    ) -> None:
        """The same with the letters of other alphabets, which OpenCV does not draw."""
        from matplotlib import get_data_path
        from PIL import Image as Pictures
        from PIL import ImageDraw, ImageFont

        file = Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
        font = ImageFont.truetype(str(file), max(6, round(30 * size * self.scale)))
        picture = Pictures.fromarray(image)
        ImageDraw.Draw(picture).text((x, y), text, fill=colour, font=font, anchor="lm")
        image[:] = np.asarray(picture)

    def _line(
        self, image: Image, x: np.ndarray, y: np.ndarray, colour: tuple[int, int, int], thick: int
    ) -> None:
        points = np.round(np.stack([x, y], 1) * (1 << _SHIFT)).astype(np.int32)
        cv2.polylines(image, [points], False, colour, thick, cv2.LINE_AA, _SHIFT)


class ValuesPanel(Panel):
    """The plane with a moving dot, and the last seconds of the curves.

    Args:
        timeline: What is drawn.
        width: Pixels.
    """

    def __init__(self, timeline: ValuesTimeline, width: int) -> None:
        super().__init__(width, _height(width))
        self.timeline, self.plane = timeline, plane_of(timeline)
        self._background = self._empty()
        self._radius, self._centre = 0.36 * self.height, (0.78 * self.height, 0.5 * self.height)
        self._left = 0.3 * self.height if self.plane is None else 1.75 * self.height
        if self.plane is not None:
            self._draw_circle(self._background)

    def draw(self, time: float) -> Image:
        """The plane and the curves up to now; the dot is away where nothing is known."""
        image = self._background.copy()
        times = self.timeline.times
        now = int(np.searchsorted(times, time + 1e-6)) - 1
        now = max(now, 0)
        if self.plane is not None:
            first = int(np.searchsorted(times, time - _TRAIL))
            trail = self.plane[first : now + 1]
            for i, j in stretches(~np.isnan(trail).any(1)):
                self._line(image, *self._spot(trail[i:j].T), (90, 120, 150), 1)
            if not np.isnan(self.plane[now]).any():
                x, y = self._spot(self.plane[now])
                spot = (round(float(x)), round(float(y)))
                cv2.circle(image, spot, round(5 * self.scale), _WHITE, -1, cv2.LINE_AA)
        self._draw_curves(image, time, now)
        return image

    def _spot(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = self._centre
        return x + self._radius * values[0], y - self._radius * values[1]

    def _draw_circle(self, image: Image) -> None:
        x, y = round(self._centre[0]), round(self._centre[1])
        radius = round(self._radius)
        cv2.circle(image, (x, y), radius, _GREY, 1, cv2.LINE_AA)
        cv2.line(image, (x - radius, y), (x + radius, y), (60, 60, 66), 1)
        cv2.line(image, (x, y - radius), (x, y + radius), (60, 60, 66), 1)
        for word in WORDS:
            a, b = self._spot(np.array(place(word, 1.2)))
            (wide, _), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, 0.3 * self.scale, 1)
            left = float(a) - wide / 2 + 0.35 * wide * place(word)[0]
            self._text(image, word, left, float(b), (170, 170, 176), 0.3)

    def _draw_curves(self, image: Image, time: float, now: int) -> None:
        left, right = self._left, self.width - 0.62 * self.height
        middle, reach = 0.52 * self.height, 0.4 * self.height
        for level in (-1, 0, 1):
            y = round(middle - reach * level)
            shade = _GREY if level == 0 else (60, 60, 66)
            cv2.line(image, (round(left), y), (round(right), y), shade, 1)
            self._text(image, f"{level:+d}" if level else "0", left - 0.14 * self.height, y, _GREY)
        timeline = self.timeline
        first = int(np.searchsorted(timeline.times, time - PAST))
        x = right - (time - timeline.times[first : now + 1]) * (right - left) / PAST
        for k, name in enumerate(timeline.dimensions):
            colour = _bright(DIMENSION_COLOURS[k])
            column = timeline.values[first : now + 1, k]
            for i, j in stretches(~np.isnan(column)):
                self._line(image, x[i:j], middle - reach * column[i:j], colour, 2)
            value = timeline.values[now, k]
            said = "unknown" if np.isnan(value) else f"{value:+.2f}"
            for row, text in enumerate((name, said)):
                place_y = (0.3 + 0.36 * k + 0.13 * row) * self.height
                self._text(image, text, right + 0.06 * self.height, place_y, colour)


class ClassesPanel(Panel):
    """A bar per class: its probability now.

    Args:
        timeline: What is drawn.
        width: Pixels.
    """

    def __init__(self, timeline: Timeline, width: int) -> None:
        rows = len(timeline.classes)
        self._row = max(14, round(_height(width) / max(rows, 6)))
        super().__init__(width, 2 * round((rows + 2) * self._row / 2))
        self.scale = self._row / 24
        self.timeline = timeline
        self._shown = [_short(name) for name in timeline.classes]
        self._colours = [_bright(colour) for colour in colours_of(timeline.classes)]
        self._names = round(max(map(len, self._shown)) * 0.42 * self._row) + 20

    def draw(self, time: float) -> Image:
        """What stands out, and the bars; names alone where nothing is known."""
        image = self._empty()
        now = self.timeline.at(time)
        known = not np.isnan(now).any()
        right = self.width - 2.4 * self._row
        said = _short(named(self.timeline.classes, now)) if known else "not known"
        self._text(image, said, 10, self._row, _WHITE if known else _GREY, 0.65)
        for k, (name, colour) in enumerate(zip(self._shown, self._colours, strict=True)):
            y = (k + 2) * self._row
            self._text(image, name, 10, y, colour if known else _GREY, 0.55)
            if known:
                end = self._names + float(now[k]) * (right - self._names)
                top, bottom = round(y - 0.3 * self._row), round(y + 0.3 * self._row)
                cv2.rectangle(image, (self._names, top), (round(end), bottom), colour, -1)
                self._text(image, f"{now[k]:.2f}", right + 0.3 * self._row, y, _WHITE, 0.55)
        return image


@singledispatch
def panel_of(timeline: Prediction, width: int) -> Panel:
    """The panel that shows a timeline below images `width` pixels wide."""
    raise TypeError(f"{type(timeline).__name__} has no panel")


panel_of.register(Timeline, ClassesPanel)
panel_of.register(ValuesTimeline, ValuesPanel)


def _height(width: int) -> int:
    return 2 * round(np.clip(0.26 * width, 140, 260) / 2)


def _short(name: str) -> str:
    """The name of a class that leaves room for its bar."""
    name = shown(name)
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 2]}.."


def _bright(colour: str) -> tuple[int, int, int]:
    """A colour that can be read on a dark ground."""
    red, green, blue = (round(255 * (0.35 + 0.65 * part)) for part in to_rgb(colour))
    return red, green, blue
