"""Where files named after a clip lie."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

#: Names that Windows keeps for devices, whatever follows a dot.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_ESCAPED = re.compile(r"%(?=[0-9A-Fa-f]{2})")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ELSEWHERE = re.compile(r'[\\:*?"<>|]')
_LONGEST = 200  # bytes; file systems take 255, and suffixes and temporary names need some
_DIGEST = 12


def path_below(folder: Path, name: str, suffix: str = "") -> Path:
    """The file of a clip in a folder; never outside of it, whatever the clip is called.

    Args:
        folder: The folder.
        name: Id of the clip; parts between `/` are folders. Parts that are no names of files
            (`..`, none, `CON`, with control characters) are written with `%`, and of very long
            ones the end becomes a digest.
        suffix: Added to the name, such as `.csv`.
    """
    *above, last = map(_part, name.split("/"))
    return folder.joinpath(*above, last + suffix)


def name_problem(name: str) -> str:
    """Why a name that a user chose for a clip is not taken; empty where it is."""
    if _CONTROLS.search(name):
        return "holds a control character"
    parts = name.split("/")
    if name.startswith("/") or ".." in parts:
        return "leads out of a folder"
    if any(part in ("", ".") for part in parts):
        return "has an empty part"
    if any(len(part.encode()) > _LONGEST for part in parts):
        return f"is longer than {_LONGEST} bytes"
    return ""


def _part(part: str) -> str:
    part = _ESCAPED.sub("%25", part)
    if part in ("", ".", ".."):
        part = part.replace(".", "%2E") or "%00"
    part = _CONTROLS.sub(_escape, part)
    if os.name == "nt":
        part = _ELSEWHERE.sub(_escape, part)
    if _DEVICE.fullmatch(part):
        part = f"%{ord(part[0]):02X}{part[1:]}"
    encoded = part.encode()
    if len(encoded) > _LONGEST:
        digest = hashlib.sha256(encoded).hexdigest()[:_DIGEST]
        part = f"{encoded[: _LONGEST - _DIGEST - 1].decode('utf-8', 'ignore')}~{digest}"
    return part


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))
