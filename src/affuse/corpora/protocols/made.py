"""Protocols that are made of the clips at hand: their speakers, and their corpora."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.protocol import Protocol, Roles
from affuse.corpora.together import TOGETHER, by_itself
from affuse.errors import AffuseError
from affuse.execution.text import identity

LEAVE_ONE_SPEAKER_OUT, LEAVE_ONE_CORPUS_OUT = "leave-one-speaker-out", "leave-one-corpus-out"
SPEAKERS_5FOLD = "speakers-5fold"
#: Protocols that are made of the clips at hand -> of which corpora, and their folds.
MADE = {
    LEAVE_ONE_SPEAKER_OUT: ("any", "one per speaker"),
    SPEAKERS_5FOLD: ("any", "5"),
    LEAVE_ONE_CORPUS_OUT: ("several", "one per corpus"),
}


def leave_one_speaker_out(clips: Sequence[Clip]) -> Protocol:
    """One fold per speaker in the test role; the next two speakers are the development set."""
    order = _speakers(LEAVE_ONE_SPEAKER_OUT, clips)
    if len(order) < 4:
        raise AffuseError(f"{LEAVE_ONE_SPEAKER_OUT} needs four speakers, there are {len(order)}")
    return Protocol(
        LEAVE_ONE_SPEAKER_OUT, 1, "", "One fold per speaker.", "", rotate(order, 2), "speaker"
    )


def speakers_5fold(clips: Sequence[Clip]) -> Protocol:
    """Five folds of whole speakers, each tested once; there is no development set.

    Speakers are dealt out in the order of the SHA-256 of their names.
    """
    order = _by_digest(_speakers(SPEAKERS_5FOLD, clips))
    if len(order) < 5:
        raise AffuseError(f"{SPEAKERS_5FOLD} needs five speakers, there are {len(order)}")
    folds = rotate(order, 0, [order[k::5] for k in range(5)])
    told = "Five folds of whole speakers, in the order of the SHA-256 of their names."
    flaws = "No development speakers: select nothing, train for a fixed number of epochs."
    return Protocol(SPEAKERS_5FOLD, 1, "", told, flaws, folds, "speaker")


def leave_one_corpus_out(clips: Sequence[Clip]) -> Protocol:
    """One fold per corpus in the test role.

    Of every other corpus a tenth of the speakers are the development set, at least one where there
    are three; they are the first ones by the SHA-256 of their names, and the same in all folds.
    """
    parts: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        parts[clip.corpus or ""].append(clip)
    names = sorted(parts)
    if len(names) < 2:
        raise AffuseError(f"{LEAVE_ONE_CORPUS_OUT} needs several corpora: give each --store")
    people = {name: _speakers(LEAVE_ONE_CORPUS_OUT, parts[name]) for name in names}
    trained: dict[str, dict[str, Roles]] = {}
    for name, own in people.items():
        chosen = {*_by_digest(own)[: max(1, len(own) // 10)]} if len(own) > 2 else set()
        trained[name] = {
            speaker: ("development",) if speaker in chosen else ("train",) for speaker in own
        }
    tested: dict[str, dict[str, Roles]] = {
        name: dict.fromkeys(own, ("test",)) for name, own in people.items()
    }
    folds = [
        {s: has for name in names for s, has in (tested if name == out else trained)[name].items()}
        for out in names
    ]
    told = ", ".join(f"fold {k} tests {name}" for k, name in enumerate(names))
    return Protocol(
        LEAVE_ONE_CORPUS_OUT, 1, "", f"One fold per corpus: {told}.", "", folds, "speaker"
    )


def each_by_its_own(protocols: Sequence[Protocol], clips: Sequence[Clip]) -> Protocol:
    """Fold k of several corpora is fold k of the protocol of each.

    Raises:
        AffuseError: They are not one for each corpus at hand, or have different numbers of folds.
    """
    name = TOGETHER.join(protocol.name for protocol in protocols)
    meant_for = [protocol.corpus for protocol in protocols]
    at_hand = sorted({clip.corpus or "" for clip in clips})
    if sorted(meant_for) != at_hand:
        raise AffuseError(
            f"{name} is for stores of {', '.join(one or 'any corpus' for one in meant_for)}; at "
            f"hand: {', '.join(one or 'one store' for one in at_hand) or 'none'}"
        )
    if len(counts := {len(protocol.folds) for protocol in protocols}) > 1:
        raise AffuseError(f"{name}: the protocols have {sorted(counts)} folds")
    folds: list[dict[str, Roles]] = [{} for _ in protocols[0].folds]
    speakers: dict[str, str] = {}
    for protocol in protocols:
        known = [clip for clip in clips if clip.corpus == protocol.corpus]
        own = [by_itself(clip) for clip in known]
        missing = protocol.missing(own)
        for number, fold in enumerate(folds):
            roles = zip(known, protocol.roles(number, own), strict=True)
            fold.update((clip.id, has) for clip, has in roles if has)
            fold.update((f"{protocol.corpus}/{r}", protocol.folds[number][r]) for r in missing)
        speakers |= {
            f"{protocol.corpus}/{row}": f"{protocol.corpus}/{speaker}" if speaker else ""
            for row, speaker in protocol.speakers.items()
        }
    return Protocol(
        name,
        1,
        "",
        " ".join(protocol.source for protocol in protocols),
        " ".join(protocol.flaws for protocol in protocols),
        folds,
        speakers=speakers,
    )


def _speakers(protocol: str, clips: Sequence[Clip]) -> list[str]:
    """Who speaks, each once, in order.

    Raises:
        AffuseError: Nobody knows who speaks in a clip.
    """
    if unnamed := [clip.id for clip in clips if clip.speaker is None]:
        raise AffuseError(f"{protocol} needs a speaker for every clip: {unnamed[0]}")
    return sorted({identity(clip.speaker or ""): str(clip.speaker) for clip in clips}.values())


def _by_digest(speakers: Sequence[str]) -> list[str]:
    """Speakers in the order of the SHA-256 of their names."""
    return sorted(speakers, key=lambda speaker: sha256(speaker.encode()).hexdigest())


def rotate(
    rows: Sequence[str], development: int, parts: Sequence[Sequence[str]] = ()
) -> list[dict[str, Roles]]:
    """Folds in which each part is tested once and the next ones in turn are the development set.

    Args:
        rows: Their names.
        development: How many parts, after the tested one, are the development set.
        parts: The parts; each row by itself by default.
    """
    parts = parts or [(name,) for name in rows]
    home = {name: k for k, part in enumerate(parts) for name in part}

    def role(distance: int) -> str:
        return "test" if distance == 0 else "development" if distance <= development else "train"

    return [
        {name: (role((home[name] - k) % len(parts)),) for name in rows} for k in range(len(parts))
    ]
