"""The files of a timeline: CSV, JSON, PNG and one self-contained HTML page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from affuse.execution.files import write_text
from affuse.inference.page import timeline_page
from affuse.inference.plot import plot_timeline
from affuse.inference.timeline import Timeline
from affuse.inference.values import ValuesTimeline


def output_names(inputs: Sequence[Path]) -> dict[Path, str]:
    """File names without suffix, one per input; inputs of one stem keep their suffix apart."""
    stems = Counter(path.stem for path in set(inputs))
    names: dict[Path, str] = {}
    for path in inputs:
        name = path.stem if stems[path.stem] == 1 else path.name.replace(".", "_")
        if path not in names:
            while name in names.values():
                name += "_"
            names[path] = name
    return names


def write_timeline(timeline: Timeline | ValuesTimeline, folder: Path, name: str) -> None:
    """Write `name.csv`, `.json`, `.png` and `.html` into a folder, each whole or not at all."""
    timeline.write_csv(folder / f"{name}.csv")
    plot_timeline(timeline, folder / f"{name}.png")
    write_text(folder / f"{name}.html", timeline_page(timeline))
    timeline.write_json(folder / f"{name}.json")
