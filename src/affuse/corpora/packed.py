"""Small images of many clips in one file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affuse.errors import BadInput
from affuse.execution.remembered import remembered
from affuse.execution.tables import read_rows

Pictures = NDArray[np.uint8]
#: Pixels along a side of the images in a CSV (FER2013).
SIDE = 48


@remembered(2)  # each of many clips is one row
def packed_pictures(path: Path) -> Pictures:
    """All images of a file: (N, H, W) grey, or (N, H, W, 3) RGB.

    Args:
        path: `.npz` with an entry `images`, or a CSV with a column `pixels` of 48 x 48 grey levels
            between spaces, a row per image (FER2013).

    Raises:
        BadInput: It cannot be read, or holds something else.
    """
    if not path.is_file():
        raise BadInput(path, "is not a file" if path.exists() else "no such file")
    if path.suffix == ".csv":
        pictures = _from_csv(path)
    else:
        held = read_arrays(path, "images")["images"]
        if held.dtype != np.uint8 or held.ndim < 3 or held.shape[3:] not in {(), (3,)}:
            raise BadInput(
                path, f"holds no images: images are {held.dtype} {held.shape}, not uint8"
            )
        pictures = np.asarray(held, np.uint8)
    pictures.flags.writeable = False
    return pictures


def packed_picture(path: Path, row: int) -> Pictures:
    """(H, W, 3) RGB: one image of a file, the rows counted from 0.

    Raises:
        BadInput: The file cannot be used, or has no such row.
    """
    pictures = packed_pictures(path)
    if not 0 <= row < len(pictures):
        raise BadInput(path, f"has {len(pictures)} images; there is no row {row}")
    picture = pictures[row]
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2)


def read_arrays(path: Path, *names: str) -> dict[str, NDArray[np.generic]]:
    """Some arrays of an `.npz` file; pickled objects are refused.

    Raises:
        BadInput: It cannot be read, or lacks one of them.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := [name for name in names if name not in file.files]:
                raise BadInput(path, f"has no array {missing[0]} (it has {', '.join(file.files)})")
            return {name: file[name] for name in names}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise BadInput(path, f"is no .npz file that can be read ({error})") from error


def _from_csv(path: Path) -> Pictures:
    """The column `pixels`."""
    rows = []
    for line, cells in read_rows(path, ["pixels"]):
        try:
            levels = np.array(cells["pixels"].split(), np.int64)
        except ValueError as error:
            raise BadInput(path, f"line {line}: pixels are no numbers ({error})") from error
        if levels.size != SIDE * SIDE or levels.min() < 0 or levels.max() > 255:
            raise BadInput(
                path,
                f"line {line}: pixels must be {SIDE * SIDE} grey levels from 0 to 255, and are "
                f"{levels.size} numbers",
            )
        rows.append(levels.astype(np.uint8).reshape(SIDE, SIDE))
    if not rows:
        raise BadInput(path, "holds no images")
    return np.stack(rows)
