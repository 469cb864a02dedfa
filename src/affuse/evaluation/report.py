"""One HTML page that compares runs, with their confusion matrices."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from affuse.errors import AffuseError
from affuse.evaluation.conditions import CONDITIONS
from affuse.execution.files import write_text
from affuse.tasks.plots import confusion_png


def write_report(results: Mapping[str, Mapping[str, Any]], path: Path, pages: list[Path]) -> None:
    """Write a self-contained page: scores per condition, per class, and confusion matrices.

    Args:
        results: Name of a model -> what `evaluate` returned for it.
        path: The HTML file.
        pages: HTML pages to link to, such as timelines, relative to the page where they lie below.

    Raises:
        AffuseError: More was known of the speakers in one than in another.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    if len(kinds := {str(result["baseline"]) for result in results.values()}) > 1:
        raise AffuseError(f"results of different baselines: {', '.join(sorted(kinds))}")
    first = next(iter(results.values()))["conditions"]
    pictures = {
        name: {
            condition: _inline(np.array(scores["confusion"]), scores["classes"], condition)
            for condition, scores in result["conditions"].items()
        }
        for name, result in results.items()
    }
    links = [
        (page.stem, page.relative_to(path.parent) if page.is_relative_to(path.parent) else page)
        for page in pages
    ]
    write_text(
        path,
        environment.get_template("report.html").render(
            results=results,
            baseline=kinds.pop(),
            conditions={name: CONDITIONS[name].describe() for name in first},
            clips=next(iter(first.values()))["clips"],
            speakers=next(iter(first.values()))["speakers"],
            classes=next(iter(first.values()))["classes"],
            pictures=pictures,
            links=links,
        ),
    )


def _inline(confusion: np.ndarray, classes: list[str], title: str) -> str:
    """A confusion matrix as base64 PNG."""
    return base64.b64encode(confusion_png(confusion, classes, title)).decode()
