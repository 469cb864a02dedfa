"""A protocol: clip -> role in every fold, read from a file or made from the speakers at hand."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput

ROLES = ("train", "development", "test")
LEAVE_ONE_SPEAKER_OUT = "leave-one-speaker-out"


@dataclass(frozen=True)
class Protocol:
    """Which clip plays which role in which fold.

    Args:
        name: Such as `ravdess/chumachenko`, or the path of a user's file.
        version: Raised whenever a role changes.
        corpus: The corpus it belongs to; empty for any.
        source: Where it comes from.
        flaws: What is known to be wrong with it.
        speakers: Clip id -> speaker.
        folds: Per fold, clip id -> one of `ROLES`.
    """

    name: str
    version: int
    corpus: str
    source: str
    flaws: str
    speakers: dict[str, str]
    folds: list[dict[str, str]]

    def split(self, fold: int, clips: Sequence[Clip]) -> dict[str, list[Clip]]:
        """The clips at hand by role; a protocol may list clips that are not at hand.

        Args:
            fold: Number of the fold, from 0.
            clips: Clips of the corpus.

        Raises:
            AffuseError: No such fold, a clip that the protocol does not know, no training clips,
                or a speaker who is unknown or in two roles.
        """
        if not 0 <= fold < len(self.folds):
            raise AffuseError(f"protocol {self.name} has folds 0 to {len(self.folds) - 1}")
        roles = self.folds[fold]
        if unknown := [clip.id for clip in clips if clip.id not in roles]:
            raise AffuseError(
                f"protocol {self.name} does not know {len(unknown)} of {len(clips)} clips, "
                f"the first is {unknown[0]}"
            )
        split: dict[str, list[Clip]] = {role: [] for role in ROLES}
        for clip in clips:
            split[roles[clip.id]].append(clip)
        if not split["train"]:
            raise AffuseError(f"protocol {self.name}, fold {fold}: no training clip is at hand")
        seen: dict[str, str] = {}
        for role, members in split.items():
            for speaker in {self._speaker(clip) for clip in members}:
                if speaker in seen:
                    raise AffuseError(
                        f"protocol {self.name}, fold {fold}: speaker {speaker} is in "
                        f"{seen[speaker]} and in {role}"
                    )
                seen[speaker] = role
        return split

    def _speaker(self, clip: Clip) -> str:
        """Who speaks, as the corpus and the protocol say; one of them has to, and both agree."""
        named = self.speakers[clip.id]
        if clip.speaker and named and clip.speaker != named:
            raise AffuseError(
                f"protocol {self.name}: clip {clip.id} is spoken by {named}, "
                f"but by {clip.speaker} in the corpus"
            )
        if not (clip.speaker or named):
            raise AffuseError(
                f"protocol {self.name}: nobody knows who speaks in clip {clip.id}; a split has to "
                "keep speakers apart, so name them in the column speaker"
            )
        return clip.speaker or named


def list_protocols() -> list[str]:
    """Names of the protocols that come with affuse."""
    folder = Path(__file__).parent
    files = sorted(folder.rglob("*.csv"))
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in files]
    return [*names, LEAVE_ONE_SPEAKER_OUT]


def load_protocol(name: str, clips: Sequence[Clip]) -> Protocol:
    """A protocol by name, or from a user's CSV file in the same format.

    Args:
        name: One of `list_protocols()` or a path.
        clips: Clips of the corpus; `leave-one-speaker-out` is made from their speakers.

    Raises:
        BadInput: The file is absent or malformed.
    """
    if name == LEAVE_ONE_SPEAKER_OUT:
        return _leave_one_speaker_out(clips)
    shipped = Path(__file__).parent / f"{name}.csv"
    if name in list_protocols():
        return read_protocol(shipped)
    if not Path(name).is_file():
        raise BadInput(name, f"no such protocol (known: {', '.join(list_protocols())}, or a file)")
    return read_protocol(Path(name))


def read_protocol(path: Path) -> Protocol:
    """Read a protocol file.

    Raises:
        BadInput: A header entry or column is missing, or a role is none of `ROLES`.
    """
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    header = dict(
        line.lstrip("# ").split(": ", 1) for line in lines if line.startswith("#") and ": " in line
    )
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    columns = rows.fieldnames or []
    folds = [name for name in columns if name.startswith("fold")]
    if list(columns[:2]) != ["clip", "speaker"] or not folds:
        raise BadInput(path, "a protocol needs the columns clip,speaker,fold0,...")
    if not header.get("version", "1").isdigit():
        raise BadInput(path, f"version {header['version']!r} is not a whole number")
    protocol = Protocol(
        name=header.get("name", str(path)),
        version=int(header.get("version", "1")),
        corpus=header.get("corpus", ""),
        source=header.get("source", ""),
        flaws=header.get("flaws", ""),
        speakers={},
        folds=[{} for _ in folds],
    )
    for row in rows:
        clip = row["clip"]
        if clip in protocol.speakers:
            raise BadInput(path, f"clip {clip} is listed twice")
        protocol.speakers[clip] = row["speaker"]
        for roles, column in zip(protocol.folds, folds, strict=True):
            if row[column] not in ROLES:
                raise BadInput(
                    path, f"clip {clip}: role {row[column]!r} is none of {', '.join(ROLES)}"
                )
            roles[clip] = row[column]
    return protocol


def _leave_one_speaker_out(clips: Sequence[Clip]) -> Protocol:
    """One fold per speaker in the test role; the next two speakers are the development set."""
    if unnamed := [clip.id for clip in clips if clip.speaker is None]:
        raise AffuseError(f"{LEAVE_ONE_SPEAKER_OUT} needs a speaker for every clip: {unnamed[0]}")
    speakers = {clip.id: str(clip.speaker) for clip in clips}
    order = sorted(set(speakers.values()))
    if len(order) < 4:
        raise AffuseError(f"{LEAVE_ONE_SPEAKER_OUT} needs four speakers, there are {len(order)}")
    folds = []
    for k, test in enumerate(order):
        development = {order[(k + 1) % len(order)], order[(k + 2) % len(order)]}
        folds.append(
            {
                clip: "test" if who == test else "development" if who in development else "train"
                for clip, who in speakers.items()
            }
        )
    return Protocol(LEAVE_ONE_SPEAKER_OUT, 1, "", "One fold per speaker.", "", speakers, folds)
