"""RAVDESS speech (Livingstone & Russo 2018) in the publisher's layouts.

The zips unpack into `Actor_XX` folders of files named `MM-VV-EE-II-SS-RR-AA`: modality (01 picture
and sound, 02 picture, 03 sound), vocal channel (01 speech, 02 song), emotion, intensity,
statement, repetition, actor. One performance is one clip, whichever of its files are there; its
id is the name without the modality.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

from affuse.corpora.clip import Clip, Corpus
from affuse.errors import BadInput

CLASSES = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
LICENCE = "CC BY-NC-SA 4.0 (RAVDESS, Livingstone & Russo 2018)"
#: First line of the README.txt that marks a folder as made by `affuse synth ravdess`.
SYNTHETIC = "A synthetic look-alike of RAVDESS speech, made by affuse (affuse synth ravdess)."
SYNTHETIC_LICENCE = "CC0-1.0 (synthetic look-alike of RAVDESS, nobody was recorded)"
_NAME = re.compile(r"(0[123])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")
_SUFFIXES = {"01": {".mp4"}, "02": {".mp4"}, "03": {".wav", ".flac"}}
_OPENFACE_TABLE = "openface_clip_means_and_logits.csv"


def read(root: Path) -> Corpus:
    """The speech clips below a folder.

    Args:
        root: Folder that holds the `Actor_XX` folders, at any depth (one folder per zip is fine).

    Returns:
        One clip per performance. Pictures come from the 01 file, else the 02 file; sound from the
        03 file, else the 01 file. Song and stray files are counted in `left_out`.

    Raises:
        BadInput: The folder is absent or holds no RAVDESS speech file.
    """
    root = Path(root)
    if not root.is_dir():
        raise BadInput(root, "no such folder" if not root.exists() else "is not a folder")
    files: dict[str, dict[str, Path]] = defaultdict(dict)
    left_out: Counter[str] = Counter()
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        match = _NAME.fullmatch(path.stem)
        if match is None or path.suffix.lower() not in _SUFFIXES[match[1]]:
            left_out["stray files"] += path.suffix.lower() not in {".csv", ".txt", ".md"}
        elif match[2] == "02":
            left_out["song files"] += 1
        elif match[1] in files[path.stem[3:]]:
            left_out["second copies"] += 1
        else:
            files[path.stem[3:]][match[1]] = path
    if not files:
        raise BadInput(root, "holds no RAVDESS speech file (Actor_01/01-01-01-01-01-01-01.mp4)")
    table = root / _OPENFACE_TABLE
    return Corpus(
        name="ravdess",
        root=root,
        clips=[_clip(name, modalities) for name, modalities in sorted(files.items())],
        classes=CLASSES,
        licence=SYNTHETIC_LICENCE if _is_synthetic(root) else LICENCE,
        left_out={reason: count for reason, count in sorted(left_out.items()) if count},
        rows=table if table.is_file() else None,
    )


def _clip(name: str, files: dict[str, Path]) -> Clip:
    _, emotion, intensity, _, _, actor = name.split("-")
    return Clip(
        id=name,
        video=files.get("01", files.get("02")),
        audio=files.get("03", files.get("01")),
        speaker=actor,
        label=CLASSES[int(emotion) - 1],
        sex="female" if int(actor) % 2 == 0 else "male",
        intensity="strong" if intensity == "02" else "normal",
    )


def _is_synthetic(root: Path) -> bool:
    readme = root / "README.txt"
    return readme.is_file() and readme.read_text("utf-8", "replace").startswith(SYNTHETIC)
