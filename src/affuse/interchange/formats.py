"""The annotation formats by name and by the ends of their files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from affuse.errors import BadInput
from affuse.interchange.audacity import read_labels, write_labels
from affuse.interchange.boris import read_events, read_project, write_events
from affuse.interchange.elan import read_eaf, write_eaf
from affuse.interchange.segments import Coding
from affuse.interchange.textgrid import read_textgrid, write_textgrid
from affuse.interchange.webvtt import read_vtt, write_vtt


@dataclass(frozen=True)
class Format:
    """A format that is written.

    Args:
        ending: Of its files.
        write: Takes the path and the coding.
        program: Whose it is.
    """

    ending: str
    write: Callable[[Path, Coding], None]
    program: str

    @property
    def suffix(self) -> str:
        """The last part of the ending, by which a file is known, in small letters."""
        return f".{self.ending.rpartition('.')[2].lower()}"


FORMATS = {
    "eaf": Format(".eaf", write_eaf, "ELAN"),
    "textgrid": Format(".TextGrid", write_textgrid, "Praat"),
    "boris": Format(".boris.tsv", write_events, "BORIS"),
    "vtt": Format(".vtt", write_vtt, "subtitles in video players and browsers"),
    "audacity": Format(".labels.txt", write_labels, "Audacity"),
}
#: End of a file in small letters -> its reader.
_READERS: dict[str, Callable[[Path], Coding]] = {
    ".eaf": read_eaf,
    ".textgrid": read_textgrid,
    ".tsv": read_events,
    ".vtt": read_vtt,
    ".txt": read_labels,
}
PROJECT = ".boris"
#: Ends of files that `read_coding` reads.
READABLE = (*_READERS, PROJECT)


def read_coding(path: Path, media: str = "") -> Coding:
    """Read the labels of a recording, in the format that the end of the file's name tells.

    Args:
        path: `.eaf` (ELAN), `.TextGrid` (Praat), `.boris` or `.tsv` (BORIS), `.vtt` (WebVTT), or
            `.txt` (Audacity).
        media: File name of the recording, for files that hold several.

    Raises:
        BadInput: It is none of these, or cannot be used.
    """
    ending = path.suffix.lower()
    read = partial(read_project, media=media) if ending == PROJECT else _READERS.get(ending)
    if read is None:
        raise BadInput(path, f"is no file of labels by its name ({', '.join(READABLE)})")
    return read(path)


def write_coding(path: Path, coding: Coding) -> None:
    """Write the labels of a recording, in the format that the end of the file's name tells.

    Args:
        path: `.eaf`, `.TextGrid`, `.tsv` (BORIS), `.vtt`, or `.txt` (Audacity).
        coding: What is written.

    Raises:
        BadInput: It is none of these.
        ValueError: Segments overlap that cannot in this format.
    """
    for one in FORMATS.values():
        if path.suffix.lower() == one.suffix:
            one.write(path, coding)
            return
    ends = ", ".join(one.suffix for one in FORMATS.values())
    raise BadInput(path, f"name a file that ends in one of {ends}")
