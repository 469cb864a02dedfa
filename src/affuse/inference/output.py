"""The files of a timeline: CSV, JSON, PNG, one self-contained HTML page, and what is asked for."""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from affuse.errors import AffuseError, BadInput, shown
from affuse.execution.files import write_text
from affuse.execution.together import together, written
from affuse.inference.attribution.files import write_explanation_csv, write_explanation_json
from affuse.inference.coding import coding_of
from affuse.inference.inputs import EXPLAINED, OVERLAY
from affuse.inference.overlay import write_overlay
from affuse.inference.page import timeline_page
from affuse.inference.plot import plot_timeline
from affuse.inference.tidy import write_tidy
from affuse.interchange.formats import FORMATS
from affuse.media.probe import probe
from affuse.suggestions import hint
from affuse.tasks.prediction import Prediction

_ENDINGS = (".csv", ".png", ".html", ".json")
#: What `formats` may name: annotation formats, and a table of all people.
TIDY = "tidy"
MORE_FORMATS = (*FORMATS, TIDY)


def formats_of(text: str) -> tuple[str, ...]:
    """The formats that are named, with commas between them.

    Raises:
        AffuseError: There is none of that name.
    """
    words = tuple(text.lower().split(","))
    if wrong := [word for word in words if word not in MORE_FORMATS]:
        raise AffuseError(f"no format {wrong[0]!r}; {hint(wrong[0], MORE_FORMATS)}")
    return words


def write_people(
    timelines: Sequence[Prediction],
    folder: Path,
    name: str,
    overlay: bool = False,
    formats: Collection[str] = (),
) -> list[str]:
    """Write the timelines of a recording's people into a folder, all of them or none.

    Those of the main person are `name.csv`, `.json`, `.png` and `.html`, those of the second
    `name-person2.csv` and so on. Files of people whom an earlier call found and this one does not
    are removed.

    Args:
        timelines: The main person's first.
        folder: Made where there is none.
        name: Of the files, without a suffix.
        overlay: Whether also `name-overlay.mp4`, of a recording with images.
        formats: Of `MORE_FORMATS`; each is one file with all people.

    Returns:
        The names of the files.

    Raises:
        BadInput: A file cannot be written, or is there and is not of the same recording; or one of
            an annotation format is there and differs, for somebody may have corrected it.
    """
    source = timelines[0].source
    writers: dict[str, Callable[[Path], None]] = {}
    for timeline in timelines:
        own = name_of(name, timeline.person)
        check_free(source, folder, own)
        if timeline.explanation:
            check_free(source, folder, f"{own}{EXPLAINED}")
        writers |= {f"{own}{end}": write for end, write in _writers(timeline, folder).items()}
    if overlay:
        timelines[0].check_file()
    if overlay and probe(source).has_video:
        writers[f"{name}{OVERLAY}"] = lambda path: write_overlay(timelines, path)
    if TIDY in formats:
        writers[f"{name}.tidy.csv"] = lambda path: write_tidy(path, timelines)
    coding = coding_of(timelines)
    annotations = [one for word, one in FORMATS.items() if word in formats]
    with together(folder) as place:
        for file, write in writers.items():
            path = place(file)
            with written(folder / file, path):
                write(path)
        for one in annotations:
            path, final = place(f"{name}{one.ending}"), folder / f"{name}{one.ending}"
            with written(final, path):
                one.write(path, coding)
            check_same(final, path)
    _remove_others(source, folder, name, writers)
    return [*writers, *(f"{name}{one.ending}" for one in annotations)]


def check_same(path: Path, fresh: Path) -> None:
    """Refuse to replace an annotation file by another one."""
    if path.exists() and not (path.is_file() and path.read_bytes() == fresh.read_bytes()):
        raise BadInput(
            path,
            "is there already and differs from what would be written; it may hold corrections: "
            "move it, or name another --out",
        )


def write_timeline(timeline: Prediction, folder: Path, name: str, overlay: bool = False) -> None:
    """Write the timeline of one person; see `write_people`."""
    write_people([timeline], folder, name, overlay)


def name_of(name: str, person: int) -> str:
    """The name of the files of a person, without a suffix."""
    return name if person == 1 else f"{name}-person{person}"


def _writers(timeline: Prediction, folder: Path) -> dict[str, Callable[[Path], None]]:
    writers: dict[str, Callable[[Path], None]] = {
        ".csv": timeline.write_csv,
        ".png": lambda path: plot_timeline(timeline, path),
        ".html": lambda path: write_text(path, timeline_page(timeline)),
        ".json": lambda path: timeline.write_json(path, folder),
    }
    if timeline.explanation:
        writers |= {
            f"{EXPLAINED}.csv": lambda path: write_explanation_csv(timeline, path),
            f"{EXPLAINED}.json": lambda path: write_explanation_json(timeline, path, folder),
        }
    return writers


def _remove_others(source: Path, folder: Path, name: str, kept: Collection[str]) -> None:
    """Remove the files of people of the same recording who are not among those kept.

    Also the explanations that were of an earlier prediction.
    """
    for path in sorted(folder.glob(f"{glob.escape(name)}-person*.json")):
        own = path.stem
        number = own.removeprefix(f"{name}-person")
        if path.name not in kept and number.isdecimal() and _is_of(source, path):
            for ending in _ENDINGS:
                (folder / f"{own}{ending}").unlink(missing_ok=True)
    for path in sorted(folder.glob(f"{glob.escape(name)}*{EXPLAINED}.json")):
        own = path.stem.removesuffix(EXPLAINED)
        number = own.removeprefix(f"{name}-person")
        if path.name in kept or not (own == name or number.isdecimal()) or not _is_of(source, path):
            continue
        for ending in (".csv", ".json"):
            path.with_suffix(ending).unlink(missing_ok=True)


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
    """Whether a JSON file is the timeline of a recording, or the explanation of one."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts.get("presence", facts.get("moments")), dict):
            return False
        if "path" not in facts:  # written by an older version
            return bool(facts["source"] == source.name)
        return (path.parent / facts["path"]).resolve() == source.resolve()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
