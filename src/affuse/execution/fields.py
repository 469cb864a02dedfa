"""Values that somebody's file tells, checked one by one before they are used.

Every function raises a `ValueError` that names the field, what it holds and what is expected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping

#: How deep lists and mappings may lie in each other, and how many values may be in one field.
DEEPEST, MOST = 16, 1_000_000
#: Whole numbers beyond this are no size, count or index of anything that affuse builds.
LARGEST = 1_000_000
#: Digits of the digest of a network; of the first versions of affuse the first 16.
_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{16}")


def short(value: object, length: int = 60) -> str:
    """A value of a file as a message can hold it: one short line without control characters."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(c if c.isprintable() else "?" for c in text[: length + 1])
    return text if len(text) <= length else f"{text[:length]}..."


def check_number(name: str, value: object, low: float, high: float) -> None:
    """A number, not a bool, within a range."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} is {short(value)}; expected {low:,g} to {high:,g}")


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """A whole number within a range."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} is {short(value)}; expected a whole number {low:,} to {high:,}")


def check_text(name: str, value: object, longest: int = 200) -> None:
    """Text of one line that can be printed, and is not empty."""
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise ValueError(f"{name} is {short(value)!r}; expected a word or a line of text")


def check_one_of(name: str, value: object, known: Collection[str]) -> None:
    """One of some words."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} is {short(value)}; expected {' or '.join(known)}")


def check_list(name: str, value: object, least: int, most: int) -> None:
    """A list or tuple of a length within a range."""
    if not isinstance(value, list | tuple) or not least <= len(value) <= most:
        raise ValueError(f"{name} is {short(value)}; expected a list of {least:,} to {most:,}")


def check_mapping(name: str, value: object) -> None:
    """Names to values."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{name} is {short(value)}; expected names with values")


def check_digest(name: str, value: object) -> None:
    """The SHA-256 of a file in hexadecimal digits, or its first 16 as affuse wrote at first."""
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ValueError(f"{name} is {short(value)!r}; expected 64 hexadecimal digits")


def check_plain(name: str, value: object, whole: int | None = None) -> None:
    """JSON values with finite numbers, bounded in depth and in number.

    Args:
        name: Of the field; messages name the value in it, such as `options.audio.width`.
        value: What it holds.
        whole: Largest whole number that may be in it; any by default.
    """
    left = MOST

    def check(place: str, value: object, depth: int) -> None:
        nonlocal left
        left -= 1
        if depth > DEEPEST:
            raise ValueError(f"{short(place)} lies deeper than {DEEPEST} levels")
        if left < 0:
            raise ValueError(f"{name} holds more than {MOST:,} values")
        if isinstance(value, Mapping):
            for key, inner in value.items():
                check(f"{place}.{key}", inner, depth + 1)
        elif isinstance(value, list | tuple):
            for number, inner in enumerate(value):
                check(f"{place}[{number}]", inner, depth + 1)
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{short(place)} is {value}, which is not finite")
        elif isinstance(value, int) and whole is not None and abs(value) > whole:
            raise ValueError(f"{short(place)} is {short(value)}; expected at most {whole:,}")
        elif value is not None and not isinstance(value, str | int | float):
            raise ValueError(f"{short(place)} is {short(value)}; expected a JSON value")

    check(name, value, 0)
