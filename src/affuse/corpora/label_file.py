"""Labels that a file gives to the clips of a corpus, in place of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from affuse.corpora.clip import Clip
from affuse.corpora.labels import Labels
from affuse.corpora.published_lists import read_listing
from affuse.errors import AffuseError


@dataclass(frozen=True)
class FileLabels:
    """What a file makes of clips.

    Args:
        clips: Those with a row, with its class or votes in place of their own.
        labels: The rule, for the classes that the file has.
        counted: Whether votes are numbers of raters, not shares alone.
        without: Clips without a row.
        not_at_hand: Rows of clips that are not among those given.
        sha256: Of the file.
    """

    clips: list[Clip]
    labels: Labels
    counted: bool
    without: int
    not_at_hand: int
    sha256: str


def labels_from_file(
    clips: Sequence[Clip], corpus: str, classes: Sequence[str], labels: Labels
) -> FileLabels:
    """Apply `labels.file`.

    Args:
        clips: Clips of a corpus.
        corpus: Its name.
        classes: Its classes.
        labels: The rule, with a file.

    Raises:
        BadInput: The file cannot be used (`read_listing`).
        AffuseError: The rule does not fit what the file holds.
    """
    listing = read_listing(Path(labels.file), corpus, clips, classes)
    if labels.rule == "given" and not listing.labels:
        raise AffuseError(
            f"labels.file={labels.file} names no class for each clip of {corpus}; of a table of "
            "shares, set labels.rule to plurality, majority or distribution"
        )
    if labels.rule != "given" and not listing.votes:
        raise AffuseError(f"labels.file={labels.file} has no votes; set labels.rule=given")
    if labels.least > 1 and not listing.counted:
        raise AffuseError(f"labels.least counts raters; labels.file={labels.file} has shares")
    if labels.rule == "given":
        told = [replace(c, label=listing.labels[c.id]) for c in clips if c.id in listing.labels]
    else:
        told = [
            replace(clip, votes={labels.channel: listing.votes[clip.id]})
            for clip in clips
            if clip.id in listing.votes
        ]
        labels = replace(labels, classes=labels.classes or listing.classes)
    return FileLabels(
        clips=told,
        labels=labels,
        counted=listing.counted,
        without=len(clips) - len(told),
        not_at_hand=len(listing.clips) - len(told),
        sha256=listing.sha256,
    )
