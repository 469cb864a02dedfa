"""The segments of a job as a person corrected them: kept, checked, and handed over."""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from affuse.errors import AffuseError
from affuse.execution.files import write_csv, write_text
from affuse.inference.output import TIDY
from affuse.interchange.formats import FORMATS
from affuse.interchange.segments import EMOTION, Coding, Segment
from affuse.serving.view import PROPOSED

#: Name of the file in the folder of a job.
SEGMENTS = "segments.json"
#: Segments of a recording at most, and characters of a label and of a note.
_MOST, _LABEL, _NOTE = 50_000, 200, 2000
#: What a person says who cannot tell.
NOT_SURE = "not sure"
#: Seconds by which a segment may end after the recording: rounding.
_NEAR = 1e-3
#: What no line may hold that other programs read.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")
#: Format -> how its files end.
ENDINGS = {**{name: one.ending for name, one in FORMATS.items()}, TIDY: ".segments.csv"}

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SegmentAnswer(BaseModel):
    """A label from one moment to another."""

    person: str
    signal: str = Field(description="`emotion`, or a dimension such as `valence`")
    start: Seconds
    end: Seconds
    label: str = Field(min_length=1, max_length=_LABEL)
    note: str = Field("", max_length=_NOTE)


class SegmentsAnswer(BaseModel):
    """The segments of a recording."""

    revision: int = Field(ge=0, description="0 as the model proposes them; one more at each change")
    segments: list[SegmentAnswer] = Field(max_length=_MOST)


class Stale(AffuseError):
    """Somebody else changed them in between."""


class SavedSegments:
    """The segments of jobs that are done. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def read(self, folder: Path) -> SegmentsAnswer:
        """Those that were saved, or else those that the model proposes.

        Args:
            folder: Of the job.

        Raises:
            OSError: The job is being deleted.
        """
        try:
            return SegmentsAnswer.model_validate_json((folder / SEGMENTS).read_bytes())
        except FileNotFoundError:
            proposed = _proposed(folder)["segments"]
            return SegmentsAnswer.model_construct(
                revision=0, segments=[SegmentAnswer.model_construct(**one) for one in proposed]
            )

    def save(self, folder: Path, fresh: SegmentsAnswer) -> int:
        """Keep segments that follow those of a revision.

        Args:
            folder: Of the job.
            fresh: With the revision that they were made from.

        Returns:
            Their own revision.

        Raises:
            Stale: They were made from another revision.
            AffuseError: They cannot be of this recording.
        """
        segments = [_in_milliseconds(one) for one in fresh.segments]
        _check(segments, _proposed(folder))
        with self._lock:
            if fresh.revision != self.read(folder).revision:
                raise Stale("the segments were changed elsewhere in between")
            revision = fresh.revision + 1
            kept = SegmentsAnswer(revision=revision, segments=segments)
            write_text(folder / SEGMENTS, kept.model_dump_json())
        return revision

    def export(self, folder: Path, word: str, path: Path, media: str) -> None:
        """Write them in a format of `ENDINGS`.

        Args:
            folder: Of the job.
            word: Name of the format.
            path: The file.
            media: File name of the recording, for programs that look for it.
        """
        facts = _proposed(folder)
        segments = [Segment(**one.model_dump()) for one in self.read(folder).segments]
        if word == TIDY:
            write_tidy_segments(path, segments, media)
            return
        vocabulary = {
            signal: list(
                dict.fromkeys([*labels, NOT_SURE, *_labels(segments, signal)])  # in this order
            )
            for signal, labels in facts["vocabulary"].items()
        }
        FORMATS[word].write(path, Coding(segments, media, facts["duration"], vocabulary))


def corrected(folder: Path) -> float:
    """When somebody last changed the segments of a job, in seconds since 1970; 0 for never."""
    try:
        return (folder / SEGMENTS).stat().st_mtime
    except OSError:
        return 0.0


def write_tidy_segments(path: Path, segments: Iterable[Segment], media: str) -> None:
    """Write one row per segment: whose it is, what it is about, seconds, label and note.

    Args:
        path: The file.
        segments: Of one recording.
        media: Its file name.
    """
    header = ["recording", "person", "signal", "start", "end", "label", "note"]
    rows = [
        [media, s.person, s.signal, f"{s.start:.3f}", f"{s.end:.3f}", s.label, s.note]
        for s in sorted(segments, key=lambda s: (s.person, s.signal, s.start))
    ]
    write_csv(path, header, rows)


def _in_milliseconds(segment: SegmentAnswer) -> SegmentAnswer:
    """The same in what all formats hold, so that none of them overlap there that do not here."""
    times = {"start": round(segment.start, 3), "end": round(segment.end, 3)}
    return segment.model_copy(update=times)


def _labels(segments: Iterable[Segment], signal: str) -> list[str]:
    return [s.label for s in segments if s.signal == signal]


def _proposed(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / PROPOSED).read_bytes())
    return facts


def _check(segments: Sequence[SegmentAnswer], facts: dict[str, Any]) -> None:
    """Raise AffuseError, in one line, where segments cannot be of a recording."""
    duration = facts["duration"]
    tiers: dict[tuple[str, str], list[SegmentAnswer]] = defaultdict(list)
    for one in segments:
        if one.person not in facts["people"] or one.signal not in facts["signals"]:
            raise AffuseError(f"the recording has no {one.signal!r} of {one.person!r}")
        if one.end <= one.start or one.end > duration + _NEAR:
            raise AffuseError(
                f"a segment from {one.start:g} to {one.end:g} s does not fit into {duration:g} s"
            )
        if not one.label.strip() or _CONTROL.search(one.label + one.note):
            raise AffuseError("a label is blank, or a label or note is not one line of text")
        if one.signal != EMOTION and not _is_value(one.label):
            raise AffuseError(f"{one.label!r} is no value of {one.signal} between -1 and 1")
        tiers[one.person, one.signal].append(one)
    for (person, signal), tier in tiers.items():
        tier.sort(key=lambda s: (s.start, s.end))
        for before, after in pairwise(tier):
            if after.start < before.end:
                raise AffuseError(f"two segments of {signal} of {person} overlap")


def _is_value(label: str) -> bool:
    """Whether a label is a value from -1 to 1, or says that nobody can tell."""
    if label == NOT_SURE:
        return True
    try:
        return -1 <= float(label) <= 1
    except ValueError:
        return False
