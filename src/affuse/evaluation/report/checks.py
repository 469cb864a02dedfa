"""The checks of a model that lie in a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from affuse.errors import BadInput
from affuse.evaluation.report.evaluated import Evaluated
from affuse.evaluation.report.tables import Table, led

CHECKS_FILE = "check-model.json"
_COLUMNS = ("group", "name", "question", "value", "limit", "verdict", "reason")


def checks_table(evaluated: Sequence[Evaluated]) -> Table | None:
    """What was found about the models of runs, where it lies there.

    Raises:
        BadInput: A file is no list of checks.
    """
    rows = [
        led(one, evaluated, {name: _text(check.get(name)) for name in _COLUMNS})
        for one in evaluated
        for check in _checks(one)
    ]
    heads = 2 + (len(evaluated) > 1)
    return Table("checks", "Checks of the model", rows, heads=heads) if rows else None


def _checks(one: Evaluated) -> list[Mapping[str, Any]]:
    folders = [folder for folder in (one.run, one.folder) if folder is not None]
    file = next((x / CHECKS_FILE for x in folders if (x / CHECKS_FILE).is_file()), None)
    return [] if file is None else _read(file)


def _read(file: Path) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, Mapping):  # the list, and what it is about
            found = found["checks"]
        if not all(isinstance(check, Mapping) for check in found):
            raise TypeError("a check has no names")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(file, f"is no list of checks ({error})") from error
    return list(found)


def _text(value: object) -> str | None:
    return f"{value:.3g}" if isinstance(value, float) else None if value is None else str(value)
