"""Standard output and error that any name can be written to."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from affuse.errors import AffuseError, shown

_WORDS = re.compile(r"[^\n\t]+")


class Printable:
    """A text stream that writes no control characters, whoever prints them.

    Args:
        stream: Where the text goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write text as `shown` has it, but tabs and line ends; returns its length.

        Raises:
            AffuseError: The stream takes nothing more, as on a full disk.
        """
        with self._named():
            self.stream.write(_WORDS.sub(lambda words: shown(words[0]), text))
        return len(text)

    def flush(self) -> None:
        """Hand on what was written; raises as `write` does."""
        with self._named():
            self.stream.flush()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:  # whoever read it went away
            raise
        except OSError as error:
            name = {"<stdout>": "standard output"}.get(self.stream.name, "standard error")
            raise AffuseError(f"{name}: {error.strerror}") from error

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def printable() -> Iterator[None]:
    """Within the block any text can be printed, whatever the terminal understands.

    What its encoding lacks is written as `\\u263a`.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = map(_wrapped, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _wrapped(stream: Any) -> Any:
    """A stream that is closed is None, and stays so."""
    return stream if stream is None or isinstance(stream, Printable) else Printable(stream)


def bar_stream() -> Any:
    """The standard error as bars are drawn on it: with control characters."""
    stream: Any = sys.stderr
    while isinstance(stream, Printable):
        stream = stream.stream
    return stream
