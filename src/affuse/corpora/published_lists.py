"""Label and partition files as they circulate beside the code of published systems."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from affuse.corpora.clip import Clip
from affuse.corpora.label_tables import read_table
from affuse.corpora.listing import Line, Listing
from affuse.corpora.protocols.blocks import TRAIN_BLOCKS, list_blocks
from affuse.corpora.ravdess import CLASSES
from affuse.errors import BadInput
from affuse.execution.files import file_digest
from affuse.execution.tables import Sheet, fitted

#: Training, validation and test trials of the published `length.csv`.
PUBLISHED = (351, 71, 139)
_NUMBER = re.compile(r"-?\d+(\.0*)?")
_ANNOTATION = re.compile(r"[^;]+\.(npy|avi|mp4);[^;]+\.wav;[^;]*;[^;]*", re.IGNORECASE)


def read_listing(path: Path, corpus: str, clips: Sequence[Clip], classes: Sequence[str]) -> Listing:
    """Read a label table, `annotations.txt` or `length.csv`.

    It may be in any dialect of CSV (`affuse.execution.tables`); empty lines are fine.

    Args:
        path: The file.
        corpus: Name of the corpus that it lists.
        clips: Those at hand.
        classes: Classes of the corpus.

    Raises:
        BadInput: The file cannot be read, is none of these, or a line of it is wrong, names no
            clip of the corpus, or contradicts another one.

    Source: AuxFormer (ICASSP 2022), label files; Chumachenko et al. 2022 and AVT-CA 2024,
    `annotations.txt`; leader-follower fusion (ICCVW 2021), `length.csv`.
    """
    if not path.exists():
        raise BadInput(path, "no such file")
    sheet = Sheet(path, classes)
    rows = [(line, cells) for line, cells in sheet if any(cells)]
    lines = [(line, _trimmed(cells)) for line, cells in rows]
    if not lines:
        raise BadInput(path, "is empty")
    listing = Listing(path, corpus, {clip.id: clip for clip in clips})
    listing.sha256 = file_digest(path)
    if _ANNOTATION.fullmatch(";".join(lines[0][1])) and sheet.separator == ";":
        _read_annotations(listing, lines)
    elif _is_length(lines[-1][1]):
        _read_lengths(listing, lines)
    else:
        width = len(lines[0][1])
        lines = [(line, fitted(sheet, line, cells, width)) for line, cells in rows]
        read_table(listing, lines, classes, sheet.finite)
    return listing


def _trimmed(cells: list[str]) -> list[str]:
    """Without the empty cells at the end that spreadsheets write."""
    while cells and not cells[-1]:
        cells = cells[:-1]
    return cells


def _read_annotations(listing: Listing, lines: Sequence[Line]) -> None:
    """`video;sound;label;subset`: labels 1 to 8 of RAVDESS, one fold."""
    listing.kind = "annotations.txt of Chumachenko et al. 2022"
    fold: dict[str, str] = {}
    files: set[str] = set()
    twice = second = 0
    for line, cells in lines:
        if len(cells) != 4:
            raise listing.wrong(line, f"{len(cells)} cells, expected video;sound;label;subset")
        clip, heard = (listing.clip(line, name) for name in cells[:2])
        if heard.id != clip.id:
            raise listing.wrong(line, f"the video is of {clip.id}, the sound of {heard.id}")
        if listing.add(line, clip, label=cells[2], subset=cells[3].lower()):
            fold[clip.id] = listing.role(line, cells[3])
            if listing.corpus == "ravdess":
                listing.labels[clip.id] = _ravdess_class(listing, line, cells[2])
        elif cells[0] in files:
            twice += 1
        else:
            second += 1
        files.add(cells[0])
    listing.folds = [fold]
    if twice:
        listing.notes.append(f"{twice} lines are repeated (the published code appends to the file)")
    if second:
        listing.notes.append(
            f"{second} performances are listed with a second video (files 01 and 02); here each "
            "is one clip"
        )


def _ravdess_class(listing: Listing, line: int, text: str) -> str:
    if text not in {str(k + 1) for k in range(len(CLASSES))}:
        raise listing.wrong(line, f"{text!r} is no label from 1 to {len(CLASSES)}")
    return CLASSES[int(text) - 1]


def _is_length(cells: Sequence[str]) -> bool:
    return len(cells) == 4 and all(_NUMBER.fullmatch(cell) for cell in cells[1:])


def _read_lengths(listing: Listing, lines: Sequence[Line]) -> None:
    """`trial,frames,considered,difference`: its order makes the six folds."""
    listing.kind = "length.csv of Zhang et al. 2021"
    if listing.corpus != "affwild2":
        raise BadInput(listing.path, f"lists trials of affwild2, not of {listing.corpus}")
    for line, cells in lines[0 if _is_length(lines[0][1]) else 1 :]:
        if not _is_length(cells):
            raise listing.wrong(line, "expected a trial and three whole numbers")
        listing.add(line, listing.clip(line, cells[0]), length=cells[2])
    sets = [
        [i for i, clip in listing.clips.items() if clip.partition == name]
        for name in ("train", "validation")
    ]
    found = tuple(map(len, sets))
    if len(listing.clips) == sum(PUBLISHED) and found != PUBLISHED[:2]:
        raise BadInput(
            listing.path,
            f"lists {PUBLISHED[0]} training and {PUBLISHED[1]} validation trials; annotated here "
            f"are {found[0]} and {found[1]}",
        )
    unlisted = [
        clip.id
        for clip in listing.at_hand.values()
        if clip.annotation and clip.id not in listing.clips
    ]
    if unlisted:
        raise BadInput(
            listing.path,
            f"does not list trial {unlisted[0]} (one of {len(unlisted)} with annotation), so "
            "that its blocks would not be the published ones",
        )
    blocks = list_blocks(*sets)
    for fold in range(TRAIN_BLOCKS + 1):
        role = dict.fromkeys(range(TRAIN_BLOCKS + 1), "train")
        role |= {TRAIN_BLOCKS - fold: "development"}
        listing.folds.append({i: role[blocks[i]] if i in blocks else "test" for i in listing.clips})
    listing.notes.append(
        "blocks cut through recordings: the two people of one video, and parts of one recording, "
        "can be in training and validation; the validation block selects and judges"
    )
