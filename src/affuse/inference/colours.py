"""One colour per emotion, the same in every drawing."""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Sequence

from affuse.corpora.emotions import EMOTIONS

#: Told apart also by readers who confuse red and green: at least 19 apart in CIELAB, seen with
#: all three receptors, without the green and without the red ones (Viénot 1999).
_EMOTIONS = {
    "neutral": "#858585",
    "happy": "#e6bd1a",
    "sad": "#1b2f94",
    "angry": "#b01c00",
    "fearful": "#a34fc4",
    "disgust": "#1f6b4a",
    "surprised": "#ff8c5a",
}
#: Beside all of those, calm is a class of its own in RAVDESS, and contempt in FER+.
_OTHERS = {"calm": "#3cc0f5", "contempt": "#66135c"}
_BY_NAME = {
    **{name: _EMOTIONS[emotion] for emotion, names in EMOTIONS.items() for name in names},
    **_OTHERS,
}
#: For names that are no emotion known here.
_FREE = ("#44aa99", "#999933", "#6699cc", "#994455", "#bbbbbb", "#222222", "#aaaa00", "#ee99aa")
#: The same for the dimensions of continuous valence and arousal.
DIMENSION_COLOURS = ("#0077bb", "#cc3311", "#009988", "#aa4499")
#: What spoke for an output, and against it.
FOR, AGAINST = "#ee3377", "#0077bb"


def colours_of(classes: Sequence[str]) -> list[str]:
    """A colour `#rrggbb` for each class, whatever their order.

    An emotion has its own under any name that corpora give it. Another class has one that follows
    from its name, or the next one that is free where two names lead to the same.

    Args:
        classes: Names, each once.
    """
    keys = {name: " ".join(name.split()).casefold() for name in classes}
    found = {name: _BY_NAME[key] for name, key in keys.items() if key in _BY_NAME}
    taken = set(found.values())
    for name in sorted(set(classes) - set(found), key=lambda name: (keys[name], name)):
        first = zlib.crc32(keys[name].encode("utf-8", "backslashreplace"))
        ways = (_free(first + step) for step in range(len(_FREE)))
        found[name] = next((c for c in ways if c not in taken), _any(first))
        taken.add(found[name])
    return [found[name] for name in classes]


def _free(number: int) -> str:
    return _FREE[number % len(_FREE)]


def _any(number: int) -> str:
    """One of many colours, for models of more classes than eyes can tell apart."""
    parts = colorsys.hls_to_rgb(number % 360 / 360, 0.35 + number // 360 % 3 * 0.1, 0.6)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)
