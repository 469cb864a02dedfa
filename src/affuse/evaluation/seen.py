"""What a model may have seen of the clips that it is scored on, by the record in its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.protocols.protocol import Roles
from affuse.corpora.together import TOGETHER
from affuse.errors import AffuseError
from affuse.evaluation.members import Member
from affuse.features.store import Store
from affuse.models.trained_on import is_corpus, source_of, trainings
from affuse.training.recipe import Recipe


def seen_in_training(member: Member, clips: Sequence[Clip], developed: bool = True) -> list[str]:
    """Why the scores of a model may be too good, one line for each part of its training.

    Args:
        member: The model.
        clips: What it is scored on.
        developed: Whether it matters that they are its development clips.

    Returns:
        Nothing where the model was trained on another corpus, or in a fold of a protocol in which
        neither these clips nor their speakers have another role than `test`.
    """
    lines = [_line(own, member.data, clips, developed) for own in trainings(member.spec.training)]
    return [f"{member.name}: {line}; the scores may be too good" for line in lines if line]


def learned_from(member: Member, clips: Sequence[Clip]) -> list[str]:
    """Ids of the clips that a model has learned from, as far as its file tells."""
    found: set[str] = set()
    for record in trainings(member.spec.training):
        source = source_of(record)
        known = "protocol" in record and "fold" in record and is_corpus(source, member.data.corpus)
        roles = _roles(record, member.data) if known else None
        found |= {clip.id for clip in clips if roles and "train" in roles[clip.id]}
    return sorted(found)


def selected_on(recipe: Recipe, role: str, calibrated: bool = False) -> list[str]:
    """Why the scores of a run on the clips of a role may be too good.

    Args:
        recipe: That it was trained by.
        role: `test` or `development`.
        calibrated: Whether a model of it was calibrated on development clips.
    """
    chosen = ["the calibration"] if calibrated else []
    if recipe.selection == "best":
        chosen.append("the epoch")
    if len(recipe.over_time.smoothing) > 1:
        chosen.append("the smoothing")
    if role != "development" or not chosen:
        return []
    return [
        f"{recipe.name}: these development clips chose {' and '.join(chosen)} of the model; the "
        "scores may be too good"
    ]


def _line(record: Mapping[str, Any], data: Store, clips: Sequence[Clip], developed: bool) -> str:
    """What one record of a training says about some clips; empty where they are new to it."""
    source = source_of(record)
    corpora = {clip.corpus or data.corpus for clip in clips}
    if source and not any(is_corpus(source, corpus) for corpus in corpora):
        return ""
    told = f"its training data are {source}" if source else "it does not tell its training data"
    if "protocol" not in record or "fold" not in record:
        split = f" ({record['split']})" if record.get("split") else ""
        return f"{told}, and it does not tell which clips: those scored may be among them{split}"
    where = f"{record['protocol']}, fold {record['fold']}"
    roles = _roles(record, data)
    if roles is None:
        return f"{told} by {where}, which cannot be read here: clips scored may be among them"
    trained = [clip.id for clip in clips if "train" in roles[clip.id]]
    if trained:
        return f"{len(trained)} of the {len(clips)} clips are training clips of it ({where})"
    selected = [clip.id for clip in clips if "development" in roles[clip.id]]
    if selected and developed:
        return f"{len(selected)} of the {len(clips)} clips are development clips of it ({where})"
    speakers = {clip.speaker for clip in data.clips if "train" in roles[clip.id]} - {None}
    if known := [clip.id for clip in clips if clip.speaker in speakers]:
        return f"it knows the speakers of {len(known)} of the {len(clips)} clips ({where})"
    return ""


def _roles(record: Mapping[str, Any], data: Store) -> dict[str, Roles] | None:
    """Clip id -> roles in the training; None where that cannot be read, as of several corpora."""
    if TOGETHER in data.corpus or TOGETHER in source_of(record):
        return None
    try:
        roles = load_protocol(record["protocol"], data.clips).roles(record["fold"], data.clips)
    except (AffuseError, TypeError):
        return None
    return dict(zip([clip.id for clip in data.clips], roles, strict=True))
