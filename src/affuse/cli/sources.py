"""`--source`, for the verbs that read imported streams."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def add_source(parser: argparse.ArgumentParser) -> None:
    """The argument, which may be repeated."""
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="[STREAM=]PATH",
        help="file or folder that imported streams are read from; STREAM= names the one stream "
        "that it is for, and may be given once for each",
    )


def read_sources(words: Sequence[str]) -> dict[str, Path]:
    """What `--source` said, as imported stream -> path.

    Args:
        words: `PATH`, for all imported streams that are not named, or `STREAM=PATH`. A word with
            an equals sign is a path where there is a file or folder of that name.

    Raises:
        AffuseError: A stream that does not exist, is computed, or has two sources.
    """
    from affuse.errors import AffuseError
    from affuse.features.catalogue import imported_streams

    known = imported_streams()
    given: dict[str | None, Path] = {}
    for word in words:
        stream: str | None
        stream, equals, path = word.partition("=")
        if not equals or Path(word).exists():
            stream, path = None, word
        elif stream not in known:
            raise AffuseError(
                f"--source {word}: no imported stream {stream!r} (there are: {', '.join(known)})"
            )
        elif not path:
            raise AffuseError(f"--source {word}: no path")
        if stream in given:
            raise AffuseError(
                f"--source {word}: {stream or 'what is not named'} has a source already, "
                f"{given[stream]}"
            )
        given[stream] = Path(path)
    shared = dict.fromkeys(known, given[None]) if None in given else {}
    return shared | {name: path for name, path in given.items() if name is not None}
