"""The table of clips that every corpus becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: Kind of rating (such as `audio`, `video`, `audio-visual`) -> class -> number of raters who chose
#: it; classes that nobody chose may be left out.
Votes = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Tracks:
    """Which tracks of a file are read, counted from 0 among those of their kind.

    Args:
        audio: Of the sound; None for the one that the file marks, or that has content.
        video: Of the images, likewise.
    """

    audio: int | None = None
    video: int | None = None


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip of a corpus.

    Args:
        id: Unique within the corpus.
        video: File with the images, or None.
        audio: File with the sound (may be the same file), or None.
        images: Folder of face images `00001.jpg`, ... numbered after the frames of the video;
            or a file with the face images of many clips, see `row`; or a `.npy` file with those
            of this clip, black where there is no face; or None.
        row: Which image of the file `images` is the clip, from 0.
        start: First second of the files that belongs to the clip.
        end: Last second, or None for the end of the files.
        tracks: Which tracks of the files are read, where the files are not to decide.
        speaker: Who is seen and heard; None when unknown.
        session: Which sitting it was recorded in, where clips of one share people or a room.
        recording: Which recording it is part of, where several clips show or cut one recording.
        partition: The publisher's own set: `train`, `validation` or `test`.
        label: Class name: what was acted, or what the publisher decided; None where there is none.
        votes: What raters chose.
        attributes: Mean ratings of the whole clip, such as valence, arousal and dominance.
        annotation: File with continuous valence and arousal, or None.
        sex: `female`, `male` or None.
        age: In years.
        race: The corpus' own word.
        ethnicity: The corpus' own word.
        intensity: The corpus' own word for the strength of the expression, or None.
        kind: The corpus' own word for the way of recording, such as `song` or `improvised`, or for
            the language that is spoken.
        corpus: Registry name, where clips of several corpora are together.
    """

    id: str
    video: Path | None = None
    audio: Path | None = None
    images: Path | None = None
    row: int | None = None
    start: float = 0.0
    end: float | None = None
    tracks: Tracks | None = None
    speaker: str | None = None
    session: str | None = None
    recording: str | None = None
    partition: str | None = None
    label: str | None = None
    votes: Votes | None = None
    attributes: Mapping[str, float] | None = None
    annotation: Path | None = None
    sex: str | None = None
    age: float | None = None
    race: str | None = None
    ethnicity: str | None = None
    intensity: str | None = None
    kind: str | None = None
    corpus: str | None = None


@dataclass(frozen=True)
class Corpus:
    """The clips found below a folder.

    Args:
        name: Registry name, such as `ravdess`.
        root: The folder.
        clips: Ordered by id.
        classes: Class names in the order of their index; for continuous valence and arousal the
            names of the dimensions.
        licence: Terms of the data; they travel with every store and model made from it.
        task: `classification` where clips have labels or votes, `valence-arousal` where they have
            continuous valence and arousal.
        left_out: Reason -> number of files that were seen and not used.
        bad: Clip id -> what its publisher or users know to be wrong with it; these clips are among
            `clips`.
        missing: What the publisher's list names and the folder lacks, and files whose content is
            not here, one line each.
        rows: Table of imported features that came with the corpus (one file), or None.
        arrays: Folder with arrays `<clip>/<name>.npy` that came instead of recordings, or None.
        notes: What was taken for the same in the table of a user, one line each.
    """

    name: str
    root: Path
    clips: Sequence[Clip]
    classes: tuple[str, ...]
    licence: str
    task: str = "classification"
    left_out: dict[str, int] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    rows: Path | None = None
    arrays: Path | None = None
    notes: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """One line: clips, speakers, what was left out."""
        speakers = {clip.speaker for clip in self.clips if clip.speaker is not None}
        text = f"{self.name}: {len(self.clips)} clips, {len(speakers)} speakers"
        if self.left_out:
            parts = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
            text += f" (left out: {parts})"
        return text
