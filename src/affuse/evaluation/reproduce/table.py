"""What came out beside what was published, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affuse.evaluation.paper_tables import csv_table, markdown_table
from affuse.evaluation.reproduce.rows import Row, Score, load_rows
from affuse.execution.files import write_text

REHEARSAL = (
    "A REHEARSAL on a small synthetic corpus, with recipes cut down: it shows that all steps run; "
    "its numbers say nothing about the paper."
)


def list_table() -> list[dict[str, object]]:
    """All rows of the registry."""
    return [
        {
            "name": row.name,
            "paper": row.paper,
            "row": row.place,
            "published": ", ".join(
                f"{s.title} {_number(s.value) or 'not read'}" for s in row.scores
            ),
            "as published": _way(row, "published"),
            "default": _way(row, "default"),
            "not here": row.not_here,
        }
        for row in load_rows().values()
    ]


def _way(row: Row, way: str) -> str:
    if way not in row.ways:
        return ""
    recipe = row.recipe(way, row.scores[0])
    return f"{row.ways[way].recipe}, {recipe.protocol}"


def result_table(row: Row, results: Mapping[str, Any]) -> list[dict[str, object]]:
    """One row per score: published, ours in both ways, and 95 % intervals over speakers."""
    return [_line(score, results) for score in row.scores]


def _line(score: Score, results: Mapping[str, Any]) -> dict[str, object]:
    cells: dict[str, object] = {"score": score.title, "paper": _number(score.value) or "not read"}
    for way, title in (("published", "ours as published"), ("default", "ours by default")):
        found = results["ways"].get(way, {}).get(score.title, {})
        bounds = found.get("interval_95")
        cells[title] = _number(found.get("value"))
        cells[f"{title}, 95 %"] = f"{bounds[0]:.3f} to {bounds[1]:.3f}" if bounds else ""
    cells["data"] = "synthetic (rehearsal)" if results["rehearsal"] else _data(results)
    return cells


def _data(results: Mapping[str, Any]) -> str:
    """The corpus, and the folds where they are not all."""
    folds = results["folds"]
    only = f", fold {', '.join(map(str, folds))} only" if folds else ""
    return f"{results['row']['corpus']}{only}"


def remarks(row: Row, results: Mapping[str, Any]) -> list[str]:
    """What has to be read with the table."""
    lines = [REHEARSAL] if results["rehearsal"] else []
    if results["changes"]:
        lines.append(f"changed in both recipes: {' '.join(results['changes'])}")
    lines += [f"deviation: {text}" for text in row.deviations]
    for way, scores in results["ways"].items():
        for one in {(s["recipe"], s["protocol"], s["role"]): s for s in scores.values()}.values():
            lines.append(f"{way}: {one['recipe']}, {one['protocol']}, {one['role']} clips")
    return lines


def write_results(out: Path, row: Row, results: Mapping[str, Any]) -> None:
    """`results.csv` and `results.md` beside `results.json`."""
    rows = result_table(row, results)
    title = f"# {row.name}\n\n{row.paper}: {row.place}. Values of the paper: {row.source}.\n\n"
    notes = "".join(f"- {line}\n" for line in remarks(row, results))
    write_text(out / "results.csv", csv_table(rows))
    write_text(out / "results.md", f"{title}{markdown_table(rows)}\n{notes}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
