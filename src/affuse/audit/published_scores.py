"""Scores of other models: whether those models were trained on whom a model is tested on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from affuse.audit.leaks import Leak
from affuse.corpora.clip import Clip
from affuse.corpora.protocols.protocol import Protocol, Roles
from affuse.execution.text import identity
from affuse.features.store import Store
from affuse.features.stream_file import StreamFile

KIND = "published-scores"


def scored_streams(data: Store, streams: Sequence[str]) -> dict[str, StreamFile]:
    """Those of the streams that are scores of other models, by name."""
    files = {name: data.stream(name) for name in streams}
    return {name: file for name, file in files.items() if file.spec.kind == "scores"}


def find_score_leaks(
    protocol: Protocol, fold: int, clips: Sequence[Clip], data: Store, streams: Sequence[str]
) -> list[Leak]:
    """Clips to be judged whose scores may be by a model that was trained on their speakers.

    Scores in a published fold are by a model that was trained on all other folds. So the speaker
    of a clip must have no clip in another one.

    Args:
        protocol: The roles.
        fold: Number of the fold.
        clips: The clips that would be used.
        data: The store, with the published folds and all clips.
        streams: The streams that would be used.
    """
    roles = _roles(protocol, fold, data)
    judged = [clip for clip in clips if {"test", "development"} & {*roles[clip.id]}]
    found: list[str] = []
    for name, file in scored_streams(data, streams).items():
        homes: dict[str, set[str]] = defaultdict(set)
        for clip in data.clips:
            if clip.speaker and clip.id in file.folds:
                homes[identity(clip.speaker)].add(file.folds[clip.id])
        for clip in judged:
            if clip.id not in file or not file.outline(clip.id).mask.any():
                continue
            if clip.id not in file.folds:
                found.append(
                    f"nobody knows whether the model that scored clip {clip.id} in {name} was "
                    "trained on it: its table has no fold of it (column fold)"
                )
            elif len(places := homes[identity(clip.speaker or "")]) > 1:
                found.append(
                    f"the model that scored clip {clip.id} in {name} was trained on other clips of "
                    f"its speaker {clip.speaker}, who is in the published folds "
                    f"{' and '.join(sorted(places))}"
                )
    return [Leak(KIND, fold, len(found), found[0])] if found else []


def nested_scores(
    protocol: Protocol,
    folds: Sequence[int],
    clips: Sequence[Clip],
    data: Store,
    streams: Sequence[str],
) -> list[str]:
    """Streams with scores of training clips by models that were themselves trained on test clips.

    So it is wherever out-of-fold scores are learned from. A few temperatures learn next to nothing
    about test clips that way, many weights more.
    """
    nested = []
    for name, file in scored_streams(data, streams).items():
        for fold in folds:
            roles = _roles(protocol, fold, data)
            trained, tested = (
                {file.folds[c.id] for c in clips if role in roles[c.id] and c.id in file.folds}
                for role in ("train", "test")
            )
            if name not in nested and any(tested - {home} for home in trained):
                nested.append(name)
    return nested


def _roles(protocol: Protocol, fold: int, data: Store) -> dict[str, Roles]:
    """The roles of all clips, by id."""
    ids = (clip.id for clip in data.clips)
    return dict(zip(ids, protocol.roles(fold, data.clips), strict=True))
