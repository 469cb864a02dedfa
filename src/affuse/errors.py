"""Errors that a user can act on."""

from __future__ import annotations

from pathlib import Path


class AffuseError(Exception):
    """Something the user can put right; the command line prints it in one line, exit code 2."""


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
        return f"{self.path}: {self.reason}"


class Unusable(BadInput):
    """The sound or the pictures of a recording cannot be used; what else is in it can."""


class TooShort(Unusable):
    """There is too little of it; nothing is damaged."""
