"""The streams by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from affuse.errors import AffuseError
from affuse.features.extractor import Extractor
from affuse.features.renamed import current_name, earlier_name
from affuse.features.stream import StreamSpec
from affuse.registry import Entry, Registry, match


def _foreign(entry: Entry) -> Entry:
    """The entry of another package's extractor: its arguments are those that it takes."""
    asked = inspect.signature(entry.load()).parameters
    kinds = {"name": str, "source": Path, "rate": float, "size": int, "classes": tuple}
    return replace(entry, arguments={key: kinds[key] for key in asked if key in kinds})


#: Of the arguments `int` stands for the number in the name, `str` for the name, `Path` for the
#: source, `float` for the rate of its rows and `tuple` for the classes of the corpus.
#: `models.frozen.streams` adds what networks compute.
STREAMS: Registry[Entry] = Registry(
    "stream",
    {
        "audio/mfcc10": Entry(
            "affuse.features.sound:Mfcc",
            "10 MFCCs, 43 Hz",
        ),
        "audio/mfcc10-published": Entry(
            "affuse.features.published:PublishedMfcc",
            "10 MFCCs of the middle 3.6 s as published (reflected ends, librosa 0.8)",
        ),
        "audio/mfcc10-published-constant": Entry(
            "affuse.features.published:PublishedMfcc",
            "the same with zeros beyond the ends (librosa 0.9 and later)",
            {"padding": "constant"},
        ),
        "audio/logmel<N>-16k": Entry(
            "affuse.features.sound:LogMel",
            "log-mel spectrum, N bands up to 8 kHz, 50 Hz",
            {"mels": int},
        ),
        "audio/level": Entry(
            "affuse.features.level:Level",
            "power in dB, 20 Hz, of which fusion learns how noisy a sound is",
        ),
        "audio/loud": Entry(
            "affuse.features.level:Loud",
            "1 where the sound is loud, -1 in pauses, 20 Hz, so that these are not pooled",
        ),
        "audio/mfcc39": Entry(
            "affuse.features.sound:Mfcc39",
            "12 MFCCs and the zeroth with deltas and accelerations (openSMILE), 100 Hz",
        ),
        "audio/mfcc39-causal": Entry(
            "affuse.features.sound:Mfcc39",
            "the same, each row at the end of the sound that it is about",
            {"alignment": "causal"},
        ),
        "audio/mfcc39-published": Entry(
            "affuse.features.sound:Mfcc39",
            "the same as published: the row that begins with each frame, 30 Hz",
            {"alignment": "published"},
        ),
        "audio/egemaps": Entry(
            "affuse.features.opensmile:Egemaps",
            "23 descriptors of eGeMAPS v01a, 100 Hz; needs the extra opensmile",
        ),
        "audio/logmel64-tsav": Entry(
            "affuse.features.sound:TsavMel",
            "64 mel bands in decibels as TSAV hears them, 100 Hz",
        ),
        "audio/logmel64-vggish": Entry(
            "affuse.features.sound:VggishExamples",
            "the spectrogram (96, 64) of 0.96 s around each frame that VGGish reads, 30 Hz",
        ),
        "video/faces<N>": Entry(
            "affuse.features.faces:Faces",
            "RGB face crops of N x N pixels, 15 in 3.6 s, presence mask",
            {"size": int},
        ),
        "video/aligned<N>": Entry(
            "affuse.features.aligned:AlignedFaces",
            "face images of N x N pixels, 30 Hz: the corpus' own (Aff-Wild2), or face crops",
            {"size": int},
        ),
        "video/aligned<N>-published": Entry(
            "affuse.features.aligned:AlignedFaces",
            "the same resized as published (bicubic, Pillow)",
            {"size": int, "bicubic": True},
        ),
        "video/faces224-published": Entry(
            "affuse.features.published:PublishedFaces",
            "15 BGR crops of the first 3.6 s as published",
        ),
        "video/faces224-published-<N>": Entry(
            "affuse.features.published:PublishedFaces",
            "the same with N crops, 1 to 108 (--sample_duration)",
            {"frames": int},
        ),
        "video/openface": Entry(
            "affuse.features.openface:OpenFace",
            "action units imported from OpenFace CSV (per frame or per clip)",
            {"source": Path},
        ),
        "video/emoca50": Entry(
            "affuse.features.emoca:Emoca",
            "50 expression codes imported from EMOCA's files, one per image, 30 Hz",
            {"source": Path},
        ),
        "audio/imported-<word>": Entry(
            "affuse.features.imported:Imported",
            "your own features of the sound, one .npy or .csv per clip, at a rate that you declare",
            {"name": str, "source": Path, "rate": float},
        ),
        "video/imported-<word>": Entry(
            "affuse.features.imported:Imported",
            "your own features of the images, the same way",
            {"name": str, "source": Path, "rate": float},
        ),
        "audio/scores-<word>": Entry(
            "affuse.features.scores:Scores",
            "what another model of the sound scored the classes of each clip with, from a CSV",
            {"name": str, "source": Path, "classes": tuple},
        ),
        "video/scores-<word>": Entry(
            "affuse.features.scores:Scores",
            "the same of a model of the images",
            {"name": str, "source": Path, "classes": tuple},
        ),
    },
    group="affuse.streams",
    listed_by="affuse list streams",
    foreign=_foreign,
)


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


def create_extractor(name: str, source: Sources = None, classes: Sequence[str] = ()) -> Extractor:
    """The extractor of a stream.

    Args:
        name: A name that `STREAMS` describes, such as `video/faces224`.
        source: File or folder that an imported stream is read from.
        classes: Names of the classes of the corpus in their order, for imported scores.

    Raises:
        AffuseError: No such stream, or an imported stream without its source.
    """
    now = current_name(name)
    entry = STREAMS[now]
    given = {
        key: tuple(classes) if value is tuple else _argument(now, value, source)
        for key, value in entry.arguments.items()
    }
    extractor: Extractor = entry.load()(**given)
    if now != name:
        extractor.spec = replace(extractor.spec, name=name)
    return extractor


def _argument(name: str, value: Any, source: Sources) -> Any:
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
    if value is int and (found := match(pattern_of(name) or "", name)) and found.groups():
        return int(found[1])
    return name if value is str else value


def is_stream(name: str) -> bool:
    """Whether affuse makes or imports a stream of this name."""
    return pattern_of(name) is not None


def pattern_of(name: str) -> str | None:
    """The name in `STREAMS` that describes a stream."""
    return STREAMS.pattern_of(current_name(name))


def needs_rate(name: str) -> bool:
    """Whether the user declares the rate of a stream, given by its name or its pattern."""
    pattern = name if "<" in name else pattern_of(name)
    return pattern is not None and float in STREAMS[pattern].arguments.values()


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
    names = (name, current_name(name), earlier_name(name), pattern_of(name) or "")
    return next((source[one] for one in names if one in source), None)


def imported_streams() -> list[str]:
    """Names of the streams that are read from files that another program made."""
    return [name for name in STREAMS if _is_imported(name)]


def _is_imported(name: str) -> bool:
    try:
        return Path in STREAMS[name].arguments.values()
    except AffuseError:  # of a package that cannot be imported
        return False


def stream_spec(name: str) -> StreamSpec:
    """The spec of a computed stream.

    Raises:
        AffuseError: No such stream, or one that is imported (its spec depends on its files).
    """
    return create_extractor(name).spec
