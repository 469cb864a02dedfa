"""Tables of one clip per row: its name, a column per class, its set; as AuxFormer reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from affuse.corpora.listing import KNOWN, ROLE_WORDS, Line, Listing
from affuse.corpora.msp_improv import EMOTIONS
from affuse.errors import BadInput

#: What the label files of AuxFormer's group spread over all classes.
SMOOTHING = 0.06
#: Raters of a clip at most, and the difference of a share to a fraction of so many.
_RATERS, _CLOSE = 30, 6e-4
_MOST = 1e9  # votes of a class


def read_table(
    listing: Listing,
    lines: Sequence[Line],
    classes: Sequence[str],
    number: Callable[[str], float] = float,
) -> None:
    """Read a table into a listing.

    The first column names the clips. Columns that are called like a class hold its share of the
    raters, smoothed or not, or its number of raters. The last column may hold the set. Others are
    not read.

    Args:
        listing: What is filled.
        lines: Of the file, the header first; all of one length.
        classes: Classes of the corpus.
        number: What reads a number; NaN for what is none.

    Raises:
        BadInput: There is neither a column of a class nor of a set, or a row is wrong.
    """
    path, header, rows = listing.path, lines[0][1], lines[1:]
    columns = [name.lower() for name in header]
    listing.kind = "label table"
    listing.classes = tuple(name for name in classes if name.lower() in columns)
    listed = {name.lower() for name in classes}
    unknown = BadInput(path, f"is none of the files that are known: {KNOWN}; see --list for others")
    if len(header) < 2:
        raise unknown
    has_sets = any(cells[-1].lower() in ROLE_WORDS for _, cells in rows)
    if not (has_sets or listing.classes):
        raise unknown
    if foreign := [n for n in columns if n in EMOTIONS["secondary"] and n not in listed]:
        raise listing.wrong(
            lines[0][0],
            f"column {foreign[0]} is no class of {listing.corpus} as it was read (classes: "
            f"{', '.join(classes)})",
        )
    wanted = [columns.index(name.lower()) for name in listing.classes]
    values: dict[str, list[float]] = {}
    fold: dict[str, str] = {}
    twice = 0
    for line, cells in rows:
        clip = listing.clip(line, cells[0])
        row = [_share(listing, line, header[k], cells[k], number) for k in wanted]
        said = {"values": " ".join(f"{x:g}" for x in row)}
        if has_sets:
            said["set"] = listing.role(line, cells[-1])
        if wanted and not any(row):
            raise listing.wrong(line, f"no class of {clip.id} has a share")
        if wanted and any(x % 1 for x in row) and abs(sum(row) - 1) > 0.02:
            raise listing.wrong(line, f"the shares of {clip.id} add up to {sum(row):.3g}, not to 1")
        if listing.add(line, clip, **said):
            values[clip.id] = row
            fold[clip.id] = said.get("set", "")
        else:
            twice += 1
    if twice:
        listing.notes.append(f"{twice} rows are repeated")
    if has_sets:
        listing.folds = [fold]
    if wanted:
        votes, listing.counted = as_votes(np.array(list(values.values())))
        listing.votes = {
            name: dict(zip(listing.classes, row.tolist(), strict=True))
            for name, row in zip(values, votes, strict=True)
        }


def as_votes(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """Votes from the values of a table.

    Whole numbers are votes as they are. Shares in which every class has at least 0.06 / C were
    smoothed as AuxFormer's group did, y = 0.06 / C + 0.94 p, and are brought back to p. Shares that
    are fractions of at most 30 raters become the least numbers of raters with these shares.

    Args:
        values: (N, C), C classes.

    Returns:
        (N, C) votes, and whether they are the numbers of raters, not the least ones.
    """
    if not (values % 1).any():
        return values, bool((values.sum(1) > 1).any())
    floor = SMOOTHING / values.shape[1]
    if (values > floor - 1e-4).all():
        values = np.clip((values - floor) / (1 - SMOOTHING), 0, None)
    votes = values.copy()
    for raters in range(_RATERS, 0, -1):
        counts = np.round(values * raters)
        fits = (np.abs(values - counts / raters) < _CLOSE).all(1) & (counts.sum(1) == raters)
        votes[fits] = counts[fits]
    return votes, False


def _share(
    listing: Listing, line: int, column: str, text: str, number: Callable[[str], float]
) -> float:
    value = number(text)
    if not 0 <= value <= _MOST:
        raise listing.wrong(line, f"{text!r} in column {column} is no share of votes")
    return value
