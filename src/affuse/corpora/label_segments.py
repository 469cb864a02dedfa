"""Clips from the segments that people labelled in a recording, in files of annotation programs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.interchange.formats import read_coding
from affuse.interchange.segments import EMOTION, NOT_SURE, Coding, Segment
from affuse.suggestions import hint

#: Files of labels that belong to the recording of the same name beside them.
BESIDE = (".eaf", ".textgrid")
#: How affuse calls people whom nobody named; the first one is the main person.
_NUMBERED = re.compile(r"person(\d+)")


def labelled_clips(clip: Clip, path: Path, tier: str, left_out: Counter[str]) -> list[Clip]:
    """A clip per labelled segment.

    Segments without a label, without length, that are not sure (`unclear`, `withheld`, `?`), and of
    people other than the main one (`person2`, ...) are left out and counted.

    Args:
        clip: The recording: its id is its name.
        path: The file of labels (`affuse.interchange.formats.read_coding`).
        tier: Name of the tier, or of its signal; empty for `emotion`, or the only one.
        left_out: Takes how many segments are left out, by reason.

    Returns:
        Clips `<name>@<start>-<end>`. Who speaks is the speaker of the recording where one person is
        labelled, else who the tier names, else nobody but the recording itself.

    Raises:
        BadInput: The file cannot be read, or does not tell which tier is meant.
    """
    recording = clip.video or clip.audio
    coding = read_coding(path, recording.name if recording else "")
    segments = _of_tier(path, coding, tier)
    people = dict.fromkeys(segment.person for segment in segments)
    found: dict[str, Clip] = {}
    for segment in segments:
        if reason := _unusable(segment):
            left_out[reason] += 1
            continue
        named = "" if _NUMBERED.fullmatch(segment.person) else segment.person
        spot = f"{clip.id}@{_time(segment.start)}-{_time(segment.end)}"
        name = f"{spot}-{named}" if spot in found else spot
        if name in found:
            told = f"labels {segment.start:g} to {segment.end:g} s twice in tier {segment.tier}"
            raise BadInput(path, told)
        found[name] = replace(
            clip,
            id=name,
            label=segment.label.strip(),
            start=segment.start,
            end=segment.end,
            speaker=(clip.speaker if len(people) == 1 else None)
            or named
            or clip.speaker
            or clip.id,
            recording=clip.recording or clip.id,
        )
    return list(found.values())


def _unusable(segment: Segment) -> str:
    """Why a segment is no clip; empty where it is."""
    label = segment.label.strip()
    number = _NUMBERED.fullmatch(segment.person)
    if not label or not segment.start < segment.end:
        return "segments without a label or without length"
    if label.casefold() in NOT_SURE:
        return "segments that are not sure"
    if number and int(number[1]) > 1:
        return "segments of people who are not the main one"
    return ""


def _time(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _of_tier(path: Path, coding: Coding, tier: str) -> Sequence[Segment]:
    """The segments of the tier that is meant."""
    tiers = list(coding.tiers)
    if tier:
        own = [s for s in coding.segments if tier in (s.tier, s.signal)]
        if not own:
            raise BadInput(path, f"has no tier {tier!r}; {hint(tier, tiers) if tiers else 'none'}")
        return own
    own = [s for s in coding.segments if s.signal == EMOTION]
    signals = {s.signal for s in coding.segments}
    if not own and len(signals) > 1:
        told = f"has several tiers ({', '.join(tiers)}); say which is meant: tier=NAME"
        raise BadInput(path, told)
    return own or coding.segments


def labels_beside(paths: Sequence[Path]) -> dict[str, Path]:
    """Name of a recording without its suffix -> its file of labels, among files of one folder.

    Raises:
        BadInput: A recording has two.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if path.suffix.lower() in BESIDE:
            if path.stem in found:
                other = found[path.stem].name
                raise BadInput(path, f"labels {path.stem} beside {other}; which one is meant?")
            found[path.stem] = path
    return found
