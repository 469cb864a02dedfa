"""Who the speakers of scored clips are, as far as the data say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from affuse.corpora.clip import Clip
from affuse.corpora.table import read_clips
from affuse.corpora.together import among_others
from affuse.errors import AffuseError
from affuse.evaluation.report.evaluated import Evaluated
from affuse.evaluation.report.record import NOT_RECORDED
from affuse.execution.text import identity
from affuse.training.run import read_run


def people_facts(one: Evaluated) -> dict[str, str]:
    """Speakers, sexes, ages and kinds of clips that were scored.

    Args:
        one: An evaluated run; its store tells more, where it is still there.

    Returns:
        Name of a fact -> the fact; what the data do not say is `not recorded`.
    """
    part = one.first
    speakers = None if part.speakers is None else {*map(str, part.speakers)}
    clips = _scored(one)
    first = {identity(str(clip.speaker)): clip for clip in clips if clip.speaker}
    return {
        "speakers": NOT_RECORDED if speakers is None else f"{len(speakers):,}",
        "sexes": _counted([clip.sex for clip in first.values()]),
        "ages": _ages([clip.age for clip in clips]),
        "race": _counted([clip.race for clip in first.values()]),
        "ethnicity": _counted([clip.ethnicity for clip in first.values()]),
        "languages or kinds of recording": _kinds([clip.kind for clip in clips]),
    }


def _scored(one: Evaluated) -> list[Clip]:
    """The clips of the store that were scored; none where it is not there."""
    told = {} if one.run is None else read_run(one.run)
    ids = {*one.first.clips}
    return [clip for clip in _stored(told) if clip.id in ids]


def _stored(told: Mapping[str, Any]) -> list[Clip]:
    """All clips of the store of a run, or of its stores."""
    if "store" in told:
        return _table(str(told["store"]))
    parts = [(str(one["corpus"]), _table(str(one["path"]))) for one in told.get("stores", ())]
    return [among_others(clip, corpus) for corpus, clips in parts for clip in clips]


def _table(store: str) -> list[Clip]:
    file = Path(store) / "clips.csv"
    try:
        return read_clips(file) if file.is_file() else []
    except AffuseError:  # the store has changed since
        return []


def _counted(words: Sequence[str | None]) -> str:
    count = Counter(word for word in words if word)
    if not count:
        return NOT_RECORDED
    unknown = len(words) - count.total()
    told = ", ".join(f"{number} {word}" for word, number in sorted(count.items()))
    return told + (f", {unknown} {NOT_RECORDED}" if unknown else "")


def _ages(ages: Sequence[float | None]) -> str:
    known = [age for age in ages if age is not None]
    return f"{min(known):g} to {max(known):g} years" if known else NOT_RECORDED


def _kinds(words: Sequence[str | None]) -> str:
    return ", ".join(sorted({word for word in words if word})) or NOT_RECORDED
