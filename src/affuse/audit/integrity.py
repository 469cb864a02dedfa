"""What is there of a corpus, what is missing, and what is broken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.counts import label_counts
from affuse.errors import BadInput
from affuse.execution.executors import map_unordered
from affuse.execution.files import file_digest
from affuse.execution.progress import progress
from affuse.execution.worker import allow
from affuse.features.annotation import problems
from affuse.media.allowance import time_limit
from affuse.media.audio import read_sound, survey
from affuse.media.probe import MediaInfo, probe
from affuse.media.timestamps import picture_times
from affuse.media.video import read_frames

#: Columns of `table`.
COLUMNS = ("clip", "speaker", "seconds", "sound", "pictures", "broken", "notes")
#: Seconds by which the sound and the images of a clip may differ in length, and by which a file
#: may hold less than it says.
_TOLERANCE = 0.5


@dataclass
class Examined:
    """One clip.

    Args:
        clip: Its id.
        seconds: Length of the part of its files that it is; None where nothing can be opened.
        has_sound: Whether there is sound.
        has_pictures: Whether there are images.
        picture: Width, height and frames per second; empty without images.
        broken: What keeps it, or a part of it, from being used.
        notes: What else is to be known.
        digests: File -> SHA-256.
    """

    clip: str
    seconds: float | None = None
    has_sound: bool = False
    has_pictures: bool = False
    picture: str = ""
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    digests: dict[Path, str] = field(default_factory=dict)


def examine(corpus: Corpus, workers: int = 1, whole: bool = False) -> list[Examined]:
    """Open every clip of a corpus.

    Args:
        corpus: The clips.
        workers: Processes.
        whole: Whether all sound and images are decoded, or their beginning.

    Returns:
        One entry per clip, in the order of the corpus. Clips that are known to be bad are broken;
        of files of equal content each clip is told of the first.
    """
    found: dict[str, Examined] = {}
    work = map_unordered(
        partial(_examine, whole=whole), corpus.clips, workers, limit=time_limit(), lost=_lost
    )
    for one in progress(work, "check", total=len(corpus.clips)):
        found[one.clip] = one
    for name, reason in corpus.bad.items():
        found[name].broken.append(f"known to be bad: {reason}")
    order = [found[clip.id] for clip in corpus.clips]
    if any(one.digests for one in order):
        for clip in corpus.clips:
            if not (clip.video or clip.audio or clip.images):
                found[clip.id].notes.append("no recording")
    _tell_copies(order)
    return order


def _tell_copies(clips: Sequence[Examined]) -> None:
    files: dict[str, dict[Path, Examined]] = defaultdict(dict)
    for one in clips:
        for path, digest in one.digests.items():
            files[digest].setdefault(path, one)
    for paths in files.values():
        (original, first), *copies = paths.items()
        for path, one in copies:
            one.broken.append(f"{path} is a copy of {original} (clip {first.clip})")


def _lost(clip: Clip, reason: str, _: object) -> Examined:
    place = clip.video or clip.audio or clip.images or clip.id
    return Examined(clip.id, broken=[f"{place}: the process that decoded it {reason}"])


def _examine(clip: Clip, whole: bool) -> Examined:
    found = Examined(clip.id)
    files = list(dict.fromkeys(path for path in (clip.video, clip.audio) if path is not None))
    allow(time_limit(files))
    media: dict[Path, MediaInfo] = {}
    for path in files:
        try:
            found.digests[path] = file_digest(path)
            media[path] = probe(path)
        except (BadInput, OSError) as error:
            found.broken.append(str(error))
    found.notes += [note for info in media.values() for note in _about_header(info)]
    for path, info in media.items():
        if clip.start or clip.end is not None:
            found.broken += _about_part(clip, path, info)
    _about_pictures(clip, media, found)
    _about_sound(clip, media, found)
    if whole:
        for path, info in media.items():
            found.broken += [*_about_length(path, info), *_about_samples(path)]
    if clip.annotation is not None or clip.images is not None:
        found.notes += problems(clip)
    return found


def _about_pictures(clip: Clip, media: dict[Path, MediaInfo], found: Examined) -> None:
    info = media.get(clip.video) if clip.video else None
    if info is None:
        return
    found.has_pictures = info.has_video
    found.seconds = _part(clip, info)
    if info.has_video:
        found.picture = f"{info.width}x{info.height} {info.fps:.2f} fps"
    else:
        found.broken.append(f"{clip.video}: no images")


def _about_sound(clip: Clip, media: dict[Path, MediaInfo], found: Examined) -> None:
    info = media.get(clip.audio) if clip.audio else None
    if info is None:
        return
    found.has_sound = info.has_audio
    if not info.has_audio:
        # a video that stands in for a missing sound file may well be silent
        (found.notes if clip.audio == clip.video else found.broken).append(
            f"{clip.audio}: no sound"
        )
        return
    seconds = _part(clip, info)
    if found.seconds is not None and abs(found.seconds - seconds) > _TOLERANCE:
        found.notes.append(f"{seconds:.2f} s of sound beside {found.seconds:.2f} s of images")
    found.seconds = seconds if found.seconds is None else found.seconds


def _about_part(clip: Clip, path: Path, info: MediaInfo) -> Iterator[str]:
    """What is wrong with the start and the end of a clip, by the length of its file."""
    if clip.start >= info.duration > 0:
        yield f"{path}: begins at {clip.start:g} s, but the file ends at {info.duration:.2f} s"
    elif clip.end is not None and clip.end > info.duration + _TOLERANCE > _TOLERANCE:
        yield f"{path}: is to end at {clip.end:g} s, but the file ends at {info.duration:.2f} s"


def _part(clip: Clip, info: MediaInfo) -> float:
    end = info.duration if clip.end is None else min(clip.end, info.duration)
    return max(end - clip.start, 0.0)


def _about_header(info: MediaInfo) -> Iterator[str]:
    """What a file says about its length, where that is not what is in it."""
    if info.stated is not None and abs(info.stated - info.duration) > _TOLERANCE:
        yield f"{info.path}: its header says {info.stated:.2f} s, it holds {info.duration:.2f} s"


def _about_length(path: Path, info: MediaInfo) -> Iterator[str]:
    """What of a file cannot be decoded."""
    kinds: list[tuple[str, bool, Callable[[Path], float]]] = [
        ("pictures", info.has_video, _last_picture),
        ("sound", info.has_audio, _last_sound),
    ]
    for what, there, measure in kinds:
        try:
            seconds = measure(path) if there else info.duration
        except BadInput as error:
            yield str(error)
            continue
        if seconds < info.duration - _TOLERANCE:
            yield f"{path}: {what} end after {seconds:.2f} of {info.duration:.2f} s"


def _about_samples(path: Path) -> Iterator[str]:
    """What is wrong with the samples of the sound and would be put right."""
    try:
        found = survey(path)
    except BadInput:  # told where its length is measured
        return
    yield from (f"{path}: {note}" for note in (found.notes if found else ()))


def _last_picture(path: Path) -> float:
    decoded = sum(1 for _ in read_frames(path))
    times = picture_times(path)
    return float(times[min(decoded, len(times)) - 1])


def _last_sound(path: Path, rate: int = 8000) -> float:
    sound = read_sound(path, rate)
    return 0.0 if sound is None else len(sound.samples) / rate


def table(corpus: Corpus, clips: Sequence[Examined]) -> Iterator[tuple[str, ...]]:
    """One row of `COLUMNS` per clip.

    Args:
        corpus: The corpus.
        clips: What `examine` found, in the order of the corpus.
    """
    for clip, one in zip(corpus.clips, clips, strict=True):
        yield (
            clip.id,
            clip.speaker or "",
            "" if one.seconds is None else f"{one.seconds:.3f}",
            "yes" if one.has_sound else "",
            one.picture,
            "; ".join(one.broken),
            "; ".join(one.notes),
        )


def summary(corpus: Corpus, clips: Sequence[Examined]) -> dict[str, Any]:
    """What is there, what is missing and broken, and labels by every rule, as JSON values.

    Args:
        corpus: The corpus.
        clips: What `examine` found.
    """
    seconds = [one.seconds for one in clips if one.seconds is not None]
    return {
        "corpus": corpus.name,
        "root": str(corpus.root),
        "licence": corpus.licence,
        "clips": len(clips),
        "speakers": len({clip.speaker for clip in corpus.clips if clip.speaker}),
        "sessions": len({clip.session for clip in corpus.clips if clip.session}),
        "with_sound": sum(one.has_sound for one in clips),
        "with_pictures": sum(one.has_pictures for one in clips),
        "with_face_pictures": sum(clip.images is not None for clip in corpus.clips),
        "with_annotation": sum(clip.annotation is not None for clip in corpus.clips),
        "seconds": round(sum(seconds), 1),
        "shortest": min(seconds, default=None),
        "longest": max(seconds, default=None),
        "pictures": sorted({one.picture for one in clips if one.picture}),
        "left_out": corpus.left_out,
        "missing": corpus.missing,
        "spelling": corpus.notes,
        "broken": {one.clip: one.broken for one in clips if one.broken},
        "notes": {one.clip: one.notes for one in clips if one.notes},
        "labels": label_counts(corpus),
    }
