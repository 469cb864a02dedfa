"""The streams by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from affuse.errors import AffuseError
from affuse.features.extractor import Extractor
from affuse.features.stream import StreamSpec

#: Pattern of names -> ("module:Class", keyword arguments taken from the name, what it is).
#: `<N>` in a name stands for a number.
STREAMS: dict[str, tuple[str, dict[str, Any], str]] = {
    "audio/mfcc10": ("sound:Mfcc", {}, "10 MFCCs, 43 Hz"),
    "audio/mfcc10-reference": (
        "sound:ReferenceMfcc",
        {},
        "10 MFCCs of the middle 3.6 s as published (reflected ends, librosa 0.8)",
    ),
    "audio/mfcc10-reference-constant": (
        "sound:ReferenceMfcc",
        {"padding": "constant"},
        "the same with zeros beyond the ends (librosa 0.9 and later)",
    ),
    "audio/logmel<N>-16k": (
        "sound:LogMel",
        {"mels": int},
        "log-mel spectrum, N bands up to 8 kHz, 50 Hz",
    ),
    "audio/mfcc39": (
        "sound:Mfcc39",
        {},
        "12 MFCCs and the zeroth with deltas and accelerations (openSMILE), 100 Hz",
    ),
    "audio/wav2vec2": (
        "wav2vec2:Wav2Vec2",
        {"source": Path},
        "last layer of a frozen wav2vec 2.0 of 12 layers, 50 Hz; weights imported",
    ),
    "video/faces<N>": (
        "faces:Faces",
        {"size": int},
        "RGB face crops of N x N pixels, 15 in 3.6 s, presence mask",
    ),
    "video/faces224-reference": (
        "faces:ReferenceFaces",
        {},
        "15 BGR crops of the first 3.6 s as published",
    ),
    "video/openface": (
        "openface:OpenFace",
        {"source": Path},
        "action units imported from OpenFace CSV (per frame or per clip)",
    ),
    "video/emoca50": (
        "emoca:Emoca",
        {"source": Path},
        "50 expression codes imported from EMOCA's files, one per picture, 30 Hz",
    ),
}


#: Where imported streams are read from: one path for all of them, or stream name -> path.
Sources = Path | Mapping[str, Path] | None


def create_extractor(name: str, source: Sources = None) -> Extractor:
    """The extractor of a stream.

    Args:
        name: A name that `STREAMS` describes, such as `video/faces224`.
        source: File or folder that an imported stream is read from.

    Raises:
        AffuseError: No such stream, or an imported stream without its source.
    """
    for pattern, (target, options, _) in STREAMS.items():
        match = _match(pattern, name)
        if match is None:
            continue
        given: dict[str, Any] = {}
        for key, value in options.items():
            if value is Path:
                path = source_of(name, source)
                if path is None:
                    raise AffuseError(f"stream {name} is imported; say where from with --{key}")
                given[key] = path
            else:
                given[key] = int(match[1]) if value is int else value
        module, attribute = target.split(":")
        extractor: Extractor = getattr(import_module(f"affuse.features.{module}"), attribute)(
            **given
        )
        return extractor
    near = difflib.get_close_matches(name, STREAMS, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise AffuseError(f"unknown stream {name!r}{hint} (known: {', '.join(STREAMS)})")


def is_stream(name: str) -> bool:
    """Whether affuse makes or imports a stream of this name."""
    return any(_match(pattern, name) for pattern in STREAMS)


def _match(pattern: str, name: str) -> re.Match[str] | None:
    return re.fullmatch(pattern.replace("<N>", r"([1-9]\d{0,2})"), name)


def source_of(name: str, source: Sources) -> Path | None:
    """Where a stream is read from, or None where that is not said."""
    return source.get(name) if isinstance(source, Mapping) else source


def imported_streams() -> list[str]:
    """Names of the streams that are read from files that another program made."""
    return [name for name, (_, options, _) in STREAMS.items() if Path in options.values()]


def stream_spec(name: str) -> StreamSpec:
    """The spec of a computed stream.

    Raises:
        AffuseError: No such stream, or one that is imported (its spec depends on its files).
    """
    return create_extractor(name).spec
