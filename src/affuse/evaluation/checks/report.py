"""What checks found as files: JSON, a table and one HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affuse.evaluation.checks.outcome import Unit, written
from affuse.execution.files import write_csv, write_json, write_text

_COLUMNS = ("name", "group", "question", "verdict", "measured", "best", "limit", "unit")
_TEXTS = ("said", "why", "reason")
#: Which values pass, in words.
_RELATIONS = {"max": "at least", "above": "above", "min": "at most"}
#: Verdict -> how the page shows it.
_BADGES = {"pass": "pass", "FAIL": "fail", "not applicable": "none"}


def write_results(out: Path, result: Mapping[str, Any]) -> None:
    """Write `check-model.json`, `check-model.csv` and `check-model.html`.

    Args:
        out: Folder.
        result: What `check_model` returned.
    """
    write_json(out / "check-model.json", result)
    header = [*_COLUMNS, *_TEXTS]
    rows = [["" if row[k] is None else row[k] for k in header] for row in result["checks"]]
    write_csv(out / "check-model.csv", header, rows)
    write_text(out / "check-model.html", page_of(result))


def page_of(result: Mapping[str, Any]) -> str:
    """A page that needs nothing else.

    Args:
        result: What `check_model` returned.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in result["checks"]:
        shown = row | {
            "badge": _BADGES[row["verdict"]],
            "measured": measured_of(row),
            "limit": limit_of(row),
            "bars": _bars(row) if len(row["bars"]) > 1 else [],
        }
        groups.setdefault(row["group"], []).append(shown)
    text: str = environment.get_template("page.html").render(result=result, groups=groups)
    return text


def limit_of(row: Mapping[str, Any]) -> str:
    """The limit of a row in words; empty where it has none."""
    if row["limit"] is None:
        return ""
    return f"{_RELATIONS[row['best']]} {written(row['limit'], row['unit'])}"


def measured_of(row: Mapping[str, Any]) -> str:
    """What was measured, in its unit; empty where nothing was."""
    return "" if row["measured"] is None else written(row["measured"], row["unit"])


def _bars(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Parts of a row as bars: the left edge, width and limit of each in percent of the figure."""
    unit: Unit = row["unit"] or "value"
    values = [bar["value"] for bar in row["bars"]]
    marks = [_mark(bar) for bar in row["bars"]]
    whole = [1.0] if unit == "share" else [row["limit"] or 0.0]
    low = min([0.0, *values, *(x for x in marks if x is not None)])
    high = max([1e-9, *values, *(x for x in marks if x is not None), *whole])

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    return [
        {
            "name": bar["name"],
            "text": written(bar["value"], unit).removesuffix(" points"),
            "left": place(min(bar["value"], 0.0)),
            "width": max(place(max(bar["value"], 0.0)) - place(min(bar["value"], 0.0)), 0.4),
            "limit": None if mark is None else place(mark),
        }
        for bar, mark in zip(row["bars"], marks, strict=True)
    ]


def _mark(bar: Mapping[str, Any]) -> float | None:
    """The limit of a part on its side of zero."""
    limit: float | None = bar["limit"]
    return limit if limit is None or bar["value"] >= 0 else -abs(limit)
