"""The files of a timeline: CSV, JSON, PNG, one self-contained HTML page, and a video."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from affuse.errors import BadInput, shown
from affuse.execution.files import write_text
from affuse.execution.together import together, written
from affuse.inference.inputs import OVERLAY
from affuse.inference.overlay import write_overlay
from affuse.inference.page import timeline_page
from affuse.inference.plot import plot_timeline
from affuse.media.probe import probe
from affuse.tasks.prediction import Prediction

_ENDINGS = (".csv", ".png", ".html", ".json")


def write_timeline(timeline: Prediction, folder: Path, name: str, overlay: bool = False) -> None:
    """Write `name.csv`, `.json`, `.png` and `.html` into a folder, all of them or none.

    Args:
        timeline: What is written.
        folder: Made where there is none.
        name: Of the files, without a suffix.
        overlay: Whether also `name-overlay.mp4`, of a recording with pictures.

    Raises:
        BadInput: A file cannot be written, or is there and is not of the same recording.
    """
    writers: dict[str, Callable[[Path], None]] = {
        ".csv": timeline.write_csv,
        ".png": lambda path: plot_timeline(timeline, path),
        ".html": lambda path: write_text(path, timeline_page(timeline)),
        ".json": lambda path: timeline.write_json(path, folder),
    }
    if overlay and probe(timeline.source).has_video:
        writers[OVERLAY] = lambda path: write_overlay(timeline, path)
    check_free(timeline.source, folder, name)
    with together(folder) as place:
        for ending, write in writers.items():
            path = place(f"{name}{ending}")
            with written(folder / f"{name}{ending}", path):
                write(path)


def check_free(source: Path, folder: Path, name: str) -> None:
    """Refuse to write over files that are not an earlier timeline of the same recording.

    Args:
        source: The recording.
        folder: Where the files go.
        name: Of the files, without a suffix.

    Raises:
        BadInput: One of them is there, and is of another recording or no timeline.
    """
    there = [path for ending in _ENDINGS if (path := folder / f"{name}{ending}").exists()]
    if not there or _is_of(source, folder / f"{name}.json"):
        return
    raise BadInput(
        there[0], f"is there already and is no timeline of {shown(source)}; name another --out"
    )


def _is_of(source: Path, path: Path) -> bool:
    """Whether a JSON file is the timeline of a recording."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts["presence"], dict):
            return False
        if "path" not in facts:  # written by an older version
            return bool(facts["source"] == source.name)
        return (path.parent / facts["path"]).resolve() == source.resolve()
    except (OSError, ValueError, KeyError, TypeError):
        return False
