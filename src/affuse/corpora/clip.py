"""The table of clips that every corpus becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip of a corpus.

    Args:
        id: Unique within the corpus.
        video: File with the pictures, or None.
        audio: File with the sound (may be the same file), or None.
        start: First second of the files that belongs to the clip.
        end: Last second, or None for the end of the files.
        speaker: Who is seen and heard; None when unknown.
        label: Class name, or None.
        sex: `female`, `male` or None.
        intensity: The corpus' own word for the strength of the expression, or None.
    """

    id: str
    video: Path | None = None
    audio: Path | None = None
    start: float = 0.0
    end: float | None = None
    speaker: str | None = None
    label: str | None = None
    sex: str | None = None
    intensity: str | None = None


#: Columns of a table of clips, in order.
CLIP_COLUMNS = tuple(field.name for field in fields(Clip))


@dataclass(frozen=True)
class Corpus:
    """The clips found below a folder.

    Args:
        name: Registry name, such as `ravdess`.
        root: The folder.
        clips: Ordered by id.
        classes: Class names in the order of their index.
        licence: Terms of the data; they travel with every store and model made from it.
        left_out: Reason -> number of files that were seen and not used.
        rows: Table of imported features that came with the corpus (one file), or None.
    """

    name: str
    root: Path
    clips: Sequence[Clip]
    classes: tuple[str, ...]
    licence: str
    left_out: dict[str, int] = field(default_factory=dict)
    rows: Path | None = None

    def summary(self) -> str:
        """One line: clips, speakers, what was left out."""
        speakers = {clip.speaker for clip in self.clips if clip.speaker is not None}
        text = f"{self.name}: {len(self.clips)} clips, {len(speakers)} speakers"
        if self.left_out:
            parts = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
            text += f" (left out: {parts})"
        return text


def clip_row(clip: Clip, root: Path) -> list[Any]:
    """A clip as a CSV row of `CLIP_COLUMNS`, files below `root` relative to it."""

    def cell(value: Any) -> Any:
        if isinstance(value, Path):
            return value.relative_to(root) if value.is_relative_to(root) else value
        return "" if value is None else value

    return [cell(getattr(clip, name)) for name in CLIP_COLUMNS]
