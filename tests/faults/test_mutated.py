"""Damaged media files: read or refused in one line, in little memory, and never longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import mutate
from tests.faults.recordings import talking_face

SECONDS = 2.0
#: AVI has no time stamps: a damaged frame rate can make some longer.
LONGEST = 2 * SECONDS


def check(folder: Path, count: int, seed: int) -> None:
    paths = mutate.make(talking_face(SECONDS), count, seed, folder)
    outcome = mutate.predict(paths, folder / "out")
    neither = [
        p.name for p in paths if p.name not in outcome.read and p.name not in outcome.refused
    ]
    assert not neither and outcome.code in (0, 2)
    assert not [line for line in outcome.other if "defect" in line or "Traceback" in line]
    assert not [
        line
        for line in outcome.refused.values()
        if "the process that" in line or "not enough memory" in line
    ]
    longer = {name: s for name, s in outcome.read.items() if s > SECONDS + 0.2}
    assert len(longer) <= max(1, count // 50), longer
    assert max(longer.values(), default=0) <= LONGEST


def test_some_damaged_files(tmp_path: Path) -> None:
    check(tmp_path, 8, 1)


@pytest.mark.slow
def test_many_damaged_files(tmp_path: Path) -> None:
    check(tmp_path, 600, 0)
