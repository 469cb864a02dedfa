"""The streams by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from affuse.errors import AffuseError
from affuse.features.extractor import Extractor
from affuse.features.stream import StreamSpec
from affuse.suggestions import unknown

#: Pattern of names -> ("module:Class" in affuse, its arguments taken from the name, what it is).
#: What a network computes lives beside the networks, in `models.frozen`.
#: `<N>` in a name stands for a number, `<word>` for letters, digits, `-` and `_`. Of the types
#: among the arguments `int` is that number, `str` the name, `Path` the source and `float` the rate
#: of its rows.
STREAMS: dict[str, tuple[str, dict[str, Any], str]] = {
    "audio/mfcc10": ("features.sound:Mfcc", {}, "10 MFCCs, 43 Hz"),
    "audio/mfcc10-reference": (
        "features.sound:ReferenceMfcc",
        {},
        "10 MFCCs of the middle 3.6 s as published (reflected ends, librosa 0.8)",
    ),
    "audio/mfcc10-reference-constant": (
        "features.sound:ReferenceMfcc",
        {"padding": "constant"},
        "the same with zeros beyond the ends (librosa 0.9 and later)",
    ),
    "audio/logmel<N>-16k": (
        "features.sound:LogMel",
        {"mels": int},
        "log-mel spectrum, N bands up to 8 kHz, 50 Hz",
    ),
    "audio/mfcc39": (
        "features.sound:Mfcc39",
        {},
        "12 MFCCs and the zeroth with deltas and accelerations (openSMILE), 100 Hz",
    ),
    "audio/mfcc39-causal": (
        "features.sound:Mfcc39",
        {"placing": "causal"},
        "the same, each row at the end of the sound that it is about",
    ),
    "audio/mfcc39-reference": (
        "features.sound:Mfcc39",
        {"placing": "reference"},
        "the same as published: the row that begins with each frame, 30 Hz",
    ),
    "audio/egemaps": (
        "features.opensmile:Egemaps",
        {},
        "23 descriptors of eGeMAPS v01a, 100 Hz; needs the extra opensmile",
    ),
    "audio/logmel64-tsav": (
        "features.sound:TsavMel",
        {},
        "64 mel bands in decibels as TSAV hears them, 100 Hz",
    ),
    "audio/logmel64-vggish": (
        "features.sound:VggishExamples",
        {},
        "the spectrogram (96, 64) of 0.96 s around each frame that VGGish reads, 30 Hz",
    ),
    "audio/vggish": (
        "models.frozen.vggish:Vggish",
        {"source": Path},
        "128 features of VGGish on the second around each frame, 30 Hz; weights imported",
    ),
    "audio/vggish-causal": (
        "models.frozen.vggish:Vggish",
        {"source": Path, "placing": "causal"},
        "the same on the second before each frame",
    ),
    "audio/vggish-reference": (
        "models.frozen.vggish:Vggish",
        {"source": Path, "placing": "reference"},
        "the same as published: on the second that begins with each frame",
    ),
    "audio/tsav": (
        "models.frozen.tsav:TsavSound",
        {"source": Path},
        "512 features of TSAV on the 10 s around each frame, 3.75 Hz; weights imported",
    ),
    "audio/tsav-reference": (
        "models.frozen.tsav:TsavSound",
        {"source": Path, "placing": "reference"},
        "the same on the second before each frame, as joint attention reads it, 30 Hz",
    ),
    "audio/frozen-<word>": (
        "models.frozen.front_end:FrozenFrontEnd",
        {"name": str, "source": Path},
        "what the audio front-end of a model file makes of its stream",
    ),
    "audio/wav2vec2": (
        "features.wav2vec2:Wav2Vec2",
        {"source": Path},
        "last layer of a frozen wav2vec 2.0 of 12 layers, 50 Hz; weights imported",
    ),
    "video/faces<N>": (
        "features.faces:Faces",
        {"size": int},
        "RGB face crops of N x N pixels, 15 in 3.6 s, presence mask",
    ),
    "video/aligned<N>": (
        "features.aligned:AlignedFaces",
        {"size": int},
        "face pictures of N x N pixels, 30 Hz: the corpus' own (Aff-Wild2), or crops of the face",
    ),
    "video/aligned<N>-reference": (
        "features.aligned:AlignedFaces",
        {"size": int, "bicubic": True},
        "the same resized as published (bicubic, Pillow)",
    ),
    "video/ir50": (
        "models.frozen.front_end:FrozenIR50",
        {"source": Path},
        "512 features of IR-50 on face pictures of 40 x 40 pixels, 30 Hz; weights imported",
    ),
    "video/tsav": (
        "models.frozen.tsav:TsavPictures",
        {"source": Path},
        "maps (512, 7, 7) of TSAV on 8 pictures up to each frame, 3.75 Hz; weights imported",
    ),
    "video/tsav-reference": (
        "models.frozen.tsav:TsavPictures",
        {"source": Path, "placing": "reference"},
        "the same as joint attention reads them, 30 Hz",
    ),
    "video/frozen-<word>": (
        "models.frozen.front_end:FrozenFrontEnd",
        {"name": str, "source": Path},
        "what the video front-end of a model file makes of its stream",
    ),
    "video/faces224-reference": (
        "features.faces:ReferenceFaces",
        {},
        "15 BGR crops of the first 3.6 s as published",
    ),
    "video/faces224-reference-<N>": (
        "features.faces:ReferenceFaces",
        {"frames": int},
        "the same with N crops, 1 to 108 (--sample_duration)",
    ),
    "video/openface": (
        "features.openface:OpenFace",
        {"source": Path},
        "action units imported from OpenFace CSV (per frame or per clip)",
    ),
    "video/emoca50": (
        "features.emoca:Emoca",
        {"source": Path},
        "50 expression codes imported from EMOCA's files, one per picture, 30 Hz",
    ),
    "audio/own-<word>": (
        "features.imported:Imported",
        {"name": str, "source": Path, "rate": float},
        "your own features of the sound, one .npy or .csv per clip, at a rate that you declare",
    ),
    "video/own-<word>": (
        "features.imported:Imported",
        {"name": str, "source": Path, "rate": float},
        "your own features of the pictures, the same way",
    ),
}


@dataclass(frozen=True)
class Rated:
    """A source whose files do not tell their rate.

    Args:
        path: File or folder.
        rate: Rows per second in Hz; 0 for one row per clip.
    """

    path: Path
    rate: float


#: Where imported streams are read from: one source for all of them, or one by the name of each
#: stream, or by its pattern for all streams of it that are not named.
Sources = Path | Rated | Mapping[str, Path | Rated] | None


def create_extractor(name: str, source: Sources = None) -> Extractor:
    """The extractor of a stream.

    Args:
        name: A name that `STREAMS` describes, such as `video/faces224`.
        source: File or folder that an imported stream is read from.

    Raises:
        AffuseError: No such stream, or an imported stream without its source.
    """
    pattern = pattern_of(name)
    if pattern is None:
        raise unknown("stream", name, STREAMS, "affuse list streams")
    target, options, _ = STREAMS[pattern]
    given = {key: _argument(name, pattern, value, source) for key, value in options.items()}
    module, attribute = target.split(":")
    extractor: Extractor = getattr(import_module(f"affuse.{module}"), attribute)(**given)
    return extractor


def _argument(name: str, pattern: str, value: Any, source: Sources) -> Any:
    if value is Path:
        if (path := source_of(name, source)) is None:
            raise AffuseError(f"stream {name} is imported; say where from with --source")
        return path
    if value is float:
        if (rate := rate_of(name, source)) is None:
            raise AffuseError(
                f"stream {name} needs the rate of its rows in Hz, such as --rate {name}=25 "
                "(0: one row per clip)"
            )
        return rate
    if value is int and (match := _match(pattern, name)):
        return int(match[1])
    return name if value is str else value


def is_stream(name: str) -> bool:
    """Whether affuse makes or imports a stream of this name."""
    return pattern_of(name) is not None


def pattern_of(name: str) -> str | None:
    """The name in `STREAMS` that describes a stream."""
    return next((pattern for pattern in STREAMS if _match(pattern, name)), None)


def _match(pattern: str, name: str) -> re.Match[str] | None:
    pattern = pattern.replace("<N>", r"([1-9]\d{0,2})").replace("<word>", r"[A-Za-z0-9][\w-]*")
    return re.fullmatch(pattern, name, re.ASCII)


def needs_rate(name: str) -> bool:
    """Whether the user declares the rate of a stream, given by its name or its pattern."""
    pattern = name if name in STREAMS else pattern_of(name)
    return pattern is not None and float in STREAMS[pattern][1].values()


def source_of(name: str, source: Sources) -> Path | None:
    """Where a stream is read from, or None where that is not said."""
    found = _said_of(name, source)
    return found.path if isinstance(found, Rated) else found


def rate_of(name: str, source: Sources) -> float | None:
    """The declared rate of a stream in Hz, or None where there is none."""
    found = _said_of(name, source)
    return found.rate if isinstance(found, Rated) else None


def _said_of(name: str, source: Sources) -> Path | Rated | None:
    if not isinstance(source, Mapping):
        return source
    return source.get(name) or source.get(pattern_of(name) or "")


def imported_streams() -> list[str]:
    """Names of the streams that are read from files that another program made."""
    return [name for name, (_, options, _) in STREAMS.items() if Path in options.values()]


def stream_spec(name: str) -> StreamSpec:
    """The spec of a computed stream.

    Raises:
        AffuseError: No such stream, or one that is imported (its spec depends on its files).
    """
    return create_extractor(name).spec
