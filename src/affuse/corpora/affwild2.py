"""Aff-Wild2, valence and arousal (Kollias & Zafeiriou 2019), in the publisher's layouts.

The archives of videos, face images and annotations unpack into folders that may lie anywhere
below one root: `VA_Set` (or `VA_Estimation_Challenge` of later competitions) with `Train_Set` and
`Validation_Set`, one text file per trial; `cropped_aligned` (and `cropped_aligned_new_50_vids`)
with a folder of face images per trial; and videos. A trial is one person of one video: where two
people are annotated, the names end in `_left` and `_right`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from affuse.corpora.annotation import VALENCE_AROUSAL
from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.tree import Tree, check_folder, is_synthetic, walk_folders
from affuse.errors import BadInput

CLASSES = VALENCE_AROUSAL
LICENCE = "Aff-Wild2 EULA, non-commercial research only (Kollias & Zafeiriou 2019)"
#: First line of the README.txt that marks a folder as made by `affuse synth affwild2`.
SYNTHETIC = "A synthetic look-alike of Aff-Wild2, made by affuse (affuse synth affwild2)."
SYNTHETIC_LICENCE = "CC0-1.0 (synthetic look-alike of Aff-Wild2, nobody was recorded)"
_PARTITIONS = {"train_set": "train", "validation_set": "validation"}
_ANNOTATIONS = re.compile(r"VA_(Set|Estimation_Challenge)", re.IGNORECASE)
_PICTURES = re.compile(r"cropped_aligned(_.*)?", re.IGNORECASE)
_VIDEOS = {".mp4", ".avi"}
_ARCHIVES = {".zip", ".rar", ".7z"}
_SIDE = re.compile(r"_(left|right)$")
_PART = re.compile(r"(video\d+)_\d+((?:_left|_right)?)")


def read(root: Path) -> Corpus:
    """The trials below a folder.

    Args:
        root: Folder below which annotations, face images and videos lie, in whatever order they
            were unpacked; face images and videos may be absent.

    Returns:
        One clip per trial in the order of the published lists (by name and `.txt`). Trials without
        annotation that have a folder of face images are the test set. People are not published:
        a clip's speaker is the trial's name without the number of a part, so that people who occur
        in several videos are not known. `missing` names what trials lack.

    Raises:
        BadInput: The folder is absent, holds no annotation of valence and arousal, or holds one
            thing twice.
    """
    root = Path(root)
    check_folder(root)
    found = _find(root)
    _check_annotations(found, root)
    trials = sorted({*found.annotations, *found.images}, key=lambda trial: f"{trial}.txt")
    clips = [_clip(trial, found) for trial in trials]
    used = {clip.video for clip in clips}
    found.left_out["videos of no trial"] = sum(v not in used for v in found.videos.values())
    return Corpus(
        name="affwild2",
        root=root,
        clips=clips,
        classes=CLASSES,
        licence=SYNTHETIC_LICENCE if is_synthetic(root, SYNTHETIC) else LICENCE,
        task="valence-arousal",
        left_out={reason: count for reason, count in sorted(found.left_out.items()) if count},
        missing=found.absent + _missing(clips, found),
    )


def clip_named(name: str) -> Clip | None:
    """The trial of a name, without files, or None for no name."""
    return _clip(name, _Found()) if name else None


@dataclass
class _Found:
    """What lies below a root.

    Args:
        annotations: Trial -> partition, file.
        images: Trial -> folder of face images.
        videos: Name -> file.
        sets: Partition -> folders with its annotations.
        folders: Names of all folders.
        archives: Files that may not have been unpacked.
        left_out: Reason -> number of files or folders.
        absent: A line per file whose content is not here.
    """

    annotations: dict[str, tuple[str, Path]] = field(default_factory=dict)
    images: dict[str, Path] = field(default_factory=dict)
    videos: dict[str, Path] = field(default_factory=dict)
    sets: dict[str, list[Path]] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    archives: list[Path] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    absent: list[str] = field(default_factory=list)


def _find(root: Path) -> _Found:
    """Walk through everything but the folders of face images, which hold millions of files."""
    found = _Found()
    tree = Tree(root)
    for here, folders, files in walk_folders(root, tree.missing):
        found.folders.update(folders)
        partition = _partition(here, root)
        if partition is not None:
            found.sets.setdefault(partition, []).append(here)
        for path in (here / name for name in files):
            suffix = path.suffix.lower()
            annotates = partition is not None and suffix == ".txt"
            if (annotates or suffix in _VIDEOS) and not tree.holds(path):
                continue
            if partition is not None and annotates:
                _add_annotation(found, partition, path)
            elif suffix in _VIDEOS:
                _add_video(found, path)
            elif suffix in _ARCHIVES:
                found.archives.append(path)
        if _PICTURES.fullmatch(here.name):
            for name in (name for name in folders if not _PICTURES.fullmatch(name)):
                if name in found.images:
                    found.left_out["second folders of face images"] += 1
                found.images.setdefault(name, here / name)
            folders[:] = [name for name in folders if _PICTURES.fullmatch(name)]
    found.left_out += tree.left_out
    found.absent = tree.missing
    return found


def _partition(folder: Path, root: Path) -> str | None:
    """Which partition's annotations of valence and arousal a folder holds."""
    above = [root.resolve().name, *folder.relative_to(root).parts][:-1] if folder != root else []
    is_valence = any(_ANNOTATIONS.fullmatch(name) for name in above)
    return _PARTITIONS.get(folder.name.lower()) if is_valence else None


def _add_annotation(found: _Found, partition: str, path: Path) -> None:
    if path.stem in found.annotations:
        raise BadInput(path, f"annotates a trial again, as {found.annotations[path.stem][1]} does")
    found.annotations[path.stem] = (partition, path)


def _add_video(found: _Found, path: Path) -> None:
    if path.stem in found.videos:
        raise BadInput(path, f"is a second video of this name, beside {found.videos[path.stem]}")
    found.videos[path.stem] = path


def _check_annotations(found: _Found, root: Path) -> None:
    for partition, folders in found.sets.items():
        if all(where != partition for where, _ in found.annotations.values()):
            raise BadInput(folders[0], "holds no annotation (a .txt file per trial)")
    if not found.annotations:
        packed = f"; {found.archives[0].name} is not unpacked" if found.archives else ""
        packed += f"; {found.absent[0]}" if found.absent else ""
        expected = "VA_Set/Train_Set/1-30-1280x720.txt"
        raise BadInput(root, f"holds no annotation of valence and arousal ({expected}){packed}")


def _clip(trial: str, found: _Found) -> Clip:
    partition, annotation = found.annotations.get(trial, ("test", None))
    source = trial if trial in found.videos else _SIDE.sub("", trial)
    video = found.videos.get(source)
    speaker, recording = people_of(trial)
    return Clip(
        id=trial,
        video=video,
        audio=video,
        images=found.images.get(trial),
        speaker=speaker,
        recording=recording,
        partition=partition,
        annotation=annotation,
    )


def people_of(trial: str) -> tuple[str, str]:
    """The speaker and the recording of a trial, as far as names tell them."""
    if part := _PART.fullmatch(trial):
        return f"{part[1]}{part[2]}", part[1]
    return trial, _SIDE.sub("", trial)


def _missing(clips: list[Clip], found: _Found) -> list[str]:
    lacks = [
        f"no annotation of {name} trials" for name in _PARTITIONS.values() if name not in found.sets
    ]
    for clip in clips:
        if clip.video is None:
            lacks.append(f"{clip.id}: no video")
        if clip.images is None:
            lacks.append(f"{clip.id}: no folder of face images")
    if lacks:
        packed = [path.name for path in found.archives if path.stem not in found.folders]
        lacks = [f"{name} is not unpacked" for name in packed] + lacks
    return lacks
