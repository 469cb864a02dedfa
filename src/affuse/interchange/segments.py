"""Labelled stretches of a recording: what every annotation format has in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

#: The signal of labels whose file does not say what they are about.
EMOTION = "emotion"
#: Labels of those who cannot tell, in small letters; a model says `unclear` and `withheld`.
NOT_SURE = frozenset({"unclear", "withheld", "not sure", "unsure", "uncertain", "unknown", "?"})
#: Between signal and person in the name of a tier, as ELAN's users write it.
_AT = "@"


@dataclass(frozen=True, slots=True)
class Segment:
    """A label from one moment to another.

    Args:
        person: Whose it is; empty where the file does not say.
        signal: What it is about, such as `emotion` or `valence`; without `@`.
        start: Seconds from the beginning of the recording.
        end: Seconds, not before `start`.
        label: Class name, or a number as text; as it is written.
        note: What else is said about it.
    """

    person: str
    signal: str
    start: float
    end: float
    label: str
    note: str = ""

    @property
    def tier(self) -> str:
        """The tier that it lies on: `signal@person`, or the signal alone."""
        return tier_name(self.person, self.signal)


@dataclass(frozen=True)
class Coding:
    """The segments of one recording.

    Args:
        segments: In any order.
        media: File name of the recording, without folders; empty where it is not known.
        duration: Seconds of the recording, or of what is labelled of it.
        vocabulary: Signal -> the labels that it may have, of those that are not free.
    """

    segments: Sequence[Segment]
    media: str = ""
    duration: float = 0.0
    vocabulary: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def tiers(self) -> dict[str, list[Segment]]:
        """Name of the tier -> its segments in the order of time; tiers in the order of the file."""
        found: dict[str, list[Segment]] = defaultdict(list)
        for segment in self.segments:
            found[segment.tier].append(segment)
        return {name: sorted(own, key=lambda s: (s.start, s.end)) for name, own in found.items()}


def tier_name(person: str, signal: str) -> str:
    """`signal@person`, or the signal alone where nobody is named."""
    return f"{signal}{_AT}{person}" if person else signal


def tier_parts(name: str) -> tuple[str, str]:
    """Person and signal of the name of a tier; the person is empty where it names none."""
    signal, _, person = name.partition(_AT)
    return (person, signal) if signal else ("", name)


def milliseconds(tier: Iterable[Segment]) -> list[tuple[int, int, Segment]]:
    """(start, end, segment) in whole milliseconds of one tier, for formats without instants.

    What is shorter than half a millisecond has no length there and is left out.

    Args:
        tier: Segments in the order of time.

    Raises:
        ValueError: Two of them overlap, or one begins before the recording.
    """
    found = [(round(1000 * s.start), round(1000 * s.end), s) for s in tier]
    found = [(a, b, s) for a, b, s in found if a < b]
    for (_, end, one), (start, _, other) in pairwise(found):
        if start < end:
            raise ValueError(f"{one} and {other} overlap in tier {one.tier}")
    if found and found[0][0] < 0:
        raise ValueError(f"{found[0][2]} begins before the recording")
    return found


def merged(segments: Iterable[Segment]) -> list[Segment]:
    """Neighbours of one tier that touch and say the same as one segment.

    Args:
        segments: Of one tier, in the order of time. The note of the first one counts.
    """
    found: list[Segment] = []
    for segment in segments:
        last = found[-1] if found else None
        if last and last.label == segment.label and segment.start - last.end < 5e-4:
            found[-1] = Segment(
                last.person, last.signal, last.start, segment.end, last.label, last.note
            )
        else:
            found.append(segment)
    return found
