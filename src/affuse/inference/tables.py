"""The tables of many recordings: a summary of all people, and what could not be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from affuse.errors import BadInput
from affuse.execution.files import write_csv

#: Column -> cell.
Row = dict[str, str]

SUMMARY, FAILURES = "summary.csv", "failures.csv"
_FIRST = ["recording", "timeline", "person"]
_FAILED = ["recording", "reason"]


def check_tables(out: Path) -> None:
    """Refuse an output folder in which something else has the name of a table.

    Raises:
        BadInput: There is such a file.
    """
    for name, header in ((SUMMARY, _FIRST), (FAILURES, _FAILED)):
        path = out / name
        if path.exists() and not _begins(path, ",".join(header)):
            raise BadInput(
                path, "is there already and is no table of affuse predict; name another --out"
            )


def _begins(path: Path, header: str) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline().startswith(header)
    except (OSError, UnicodeError):
        return False


def remove_tables(out: Path) -> None:
    """Remove the tables of an earlier command, which are not about what comes now."""
    for name in (SUMMARY, FAILURES):
        (out / name).unlink(missing_ok=True)


def write_tables(
    out: Path, rows: Mapping[Path, Sequence[Row]], failures: Iterable[BadInput]
) -> None:
    """Write `summary.csv` and `failures.csv`.

    Args:
        out: The folder.
        rows: Recording -> a row for each person, in the order of the table.
        failures: What could not be used.

    Raises:
        BadInput: A table cannot be written.
    """
    table = [{"recording": str(path), **row} for path, people in rows.items() for row in people]
    columns = list(dict.fromkeys([*_FIRST, *(name for row in table for name in row)]))
    write_csv(out / SUMMARY, columns, [[row.get(c, "") for c in columns] for row in table])
    write_csv(out / FAILURES, _FAILED, [(str(e.path), e.reason) for e in failures])
