"""What each of several coders, people or models, said about the same recordings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affuse.corpora.emotions import shared_words
from affuse.corpora.tree import walk
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.timeline_files import is_timeline, read_timeline
from affuse.execution.text import clean
from affuse.inference.inputs import EXPLAINED, is_pattern, matching
from affuse.interchange.boris import recordings_of
from affuse.interchange.formats import FORMATS, PROJECT, READABLE, read_coding
from affuse.interchange.segments import NOT_SURE, Coding, Segment

#: What stands in frames for no label, a label that is not sure, and several labels at once.
UNLABELLED, UNSURE, SEVERAL = -1, -2, -3


@dataclass(frozen=True)
class Coder:
    """One coder.

    Args:
        name: As the user named the files.
        recordings: Name of the recording without its suffix -> what is said about it.
    """

    name: str
    recordings: dict[str, Coding]


def read_coder(word: Path) -> Coder:
    """Read the files of one coder.

    Args:
        word: A file, a folder, or a quoted pattern such as `human/*.eaf`. Of a folder that holds
            timelines their JSON alone is read; else no CSV, and of texts those that end in
            `.labels.txt`.

    Raises:
        BadInput: There is no such file, one cannot be read, or two are of the same person in the
            same recording.
    """
    if word.is_dir():
        files = list(walk(word))
        paths = [path for path in files if path.suffix.lower() == ".json"]
        paths = [path for path in paths if not path.stem.endswith(EXPLAINED)]
        paths = paths or [path for path in files if _is_of_labels(path)]
    elif is_pattern(word):
        paths = matching(word)
    else:
        paths = [word]
    if not paths:
        raise BadInput(word, f"holds no file of labels ({', '.join((*READABLE, '.json', '.csv'))})")
    found: dict[str, dict[str, Coding]] = defaultdict(dict)
    for path in paths:
        for name, person, coding in _labels_of(path):
            if person in found[name] or "" in found[name] or (found[name] and not person):
                told = f"is another file about {name} of the same coder ({word})"
                raise BadInput(path, told)
            found[name][person] = coding
    return Coder(str(word), {name: _joined(own) for name, own in found.items()})


def _labels_of(path: Path) -> Iterator[tuple[str, str, Coding]]:
    """Name of the recording, person where the file is of one alone, and what is said."""
    if is_timeline(path):
        timeline = read_timeline(path)
        yield timeline.recording, timeline.person, timeline.coding()
    elif path.suffix.lower() == PROJECT:
        for media in recordings_of(path):
            yield Path(media).stem, "", read_coding(path, media)
    else:
        stem = path.stem  # as `affuse predict` names files
        named = stem.endswith((".boris", ".labels"))
        yield Path(stem).stem if named else stem, "", read_coding(path)


def _is_of_labels(path: Path) -> bool:
    """Whether a file that nobody named is one of labels; other texts lie in folders, too."""
    text = FORMATS["audacity"].suffix
    ending = path.suffix.lower()
    return ending in READABLE and (ending != text or path.stem.endswith(".labels"))


def _joined(codings: dict[str, Coding]) -> Coding:
    return Coding(
        [segment for coding in codings.values() for segment in coding.segments],
        duration=max(coding.duration for coding in codings.values()),
    )


def chosen(coder: Coder, tier: str, signal: str) -> Coder:
    """The coder with one tier alone, under the name of a signal.

    Args:
        coder: The coder.
        tier: Name of the tier in the files, or of its signal.
        signal: How it is called from now on.

    Raises:
        AffuseError: None of the files has it.
    """
    recordings = {}
    for name, coding in coder.recordings.items():
        own = [s for s in coding.segments if tier in (s.tier, s.signal)]
        recordings[name] = replace(coding, segments=[replace(s, signal=signal) for s in own])
    if not any(coding.segments for coding in recordings.values()):
        raise AffuseError(f"{coder.name}: no tier {tier!r}; there are {tiers_of(coder)}")
    return replace(coder, recordings=recordings)


def tiers_of(coder: Coder) -> str:
    """The tiers of a coder in words."""
    names = dict.fromkeys(name for c in coder.recordings.values() for name in c.tiers)
    return ", ".join(names) or "no labels at all"


def one_language(
    coders: Sequence[Coder], meant: dict[str, str]
) -> tuple[list[Coder], dict[str, str]]:
    """Coders with labels in small letters, those for the same under one name.

    A label that some coder never uses counts as the emotion that it is another name of
    (`affuse.corpora.emotions`), such as `happiness` as `happy`.

    Args:
        coders: The coders.
        meant: Label -> what it counts as; goes before all else.

    Returns:
        The coders, and which labels count as which.
    """
    meant = {_plain(label): _plain(name) for label, name in meant.items()}
    used = [{_plain(s.label) for c in o.recordings.values() for s in c.segments} for o in coders]
    everywhere = set.intersection(*used)
    found = shared_words(sorted(set.union(*used) - everywhere)) | meant
    names = {label: name for label, name in found.items() if label in set.union(*used)}

    def renamed(segment: Segment) -> Segment:
        label = _plain(segment.label)
        return replace(segment, label=names.get(label, label))

    return [
        replace(
            coder,
            recordings={
                name: replace(coding, segments=[renamed(s) for s in coding.segments])
                for name, coding in coder.recordings.items()
            },
        )
        for coder in coders
    ], {label: name for label, name in names.items() if label != name}


def _plain(label: str) -> str:
    return clean(label).casefold()


def in_frames(segments: Sequence[Segment], names: Sequence[str], times: np.ndarray) -> np.ndarray:
    """(N,) int, which label is given at each moment; or `UNLABELLED`, `UNSURE`, `SEVERAL`.

    Args:
        segments: Of one tier; an empty label is none.
        names: The labels.
        times: (N,) seconds, rising.
    """
    number = {name: k for k, name in enumerate(names)}
    found = np.full(len(times), UNLABELLED)
    for segment in segments:
        if not segment.label:
            continue
        value = UNSURE if segment.label in NOT_SURE else number[segment.label]
        part = slice(*np.searchsorted(times, (segment.start, segment.end)))
        other = (found[part] != UNLABELLED) & (found[part] != value)
        found[part] = np.where(other, SEVERAL, value)
    return found
