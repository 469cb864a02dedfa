"""RAVDESS (Livingstone & Russo 2018) in the publisher's layouts.

The zips unpack into `Actor_XX` folders of files named `MM-VV-EE-II-SS-RR-AA`: modality (01 image
and sound, 02 image, 03 sound), vocal channel (01 speech, 02 song), emotion, intensity,
statement, repetition, actor. One performance is one clip, whichever of its files are there; its
id is the name without the modality.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import product
from pathlib import Path

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.tree import Tree, check_folder, is_synthetic
from affuse.errors import AffuseError, BadInput

CLASSES = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
LICENCE = "CC BY-NC-SA 4.0 (RAVDESS, Livingstone & Russo 2018)"
#: First line of the README.txt that marks a folder as made by `affuse synth ravdess`.
SYNTHETIC = "A synthetic look-alike of RAVDESS speech, made by affuse (affuse synth ravdess)."
SYNTHETIC_LICENCE = "CC0-1.0 (synthetic look-alike of RAVDESS, nobody was recorded)"
#: Vocal channels: name -> number in a file's name, performances of an actor.
CHANNELS = {"speech": ("01", 60), "song": ("02", 44)}
_NAME = re.compile(r"(0[123])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")
_SUFFIXES = {"01": {".mp4"}, "02": {".mp4"}, "03": {".wav", ".flac"}}
_TEXT = {".csv", ".txt", ".md", ".json", ".zip"}
_OPENFACE_TABLE = "openface_clip_means_and_logits.csv"


def read(root: Path, channel: str = "speech") -> Corpus:
    """The clips below a folder.

    Args:
        root: Folder that holds the `Actor_XX` folders, at any depth (one folder per zip is fine).
        channel: `speech`, `song` (23 actors, without disgust and surprised) or `both`.

    Returns:
        One clip per performance. Images come from the 01 file, else the 02 file; sound from the
        03 file, else the 01 file. The other channel and stray files are counted in `left_out`;
        `missing` tells of actors of whom a part is there.

    Raises:
        AffuseError: There is no such channel.
        BadInput: The folder is absent or holds no RAVDESS file of the channel.
    """
    if channel not in (*CHANNELS, "both"):
        raise AffuseError(f"channel must be speech, song or both, not {channel!r}")
    root = Path(root)
    check_folder(root)
    wanted = {number for name, (number, _) in CHANNELS.items() if channel in (name, "both")}
    files: dict[str, dict[str, Path]] = defaultdict(dict)
    tree, left_out = Tree(root), Counter[str]()
    zips = []
    for path in tree:
        match = _NAME.fullmatch(path.stem)
        if path.suffix.lower() == ".zip":
            zips.append(path.name)
        if match is None or path.suffix.lower() not in _SUFFIXES[match[1]]:
            left_out["stray files"] += path.suffix.lower() not in _TEXT
        elif match[2] not in wanted:
            left_out["song files" if match[2] == "02" else "speech files"] += 1
        elif match[1] in files[path.stem[3:]]:
            left_out["second copies"] += 1
        elif tree.holds(path):
            files[path.stem[3:]][match[1]] = path
    files = {name: found for name, found in files.items() if found}
    left_out += tree.left_out
    if not files:
        packed = f"; {zips[0]} is not unpacked" if zips else ""
        if absent := tree.first_absent():
            packed = f"; {absent}"
        raise BadInput(
            root,
            f"holds no RAVDESS {'' if channel == 'both' else channel} file "
            f"(Actor_01/01-01-01-01-01-01-01.mp4){packed}",
        )
    synthetic = is_synthetic(root, SYNTHETIC)
    table = root / _OPENFACE_TABLE
    return Corpus(
        name="ravdess",
        root=root,
        clips=[_clip(name, modalities) for name, modalities in sorted(files.items())],
        classes=CLASSES,
        licence=SYNTHETIC_LICENCE if synthetic else LICENCE,
        left_out={reason: count for reason, count in sorted(left_out.items()) if count},
        missing=tree.missing + ([] if synthetic else _missing(files, zips)),
        rows=table if table.is_file() else None,
    )


def clip_names() -> list[str]:
    """Names of all 1,440 published performances of speech, sorted."""
    return sorted(
        f"01-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor:02d}"
        for emotion, intensity, statement, repetition, actor in product(
            range(1, 9), (1, 2), (1, 2), (1, 2), range(1, 25)
        )
        if emotion > 1 or intensity == 1  # neutral was recorded in one intensity only
    )


def sentence_of(name: str) -> str:
    """What is said in a performance: the number of the statement."""
    return name.split("-")[3]


def clip_named(name: str) -> Clip | None:
    """The performance of a recording, without files, or None if it is none.

    Args:
        name: With the number of the modality or without; published code appends `_croppad` to the
            sound and `_facecroppad` to the images that it makes.
    """
    name = re.sub(r"_(face)?croppad$", "", name)
    match = _NAME.fullmatch(name) or _NAME.fullmatch(f"01-{name}")
    return _clip(match[0][3:], {}) if match else None


def _missing(names: Iterable[str], zips: list[str]) -> list[str]:
    """Actors of whom only some performances are there, and archives that may hold the others."""
    counts = Counter((name[:2], name[-2:]) for name in names)
    expected = dict(CHANNELS.values())
    lacking = [
        f"actor {actor}: {expected[channel] - count} of {expected[channel]} performances "
        f"({'song' if channel == '02' else 'speech'})"
        for (channel, actor), count in sorted(counts.items())
        if count < expected[channel]
    ]
    return lacking + [f"{name} may not be unpacked" for name in zips if lacking]


def _clip(name: str, files: dict[str, Path]) -> Clip:
    channel, emotion, intensity, _, _, actor = name.split("-")
    return Clip(
        id=name,
        video=files.get("01", files.get("02")),
        audio=files.get("03", files.get("01")),
        speaker=actor,
        label=CLASSES[int(emotion) - 1],
        sex="female" if int(actor) % 2 == 0 else "male",
        intensity="strong" if intensity == "02" else "normal",
        kind="song" if channel == "02" else "speech",
    )
