"""Streams of a corpus that came as arrays: `<clip>/<name>.npy`, a row per frame of 30 Hz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Clip, Corpus
from affuse.errors import AffuseError, BadInput
from affuse.execution.names import path_below
from affuse.features.catalogue import Sources, create_extractor, pattern_of, source_of
from affuse.features.extractor import Extractor
from affuse.features.files import finite_rows, present_rows, read_array
from affuse.features.pictures import RATE
from affuse.features.renamed import current_name
from affuse.features.stream import Stream, StreamSpec

#: Stream -> the array with its rows, and what a row is.
_ROWS = {"audio/vggish-published": ("vggish", (128,)), "audio/mfcc39-published": ("mfcc", (39,))}
_OWN = ("audio/imported-<word>", "video/imported-<word>")


def corpus_extractor(corpus: Corpus, name: str, source: Sources = None) -> Extractor:
    """The extractor of a stream of a corpus: of its recordings, or of the arrays that it came as.

    Args:
        corpus: Its clips; `arrays` is where the arrays lie.
        name: Of arrays: `video/aligned<N>` and what networks make of it, `audio/vggish-published`,
            `audio/mfcc39-published`; and `audio/imported-<word>` or `video/imported-<word>` for any
            other `<word>.npy` (T, D).
        source: Where imported streams are read from. For `audio/vggish-published` of arrays: the
            model file of VGGish that they were computed with, if models are to predict with it.

    Raises:
        AffuseError: No such stream, or one that the arrays do not hold.
    """
    if corpus.arrays is None:
        return create_extractor(name, source, corpus.classes)
    if current_name(name) in _ROWS:
        file, shape = _ROWS[current_name(name)]
        known = not name.startswith("audio/vggish") or source_of(name, source) is not None
        spec = create_extractor(name, source).spec if known else StreamSpec(name, RATE, shape)
        return ArrayRows(spec, corpus.arrays, file)
    if pattern_of(name) in _OWN:
        return _own(corpus, name)
    extractor = create_extractor(name, source, corpus.classes)
    if not any(extractor.sources(clip) for clip in corpus.clips):
        raise AffuseError(
            f"{corpus.arrays} holds no recordings to compute {name} of; it has images for "
            f"video/aligned<N>, {', '.join(_ROWS)}, and other arrays as {', '.join(_OWN)}"
        )
    return extractor


def _own(corpus: Corpus, name: str) -> Extractor:
    assert corpus.arrays is not None
    file = name.split("-", 1)[1]
    paths = (path_below(corpus.arrays, clip.id) / f"{file}.npy" for clip in corpus.clips)
    first = next((path for path in paths if path.is_file()), None)
    if first is None:
        raise BadInput(corpus.arrays, f"has no {file}.npy of any clip")
    shape = read_array(first, ("T", "D")).shape[1:]
    recipe = {"extractor": "own", "columns": None}
    return ArrayRows(StreamSpec(name, RATE, shape, recipe=recipe), corpus.arrays, file)


class ArrayRows:
    """Rows of numbers as they are.

    Args:
        spec: Of the stream, 30 Hz.
        folder: Where the folders of the clips lie.
        file: Name of the array, without `.npy`.
    """

    def __init__(self, spec: StreamSpec, folder: Path, file: str) -> None:
        self.spec, self.folder, self.file = spec, folder, file

    def sources(self, clip: Clip) -> list[Path]:
        """The clip's array."""
        path = path_below(self.folder, clip.id) / f"{self.file}.npy"
        return [path] if path.is_file() else []

    def extract(self, clip: Clip) -> Stream | None:
        """(T, D) float32, a row with a NaN absent; None without the array."""
        paths = self.sources(clip)
        if not paths:
            return None
        return present_rows(finite_rows(paths[0], rows_of(paths[0], clip, self.spec.shape)))


def array_values(path: Path, clip: Clip, dimensions: int) -> NDArray[np.float32]:
    """Continuous valence and arousal of a clip in an array.

    Args:
        path: (T, D) of any numbers.
        clip: The clip.
        dimensions: D.

    Returns:
        (T, D) float32.

    Raises:
        BadInput: As in `rows_of`, or a value beyond -1 to 1.
    """
    values = finite_rows(path, rows_of(path, clip, (dimensions,)))
    if len(wrong := np.flatnonzero(~(np.abs(values) <= 1).all(1))):
        raise BadInput(path, f"row {wrong[0] + 1} holds values beyond -1 to 1")
    return values


def rows_of(path: Path, clip: Clip, shape: tuple[int, ...]) -> NDArray[Any]:
    """An array of a clip, (T, ...) in the dtype of the file.

    Args:
        path: The file.
        clip: Where it ends says how many rows there are.
        shape: Of a row; of images (0, 0, 3), whatever their size.

    Raises:
        BadInput: It cannot be read, has rows of another shape, or more or fewer of them.
    """
    values = read_array(path, ("T", *(size or "any" for size in shape)))
    if clip.end is not None and len(values) != (expected := round(clip.end * RATE)):
        raise BadInput(path, f"has {len(values)} rows; its clip has {expected}")
    return values


def array_pictures(path: Path, clip: Clip) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Images of a clip in an array, and which of them are not black (no face was there).

    Args:
        path: (T, H, W, 3) RGB of any integers from 0 to 255: where a face is missing, the published
            preprocessing writes int16.
        clip: The clip.

    Returns:
        (T, H, W, 3) and (T,).

    Raises:
        BadInput: As in `rows_of`, or a value that no image has.
    """
    values = rows_of(path, clip, (0, 0, 3))
    if values.dtype != np.uint8 and not (
        values.dtype.kind in "iu" and values.min() >= 0 and values.max() <= 255
    ):
        raise BadInput(path, f"holds {values.dtype}, not images of levels from 0 to 255")
    return values.astype(np.uint8, copy=False), np.asarray(values.any((1, 2, 3)))
