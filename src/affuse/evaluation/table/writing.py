"""A table as text: cells, marks, and the line that explains them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affuse.evaluation.paper_tables import write_paper_table
from affuse.evaluation.table.shift import heat_map
from affuse.execution.files import atomic_path, write_json
from affuse.metrics.power import LEVEL

#: In front of a cell's interval: significantly better or worse than the row compared with.
BETTER, WORSE = "*", "†"
#: What a row does not have.
DASH = "–"
_FORMATS = ("csv", "md", "tex")


def write_table(out: Path, result: Mapping[str, Any]) -> None:
    """Write `table.csv`, `table.md`, `table.tex`, `table.json`, and `shift.png` of corpora.

    Args:
        out: Folder.
        result: Of `make_table`.
    """
    for suffix in _FORMATS:
        write_paper_table(text_rows(result), out / f"table.{suffix}", caption(result))
    write_json(out / "table.json", result)
    if "mean_of_others" in result:
        with atomic_path(out / "shift.png") as path:
            path.write_bytes(heat_map(result))


def text_rows(result: Mapping[str, Any]) -> list[dict[str, object]]:
    """The rows as text, heading -> cell."""
    return [
        {
            "row": row["name"],
            **{c["heading"]: _text(row["cells"][c["heading"]], c) for c in result["columns"]},
        }
        for row in result["rows"]
    ]


def caption(result: Mapping[str, Any]) -> str:
    """What the table is called, and what its cells mean."""
    cells = [cell for row in result["rows"] for cell in row["cells"].values()]
    seeds = f"seed{'s' * (len(result['seeds']) > 1)} {', '.join(map(str, result['seeds']))}"
    several = any(cell.get("deviation") is not None for cell in cells)
    lines = [result["name"].rstrip(".")]
    if "mean_of_others" in result:
        lines.append(
            "Rows: trained on; columns: tested on, at home on speakers held out, elsewhere by the "
            "model of every fold"
        )
    if several:
        lines.append(
            f"Mean over trainings ({seeds}) [95 % interval over speakers] ± standard "
            "deviation over trainings"
        )
    elif any("interval_95" in cell for cell in cells):
        lines.append("[95 % interval over speakers]")
    if any("against" in cell for cell in cells):
        lines.append(
            f"{BETTER} better, {WORSE} worse than {result['against']} (permutation test over "
            f"speakers, Holm over rows, p ≤ {LEVEL})"
        )
    if any("missing" in cell for cell in cells):
        lines.append(f"{DASH} the row does not have it")
    return ". ".join(lines) + "."


def _text(cell: Mapping[str, Any], column: Mapping[str, Any]) -> str:
    value = cell.get("value")
    if value is None:
        return DASH
    if "interval_95" not in cell:
        return f"{value:,.0f}"
    text = f"{value:.3f}{mark(cell, column['best'])}"
    low, high = cell["interval_95"]
    text += "" if low is None else f" [{low:.3f}, {high:.3f}]"
    return text + ("" if cell["deviation"] is None else f" ±{cell['deviation']:.3f}")


def mark(cell: Mapping[str, Any], best: str) -> str:
    """Whether a cell is significantly better or worse than the row that it is compared with."""
    p = cell.get("against", {}).get("p_holm")
    if p is None or p > LEVEL:
        return ""
    return BETTER if (cell["against"]["difference"] > 0) == (best == "max") else WORSE


def notes(result: Mapping[str, Any]) -> list[str]:
    """Why cells are empty or without a mark, a line each."""
    found = []
    for row in result["rows"]:
        reasons: dict[str, list[str]] = {}
        for heading, cell in row["cells"].items():
            compared = cell.get("against", {}).get("missing")
            reason = cell.get("missing") or (compared and f"not compared: {compared}")
            if reason and reason != "failed":
                reasons.setdefault(reason, []).append(heading)
        found += [f"{row['name']}: {reason} ({'; '.join(x)})" for reason, x in reasons.items()]
    return found
