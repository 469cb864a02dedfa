"""Predictions of recordings, by the type that the model gives."""

from __future__ import annotations

from pathlib import Path

import affuse
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline


def timeline_of(path: Path, model: Path | None = None) -> Timeline:
    """The timeline of a model of classes, by default of the bundled one."""
    found = affuse.predict(path, model)
    assert isinstance(found, Timeline)
    return found


def values_of(path: Path, model: Path) -> ValuesTimeline:
    """The timeline of a model of continuous values."""
    found = affuse.predict(path, model)
    assert isinstance(found, ValuesTimeline)
    return found
