"""`--source` and `--rate`, for the verbs that read imported streams."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from affuse.features.catalogue import Rated
    from affuse.features.stream import StreamSpec


def add_source(parser: argparse.ArgumentParser) -> None:
    """The arguments, which may be repeated."""
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="[STREAM=]PATH",
        help="file or folder that imported streams are read from; STREAM= names the one stream "
        "that it is for, and may be given once for each",
    )
    parser.add_argument(
        "--rate",
        action="append",
        default=[],
        metavar="[STREAM=]HZ",
        help="rows per second of your own streams, such as video/imported-clip=25 (0: one row per "
        "clip); predict takes it from the model",
    )


def read_sources(words: Sequence[str], rates: Sequence[str] = ()) -> dict[str, Path | Rated]:
    """What `--source` and `--rate` said, as imported stream or pattern of streams -> source.

    Args:
        words: `PATH`, for all imported streams that are not named, or `STREAM=PATH`. A word with
            an equals sign is a path where there is a file or folder of that name.
        rates: `HZ`, for all streams with a declared rate that are not named, or `STREAM=HZ`.

    Raises:
        AffuseError: A stream that does not exist, is computed, or has two sources or rates; a rate
            that is no number.
    """
    from affuse.errors import AffuseError
    from affuse.features.catalogue import Rated, imported_streams, needs_rate, source_of

    known = imported_streams()
    paths = _by_stream("source", "path", "imported stream", words, known)
    shared = dict.fromkeys(known, Path(paths[None])) if None in paths else {}
    sources: dict[str, Path | Rated] = {
        **shared,
        **{name: Path(path) for name, path in paths.items() if name is not None},
    }
    own = [name for name in known if needs_rate(name)]
    said = _by_stream("rate", "number", "stream of your own", rates, own)
    hertz: dict[str | None, float] = {}
    for stream, text in said.items():
        try:
            hertz[stream] = float(text)
        except ValueError:
            raise AffuseError(f"--rate: {text!r} is no number of rows per second") from None
    rated: dict[str, Path | Rated] = {}
    for name in (*sources, *filter(None, hertz)):
        path, rate = source_of(name, sources), hertz.get(name, hertz.get(None))
        if path is not None and rate is not None and needs_rate(name):
            rated[name] = Rated(path, rate)
    return sources | rated


def with_trained_rates(
    sources: Mapping[str, Path | Rated], specs: Mapping[str, StreamSpec]
) -> dict[str, Path | Rated]:
    """Sources with the rates that a model was trained at where none was declared."""
    from affuse.features.catalogue import Rated, needs_rate, rate_of, source_of

    trained: dict[str, Path | Rated] = {}
    for name, spec in specs.items():
        path = source_of(name, sources)
        if path is not None and needs_rate(name) and rate_of(name, sources) is None:
            trained[name] = Rated(path, spec.rate)
    return {**sources, **trained}


def _by_stream(
    what: str, value: str, kind: str, words: Sequence[str], known: Collection[str]
) -> dict[str | None, str]:
    """Words `VALUE` or `STREAM=VALUE` as stream -> value; None stands for what is not named."""
    from affuse.errors import AffuseError
    from affuse.features.catalogue import pattern_of
    from affuse.suggestions import hint

    given: dict[str | None, str] = {}
    for word in words:
        stream: str | None
        stream, equals, text = word.partition("=")
        if not equals or Path(word).exists():
            stream, text = None, word
        elif pattern_of(stream) not in known:
            raise AffuseError(
                f"--{what} {word}: no {kind} named {stream!r}; "
                f"{hint(stream, known, 'affuse list streams')}"
            )
        elif not text:
            raise AffuseError(f"--{what} {word}: no {value}")
        if stream in given:
            raise AffuseError(
                f"--{what} {word}: {stream or 'what is not named'} has a {what} already, "
                f"{given[stream]}"
            )
        given[stream] = text
    return given
