"""Drawn codings, and what of them each format keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st

from affuse.interchange.segments import Coding, Segment

#: Letters of many scripts, and what formats have their own meaning for.
_CHARACTERS = "aZ é日😀\u0301\u200d\u202e&<>\"'`;,.:=!#/\\|%@-—()[]{}"
LABELS = st.text(st.sampled_from(_CHARACTERS + "\n\t"), max_size=12)
PEOPLE = st.text(st.sampled_from("aZ é日😀&<>\"'.,-"), min_size=1, max_size=8).map(
    lambda name: " ".join(name.split()) or "x"
)
SIGNALS = st.sampled_from(["emotion", "valence", "smile"])
#: Milliseconds of a length, and of the gap before it; zero often.
_LENGTH = st.one_of(st.just(0), st.just(1), st.integers(0, 5_000_000))
#: What is beyond a millisecond.
_REST = st.floats(-0.49, 0.49)


@st.composite
def codings(draw: st.DrawFn, exact: bool = True) -> Coding:
    """A recording of up to three tiers, on each of which nothing overlaps.

    Args:
        draw: Of hypothesis.
        exact: Whether times are whole milliseconds.
    """
    tiers = draw(st.lists(st.tuples(PEOPLE, SIGNALS), max_size=3, unique=True))
    segments = []
    for person, signal in tiers:
        here = 0.0
        for gap, length in draw(st.lists(st.tuples(_LENGTH, _LENGTH), max_size=4)):
            start, end = here + gap, here + gap + length
            here = end
            if not exact:
                end += draw(_REST) if length else 0.0
                here = end = max(end, start)
            label, note = draw(LABELS), draw(LABELS)
            segments.append(Segment(person, signal, start / 1000, end / 1000, label, note))
    last = max((s.end for s in segments), default=0.0)
    return Coding(segments, draw(st.sampled_from(["", "a b.mp4", "é#?.wav"])), last)


def kept(
    coding: Coding,
    label: Callable[[str], str],
    note: Callable[[str], str] = lambda _: "",
    instants: bool = False,
    digits: int = 3,
    empty: bool = True,
) -> list[Segment]:
    """The segments that a format keeps, in the order of time.

    Args:
        coding: What is written.
        label: What becomes of a label.
        note: What becomes of a note.
        instants: Whether segments without length are kept.
        digits: Of times in seconds.
        empty: Whether segments without a label are kept.
    """
    rounded = [
        replace(
            s,
            start=round(s.start, digits),
            end=round(s.end, digits),
            label=label(s.label),
            note=note(s.note),
        )
        for s in coding.segments
    ]
    found = [s for s in rounded if (instants or s.start < s.end) and (empty or s.label)]
    return in_order(found)


def in_order(segments: list[Segment]) -> list[Segment]:
    """By time, tier and label."""
    return sorted(segments, key=lambda s: (s.start, s.end, s.tier, s.label))
