"""Options for which tracks of a recording are read."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from affuse.corpora.clip import Tracks


def add_tracks(parser: argparse.ArgumentParser) -> None:
    """`--audio-track` and `--video-track`."""
    for kind, name in (("audio", "sound"), ("video", "images")):
        parser.add_argument(
            f"--{kind}-track",
            type=_number,
            metavar="N",
            help=f"track of {name} to read, from 0 (default: the one that the file marks, or the "
            "first with content)",
        )


def chosen_tracks(options: argparse.Namespace) -> Tracks:
    """The tracks that were asked for."""
    from affuse.corpora.clip import Tracks

    return Tracks(options.audio_track, options.video_track)


def _number(word: str) -> int:
    if not (word.isascii() and word.isdecimal()):
        raise argparse.ArgumentTypeError(f"{word!r} is not the number of a track: 0, 1 ...")
    return int(word)
