"""The rectangle of the images that a container says to show, which PyAV does not tell."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from affuse.execution.remembered import remembered

Crop = tuple[int, int, int, int]
NONE: Crop = (0, 0, 0, 0)

_MOST = 64 * 1024 * 1024  # bytes of a description that are read
# Matroska: Segment, Tracks, TrackEntry and Video; then left, top, right and bottom
_EBML, _WAY = 0x1A45DFA3, {0x18538067, 0x1654AE6B, 0xAE, 0xE0}
_TRACK, _CLUSTER, _TYPE = 0xAE, 0x1F43B675, 0x83
_SIDES = {0x54CC: 0, 0x54BB: 1, 0x54DD: 2, 0x54AA: 3}
# MP4: boxes that hold boxes, with the bytes before these
_BOXES = {b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0, b"stsd": 8}
_SAMPLE_ENTRY = 78  # bytes of a description of images before its boxes


def cropping(path: str | Path, number: int, width: int, height: int) -> Crop:
    """Pixels that are not to be shown: Matroska's PixelCrop, or the clean aperture of an MP4.

    Args:
        path: The file, of any kind.
        number: Of the stream of images among all that the file describes, from 0.
        width: Of the stored image, in pixels.
        height: Of the stored image, in pixels.

    Returns:
        Left, top, right and bottom; zeros where the file says nothing that makes sense.
    """
    return _cropping(Path(path), number, width, height)


@remembered(64)
def _cropping(path: Path, number: int, width: int, height: int) -> Crop:
    try:
        with path.open("rb") as file:
            head = file.read(12)
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            if head[:4] == _EBML.to_bytes(4, "big"):
                found = list(_matroska(file, size))
            elif head[4:8] in {b"ftyp", b"moov", b"wide", b"mdat", b"free", b"skip"}:
                found = list(_mp4(file, size, width, height))
            else:
                return NONE
    except (OSError, ValueError, struct.error, ZeroDivisionError, OverflowError):
        return NONE
    crop = found[number] if number < len(found) else NONE
    left, top, right, bottom = crop
    inside = min(crop) >= 0 and left + right < width and top + bottom < height
    return crop if inside else NONE


def _matroska(file: BinaryIO, end: int) -> Iterator[Crop]:
    """The cropping of every track, in their order."""
    crop: list[int] | None = None
    while file.tell() < end:
        key, length = _number(file, keep=True), _number(file)
        following = file.tell() + length
        if key == _CLUSTER:
            break
        if key == _TRACK:
            if crop is not None:
                yield crop[0], crop[1], crop[2], crop[3]
            crop = [0, 0, 0, 0]
        elif crop is not None and key in _SIDES and length <= 8:
            crop[_SIDES[key]] = int.from_bytes(file.read(length), "big")
        if key not in _WAY:
            file.seek(following)
    if crop is not None:
        yield crop[0], crop[1], crop[2], crop[3]


def _number(file: BinaryIO, keep: bool = False) -> int:
    """A variable-length number; an id keeps the mark of its length."""
    first = file.read(1)
    if not first or not first[0]:
        raise ValueError("no EBML number")
    count = 8 - first[0].bit_length()
    value = first[0] if keep else first[0] & (0x7F >> count)
    return int.from_bytes(bytes([value]) + file.read(count), "big")


def _mp4(file: BinaryIO, end: int, width: int, height: int) -> Iterator[Crop]:
    """The cropping of every track, in their order."""
    moov = next((body for kind, body in _boxes_of(file, end) if kind == b"moov"), b"")
    for kind, track in _boxes(moov):
        if kind == b"trak":
            yield _clean_aperture(track, width, height)


def _boxes_of(file: BinaryIO, end: int) -> Iterator[tuple[bytes, bytes]]:
    """The outermost boxes; contents only of the description."""
    while file.tell() + 8 <= end:
        begin = file.tell()
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
        length = length or end - begin
        if length < 8:
            return
        yield kind, file.read(min(length, _MOST)) if kind == b"moov" else b""
        file.seek(begin + length)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if length < 8:
            return
        yield kind, data[at + 8 : at + length]
        at += length


def _clean_aperture(data: bytes, width: int, height: int, within: bytes = b"") -> Crop:
    """What `clap` leaves out of an image, in boxes that are looked through for it."""
    for kind, body in _boxes(data):
        if kind == b"clap":
            w, wd, h, hd, x, xd, y, yd = struct.unpack_from(">IIIIiIiI", body)
            middle = (width / 2 + x / xd, height / 2 + y / yd)
            left, top = round(middle[0] - w / wd / 2), round(middle[1] - h / hd / 2)
            return left, top, width - left - round(w / wd), height - top - round(h / hd)
        inner = _SAMPLE_ENTRY if within == b"stsd" else _BOXES.get(kind)
        found = NONE if inner is None else _clean_aperture(body[inner:], width, height, kind)
        if any(found):
            return found
    return NONE
