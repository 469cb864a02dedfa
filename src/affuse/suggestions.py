"""What to say about a name that does not exist: the closest one that does, and which there are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from affuse.errors import AffuseError

#: Characters of a list of names in a message; what is longer is cut, and says what lists the rest.
ROOM = 80

#: American spellings, and those that keys have here.
_BRITISH = (("iz(?=[ae])", "is"), ("color", "colour"), ("center", "centre"), ("gray", "grey"))


def closest(name: str, known: Iterable[str]) -> str | None:
    """The name that was probably meant; None where none is similar.

    Args:
        name: As typed.
        known: Names that exist. One that `name` is the last part or the initials of, or that only
            capitals, separators or American spelling tell apart, is closer than one that shares
            letters; of those, one with exchanged letters is.
    """
    names = {_plain(one): one for one in reversed(list(known))}
    plain = _plain(name)
    if plain in names:
        return names[plain]
    parent, _, last = plain.rpartition(".")
    own = [one for one in names if parent and one.rpartition(".")[0] == parent]
    initials = "".join(word[:1] for word in last.split("-"))
    endings = last, initials if len(initials) > 1 else last
    near = [one for one in own or names if one.rpartition(".")[2] in endings]
    if not near:
        near = difflib.get_close_matches(plain, own or names, 5, 0.8 if own else 0.65)

    def similarity(one: str) -> float:
        exchanged = sorted(one) == sorted(plain)
        return difflib.SequenceMatcher(None, plain, one).ratio() + 0.1 * exchanged

    return names[max(near, key=similarity)] if near else None


def hint(name: str, known: Iterable[str], listed_by: str = "") -> str:
    """`did you mean 'x'? there are: x, y, z`, without the question where nothing is similar.

    Args:
        name: As typed.
        known: Names that exist.
        listed_by: Command or page that lists them all; said where the list is cut.
    """
    known = list(known)
    near = closest(name, known)
    meant = f"did you mean {near!r}? " if near else ""
    if not known:
        return f"{meant}there are none"
    return f"{meant}there are: {_listed(known, listed_by)}"


def unknown(kind: str, name: str, known: Iterable[str], listed_by: str = "") -> AffuseError:
    """The error for a name that does not exist; see `hint`.

    Args:
        kind: What it is a name of, such as `model`.
        name: As typed.
        known: Names that exist.
        listed_by: Command or page that lists them all.
    """
    return AffuseError(f"no {kind} named {name!r}; {hint(name, known, listed_by)}")


def _listed(known: list[str], listed_by: str) -> str:
    whole = ", ".join(known)
    if len(whole) <= ROOM or not listed_by:
        return whole
    shown = whole[:ROOM].rpartition(", ")[0]
    return f"{shown}, ... (all: {listed_by})"


def _plain(name: str) -> str:
    """Without what people mix up: capitals, separators, American spelling."""
    name = re.sub("[ _]", "-", name.lower())
    for pattern, ours in _BRITISH:
        name = re.sub(pattern, ours, name)
    return name
