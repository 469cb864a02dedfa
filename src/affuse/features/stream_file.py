"""One stream of a store: all clips one after the other in a file.

A stream file holds `values` (sum of T, ...), `mask` (sum of T,), `offset` (clips + 1,) and `start`
(clips,) in seconds; its metadata holds the spec and the clip ids. Any safetensors reader opens it.
Values and mask of every clip, and the rest of the file, have checksums (`affuse check --store`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from affuse.errors import BadInput
from affuse.features.archive import open_archive
from affuse.features.stream import Stream, StreamSpec


class StreamFile:
    """One stream of all clips of a store, memory-mapped.

    What a clip holds is compared with its checksum when it is first read. Files that were written
    before there were checksums are read as they are.

    Args:
        path: The file.

    Raises:
        BadInput: The file is absent or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive = open_archive(path, later=("values", "mask"))
        arrays, metadata = self._archive.arrays, self._archive.metadata
        try:
            self.spec = StreamSpec.from_json(metadata["spec"])
            # views of the maps, lists and a byte per clip: what a read costs beside its copy
            self._values, self._mask = np.asarray(arrays["values"]), np.asarray(arrays["mask"])
            offset, start = np.array(arrays["offset"]), np.array(arrays["start"])
            self._first, self._start = offset.tolist(), start.tolist()
            self._rows = {clip: row for row, clip in enumerate(metadata["clips"])}
            #: Clip -> what its files were when the stream was made.
            self.made_from: dict[str, str] = dict(
                zip(metadata["clips"], metadata["made_from"], strict=True)
            )
            #: Clip -> what of it could not be used, or was put right.
            self.notes: dict[str, list[str]] = metadata.get("notes", {})
            #: Clip -> why it could not be decoded, so that it is absent.
            self.broken: dict[str, str] = metadata.get("broken", {})
            #: Clip -> its length in seconds, where it is a recording.
            self.seconds: dict[str, float] = metadata.get("seconds", {})
            #: Clip -> which part of the clips the model that scored it was not trained on.
            self.folds: dict[str, str] = metadata.get("folds", {})
        except (KeyError, TypeError) as error:
            raise BadInput(path, f"lacks parts of a stream ({error}); prepare it again") from error
        except ValueError as error:
            raise BadInput(path, f"is damaged ({error}); prepare it again") from error
        if wrong := self._wrong(len(metadata["clips"]), offset, start):
            raise BadInput(path, f"is damaged ({wrong}); prepare it again")
        self._known = bytearray(len(self._rows))

    def _wrong(self, clips: int, offset: np.ndarray, start: np.ndarray) -> str:
        """What does not go together; nothing where all does."""
        spec, arrays = self.spec, self._archive.arrays
        kinds: dict[str, tuple[str, tuple[int, ...]]] = {
            "offset": ("int64", (clips + 1,)),
            "start": ("float64", (clips,)),
        }
        total = int(offset[-1]) if offset.shape == (clips + 1,) else 0
        kinds |= {"values": (spec.dtype, (total, *spec.shape)), "mask": ("bool", (total,))}
        if len(self._rows) != clips or {*arrays} != {*kinds}:
            return "two clips of one name" if len(self._rows) != clips else "arrays of no stream"
        for name, (dtype, shape) in kinds.items():
            if arrays[name].dtype != dtype or arrays[name].shape != shape:
                return f"{name} is {arrays[name].dtype} {arrays[name].shape}, not {dtype} {shape}"
        if offset[0] != 0 or (np.diff(offset) < 0).any():
            return "its clips do not lie one after the other"
        if not np.isfinite(start).all():
            return "a clip does not begin at a number of seconds"
        return ""

    @property
    def digest(self) -> str:
        """SHA-256 that tells the content, as far as the file has checksums."""
        return self._archive.digest

    @property
    def checked(self) -> bool:
        """Whether the file has checksums."""
        return self._archive.checked

    @property
    def clips(self) -> list[str]:
        """The clips in their order."""
        return list(self._rows)

    def __contains__(self, clip: str) -> bool:
        return clip in self._rows

    def __getitem__(self, clip: str) -> Stream:
        """The stream of a clip.

        Raises:
            BadInput: It is not what was written.
        """
        row = self._rows[clip]
        if not self._known[row]:
            self._check("values", clip)
            self._check("mask", clip)
            self._known[row] = True
        return self._stream(row)

    def outline(self, clip: str) -> Stream:
        """The same for its length and its mask: the values are not compared with their checksum.

        Raises:
            BadInput: The mask is not what was written.
        """
        self._check("mask", clip)
        return self._stream(self._rows[clip])

    def _stream(self, row: int) -> Stream:
        part = slice(self._first[row], self._first[row + 1])
        return Stream(self._values[part], self._mask[part], self._start[row])

    def intact(self, clip: str) -> bool:
        """Whether a clip is what was written."""
        row = self._rows[clip]
        return all(self._archive.intact(name, row) for name in ("values", "mask"))

    def _check(self, name: str, clip: str) -> None:
        if not self._archive.intact(name, self._rows[clip]):
            reason = f"clip {clip} is damaged (its {name} are not those that were written)"
            raise BadInput(self.path, f"{reason}; prepare it again")
