"""What `affuse predict --resume` goes on from."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from affuse.inference.done import Outcome, Records

#: Options that change what is written about a recording.
_ASKED = (
    *("hop", "windows", "smoothing", "low_quality", "people", "voice", "overlay", "formats"),
    *("explain", "stretch", "audio_track", "video_track"),
)


def records_of(options: argparse.Namespace, inputs: Iterable[Path]) -> Records:
    """Where it is kept what was done, and with which model and options."""
    from importlib.metadata import version

    from affuse.inference.done import Records, asked

    told = {name: getattr(options, name) for name in _ASKED}
    known_by = [*options.baseline, *(inputs if options.same_person else ())]
    return Records(
        options.out, asked(version("affuse"), options.model, told, options.source, known_by)
    )


def done_before(records: Records, names: Mapping[Path, Path]) -> dict[Path, Outcome]:
    """What was done with the same model and options; says how many are."""
    done = {path: kept for path, name in names.items() if (kept := records.kept(path, name))}
    again = sum(name in records for path, name in names.items() if path not in done)
    said = f"{len(done):,} of {len(names):,} done before"
    if again:
        said += f"; {again:,} done again: the model, an option, the recording or a file changed"
    print(f"affuse predict: {said}", file=sys.stderr)
    return done
