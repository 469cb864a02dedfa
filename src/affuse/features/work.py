"""Streams of clips, computed in processes that may die at one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError
from affuse.execution.executors import Executor
from affuse.execution.files import NotWritten
from affuse.execution.progress import progress
from affuse.execution.worker import allow, tell
from affuse.features.extractor import Extractor
from affuse.features.parts import part_path, write_part
from affuse.features.recorded import begin_all, changed_readings
from affuse.media.allowance import time_limit
from affuse.media.changes.registry import Change


class Task(NamedTuple):
    """Streams of one clip that are to be computed.

    Attributes:
        clip: The clip.
        names: Of the streams.
        alone: Whether each reads the recording by itself, for one of them ends the process.
    """

    clip: Clip
    names: list[str]
    alone: bool = False


def compute(
    tasks: Sequence[Task],
    extractors: Sequence[Extractor],
    parts: Mapping[str, Path],
    executor: Executor,
    changes: Sequence[Change] = (),
) -> dict[tuple[str, str], str]:
    """Write the parts of streams, of one pass over the recordings of each clip.

    A stream in whose making a worker dies has failed; the others go on.

    Args:
        tasks: Clips and their streams.
        extractors: Of the streams.
        parts: Stream -> folder of its parts.
        executor: Where they are computed.
        changes: Of the recordings.

    Returns:
        (clip id, stream) -> reason of those that failed.

    Raises:
        NotWritten: A part cannot be written.
    """
    by_name = {e.spec.name: e for e in extractors}
    one = partial(_compute, extractors=by_name, parts=parts, changes=changes)
    failed: dict[tuple[str, str], str] = {}
    while tasks:
        work = executor.map(one, tasks, limit=time_limit(), lost=_lost)
        total, tasks = len(tasks), []
        for clip, reasons, left in progress(work, "prepare", total=total):
            failed.update({(clip.id, name): reason for name, reason in reasons.items()})
            if left:
                tasks.append(Task(clip, left, alone=True))
    return failed


def _compute(
    task: Task,
    extractors: Mapping[str, Extractor],
    parts: Mapping[str, Path],
    changes: Sequence[Change],
) -> tuple[Clip, dict[str, str], list[str]]:
    """Write the missing streams of one clip; returns the reasons of those that failed."""
    clip, names = task.clip, task.names
    reasons: dict[str, str] = {}
    for group in [[name] for name in names] if task.alone else [names]:
        tell(group)
        chosen = {name: extractors[name] for name in group}
        with _noted(reasons, clip, group):
            sources = {p for e in chosen.values() for p in e.sources(clip) if clip.row is None}
            allow(time_limit(sources))  # one of many clips in a file takes no longer than another
            begun = begin_all(chosen, clip, changed_readings(clip, changes))
        for name in group:
            if name not in reasons:
                tell([name])
                with _noted(reasons, clip, [name]):
                    path = part_path(parts[name], clip.id)
                    write_part(path, clip, extractors[name], begun[name])
            if name in reasons:
                tell((name, reasons[name]))
    return clip, reasons, []


@contextmanager
def _noted(reasons: dict[str, str], clip: Clip, names: Sequence[str]) -> Iterator[None]:
    """Let nothing but a disk that cannot be written end the others."""
    try:
        yield
    except NotWritten:  # that concerns all clips
        raise
    except AffuseError as error:
        reasons |= dict.fromkeys(names, str(error))
    except (Exception, SystemExit) as error:  # one bad clip must not end the others
        place = place_of(clip)
        text = " ".join(f"{type(error).__name__}: {error}".split())
        reasons |= dict.fromkeys(names, f"{place}: {text}" if place else text)


def _lost(task: Task, reason: str, told: Sequence[Any]) -> tuple[Clip, dict[str, str], list[str]]:
    """What a worker that died had come to: reasons, and the streams that it had not begun.

    Where it died while it read the recording for several, each of them is to try by itself.
    """
    clip, names = task.clip, task.names
    reasons: dict[str, str] = dict(entry for entry in told if isinstance(entry, tuple))
    begun = ([entry for entry in told if isinstance(entry, list)] or [names[:1]])[-1]
    if len(begun) > 1:
        return clip, reasons, [name for name in begun if name not in reasons]
    (last,) = begun
    reasons[last] = f"{place_of(clip) or clip.id}: the process that decoded it {reason}"
    return clip, reasons, names[names.index(last) + 1 :]


def place_of(clip: Clip) -> Path | None:
    """The file that a clip is known by."""
    return clip.video or clip.audio or clip.images
