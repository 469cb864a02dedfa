"""What timelines can do with themselves: be drawn, saved, and shown in a notebook."""

from __future__ import annotations

import html
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from affuse.errors import BadInput
from affuse.execution.figures import plain_figures
from affuse.execution.files import write_text
from affuse.execution.together import together, written
from affuse.inference.coding import coding_of
from affuse.inference.output import check_same, write_timeline
from affuse.inference.overlay import write_overlay
from affuse.inference.page import timeline_page
from affuse.inference.plot import draw_curves, figure_of, plot_timeline
from affuse.interchange.formats import FORMATS, write_coding
from affuse.media.data_uri import data_uri
from affuse.tasks.prediction import Prediction

#: Suffix -> writer of files that are written again without asking.
_WRITERS: dict[str, Callable[[Prediction, Path], None]] = {
    ".csv": lambda timeline, path: timeline.write_csv(path),
    ".json": lambda timeline, path: timeline.write_json(path),
    ".html": lambda timeline, path: write_text(path, timeline_page(timeline)),
    **dict.fromkeys((".png", ".svg", ".pdf"), plot_timeline),
    ".mp4": lambda timeline, path: write_overlay([timeline], path),
}
#: Suffixes of annotation programs, in small letters.
_ANNOTATIONS = {one.suffix for one in FORMATS.values()}


def draw(timeline: Prediction, axes: Any = None) -> Any:
    """The figure of a timeline; see `Prediction.plot`."""
    with plain_figures():
        if axes is None:
            return figure_of(timeline)
        draw_curves(timeline, axes)
        return axes.figure


def save(timeline: Prediction, path: Path) -> None:
    """Write a timeline; see `Prediction.save`."""
    suffix = path.suffix.lower()
    if path.is_dir() or not suffix:
        write_timeline(timeline, path, timeline.source.stem)
    elif suffix in _WRITERS:
        _WRITERS[suffix](timeline, path)
    elif suffix in _ANNOTATIONS:
        with together(path.parent) as place:
            fresh = place(path.name)
            with written(path, fresh):
                write_coding(fresh, coding_of([timeline]))
            check_same(path, fresh)
    else:
        ends = ", ".join([*_WRITERS, *(one.suffix for one in FORMATS.values())])
        raise BadInput(path, f"name a folder, or a file that ends in one of {ends}")


def image_tag(timeline: Prediction) -> str:
    """The figure as HTML."""
    data = io.BytesIO()
    with plain_figures():
        figure_of(timeline).savefig(data, dpi=80, format="png")
    text = html.escape(f"{timeline.title}: {timeline.headline}")
    return f'<img alt="{text}" src="{data_uri("image/png", data.getvalue())}">'
