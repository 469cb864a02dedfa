"""For how many people there are timelines, and whose the sound is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from affuse.errors import AffuseError

if TYPE_CHECKING:
    from affuse.inference.extraction import Voice

#: More people than a recording has.
EVERYBODY = 1_000_000


def how_many(word: str) -> int:
    """How many people at most.

    Args:
        word: `largest`, which is one, `all`, or a number.

    Raises:
        AffuseError: It is none of these.
    """
    if word in ("largest", "all"):
        return 1 if word == "largest" else EVERYBODY
    if not (word.isascii() and word.isdecimal() and int(word)):
        raise AffuseError(f"{word!r} is neither largest, all nor a number of people")
    return int(word)


def whose_voice(voice: Voice | None, people: int) -> Voice:
    """Whose the sound is: where nobody said it, everybody's for one person, else the speaker's."""
    return voice or ("all" if people == 1 else "speaker")
