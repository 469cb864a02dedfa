"""Errors that a user can act on, and how they and other words are printed."""

from __future__ import annotations

import os
import re
import sys
import traceback
import unicodedata
from pathlib import Path

#: Set to anything, it prints where an unexpected error comes from.
DEBUG = "AFFUSE_DEBUG"
_HARMLESS = re.compile(r"[\x20-\x7e\xa1-\xac\xae-\u02ff]*")
#: Controls, directions and other invisible formats, line ends, and bytes that are no UTF-8.
_HIDDEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
#: Formats that letters and emoji of some scripts are written with.
_JOINERS = "\u200c\u200d"


def shown(value: object) -> str:
    """Text in one line, without what a terminal, a page or a reader would take for commands.

    Control characters, bidirectional overrides and line ends are written as in a Python string
    (`\\x1b`, `\\u202e`, `\\n`), bytes of file names that are no UTF-8 as `\\xe9`.

    Args:
        value: Anything with a text, such as a path or the name of a class.
    """
    text = str(value)
    if _HARMLESS.fullmatch(text):
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _HIDDEN else c for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if character in _JOINERS:
        return character
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as Python keeps those that it cannot decode
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


class AffuseError(Exception):
    """Something the user can put right; the command line prints it in one line, exit code 2.

    Attributes:
        told: Whether another process of the same command prints it.
    """

    told: bool = False

    def __str__(self) -> str:
        return shown(super().__str__())


class BadInput(AffuseError):
    """A file or folder that cannot be used.

    Args:
        path: The file or folder as the user named it.
        reason: What is wrong with it, in a few words.
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        self.path = Path(path)
        self.reason = reason
        super().__init__(path, reason)  # both arguments, so that it survives pickling by workers

    def __str__(self) -> str:
        place = re.sub("^s3:/(?!/)", "s3://", str(self.path))  # as it was typed
        return shown(f"{place}: {self.reason}")


def reason_of(error: BaseException) -> str:
    """Why something failed, in one line: what the system says, or the kind of an unforeseen error.

    Args:
        error: Any exception. A file that an error of the operating system names comes first.
    """
    if isinstance(error, AffuseError):
        return str(error)
    if _lacks_memory(error):
        return "there is not enough memory for it"
    if (missing := _missing(error)) is not None:
        return missing
    if isinstance(error, UnicodeError):
        return shown(f"text that cannot be written or read ({error})")
    if isinstance(error, OSError):
        said = error.strerror or next(iter(str(error).splitlines()), "") or type(error).__name__
        return shown(said if error.filename is None else f"{_text(error.filename)}: {said}")
    said = next((line for line in str(error).splitlines() if line.strip()), "")
    return shown(f"{type(error).__name__}{': ' * bool(said)}{said}")


def is_defect(error: BaseException) -> bool:
    """Whether an error is none of the user, the system or the input that anybody foresaw."""
    foreseen = AffuseError, OSError, UnicodeError
    known = isinstance(error, foreseen) or _missing(error) is not None
    return not known and not _lacks_memory(error)


def line_of(error: BaseException, path: str | Path | None = None) -> str:
    """The line that is printed about an error.

    Where `AFFUSE_DEBUG` is set, the place in the code goes to the standard error before it.

    Args:
        error: Any exception.
        path: What was being done, where the error does not name it.
    """
    if os.environ.get(DEBUG):
        traceback.print_exception(error, file=sys.stderr)
    line = reason_of(error)
    if path is not None and not isinstance(error, BadInput):
        start = f"{shown(path)}: "
        line = start + line.removeprefix(start)
    if is_defect(error):
        line += f" (a defect in affuse; {DEBUG}=1 shows where)"
    return line


def _missing(error: BaseException) -> str | None:
    """How to install the package of an extra that is not there; None of any other error."""
    from affuse.extras import advice

    return advice(error.name or "") if isinstance(error, ModuleNotFoundError) else None


def _lacks_memory(error: BaseException) -> bool:
    """Whether it is a `MemoryError`, or what PyTorch, OpenCV or FFmpeg say instead."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == 12:
        return True
    words = str(error).casefold()
    said = ("not enough memory", "out of memory", "insufficient memory", "failed to allocate")
    return not isinstance(error, AffuseError) and any(word in words for word in said)


def _text(filename: object) -> str:
    return os.fsdecode(filename) if isinstance(filename, bytes) else str(filename)


class Unusable(BadInput):
    """The sound or the images of a recording cannot be used; what else is in it can."""


class TooShort(Unusable):
    """There is too little of it; nothing is damaged."""
