"""CREMA-D (Cao et al. 2014) in the publisher's layout.

91 actors, 7,442 clips `1001_IEO_ANG_LO`: actor, sentence, acted emotion, level. Sounds lie in
`AudioWAV` (or `AudioMP3`), images in `VideoFlash`; tables list the clips, the actors and how many
of the crowd chose which emotion when they heard (`audio`), saw (`video`) or heard and saw
(`audio-visual`) a clip.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import product
from pathlib import Path

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.tree import Tree, check_folder, is_synthetic
from affuse.errors import BadInput
from affuse.execution.tables import read_rows

#: In the order of AuxFormer's label files.
CLASSES = ("angry", "sad", "disgust", "fear", "neutral", "happy")
LICENCE = "ODbL 1.0, contents DbCL 1.0 (CREMA-D, Cao et al. 2014)"
#: First line of the README.txt that marks a folder as made by `affuse synth cremad`.
SYNTHETIC = "A synthetic look-alike of CREMA-D, made by affuse (affuse synth cremad)."
SYNTHETIC_LICENCE = "CC0-1.0 (synthetic look-alike of CREMA-D, nobody was recorded)"
#: Clips of which the publisher says that something is wrong.
BAD = {
    "1064_IEO_DIS_MD": "the video is a minute long",
    "1064_TIE_SAD_XX": "the video does not tell its duration",
    "1076_MTI_NEU_XX": "the video is cut short",
    "1076_MTI_SAD_XX": "has no sound",
}

_EMOTIONS = {
    "ANG": "angry",
    "SAD": "sad",
    "DIS": "disgust",
    "FEA": "fear",
    "NEU": "neutral",
    "HAP": "happy",
}
_LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"}
_SENTENCES = ("IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI")
#: Actor and sentence, with or without an emotion, that were never published.
_NEVER = ("1002_TIE_NEU", "1008_WSI", "1009_MTI", "1019_ITH", "1076_ITS_NEU")
_NAME = re.compile(
    rf"(10[0-8]\d|109[01])_({'|'.join(_SENTENCES)})_({'|'.join(_EMOTIONS)})_({'|'.join(_LEVELS)})"
)
_CHANNELS = {1: "audio", 2: "video", 3: "audio-visual"}
_SOUND, _PICTURES = (".wav", ".mp3"), (".mp4", ".flv")
_TABLES = ("SentenceFilenames.csv", "VideoDemographics.csv", "tabulatedVotes.csv")
_TEXT = {".csv", ".txt", ".md", ".r", ".json", ".zip"}


def clip_names() -> list[str]:
    """Names of all 7,442 published clips, sorted."""
    names = []
    for actor, sentence, emotion in product(range(1001, 1092), _SENTENCES, _EMOTIONS):
        stem = f"{actor}_{sentence}_{emotion}"
        if not stem.startswith(_NEVER):
            graded = sentence == "IEO" and emotion != "NEU"
            names += [f"{stem}_{level}" for level in (("LO", "MD", "HI") if graded else ("XX",))]
    return sorted(names)


def read(root: Path) -> Corpus:
    """The clips below a folder, recorded or listed.

    Args:
        root: A clone of the publisher's repository, or any folder with some of its files: tables
            alone give clips with votes and without recordings.

    Returns:
        One clip per name. `label` is the acted emotion. Sound comes from the .wav, else the .mp3,
        else the video; images from the .mp4 that a user made, else the .flv.

    Raises:
        BadInput: The folder is absent or holds nothing of CREMA-D, its recordings are pointers of
            Git LFS, or a table is wrong (named with its line).
    """
    root = Path(root)
    check_folder(root)
    media: dict[str, dict[str, Path]] = defaultdict(dict)
    tables: dict[str, Path] = {}
    tree, left_out = Tree(root), Counter[str]()
    zips: list[str] = []
    for path in tree:
        suffix = path.suffix.lower()
        if suffix == ".zip":
            zips.append(path.name)
        if path.name in _TABLES:
            tables.setdefault(path.name, path)
        elif suffix not in (*_SOUND, *_PICTURES) or not _NAME.fullmatch(path.stem):
            left_out["stray files"] += suffix not in _TEXT
        elif suffix in media.get(path.stem, {}):
            left_out["second copies"] += 1
        elif tree.holds(path):
            media[path.stem][suffix] = path
    if (absent := tree.first_absent()) and not media:
        raise BadInput(root, f"holds no recording; {absent}, or affuse fetch cremad")
    left_out += tree.left_out
    listed = _listed(tables["SentenceFilenames.csv"]) if "SentenceFilenames.csv" in tables else []
    names = sorted({*media, *listed})
    if not names:
        packed = f"; {zips[0]} is not unpacked" if zips else ""
        raise BadInput(
            root,
            f"holds no CREMA-D recording (AudioWAV/1001_DFA_ANG_XX.wav) and no list{packed}",
        )
    synthetic = is_synthetic(root, SYNTHETIC)
    votes = _votes(tables["tabulatedVotes.csv"]) if "tabulatedVotes.csv" in tables else {}
    actors = _actors(tables["VideoDemographics.csv"]) if "VideoDemographics.csv" in tables else {}
    return Corpus(
        name="cremad",
        root=root,
        clips=[_clip(name, media.get(name, {}), votes, actors) for name in names],
        classes=CLASSES,
        licence=SYNTHETIC_LICENCE if synthetic else LICENCE,
        left_out={reason: count for reason, count in sorted(left_out.items()) if count},
        bad={n: reason for n, reason in BAD.items() if n in names and not synthetic},
        missing=tree.missing + _missing(listed, media),
    )


def sentence_of(name: str) -> str:
    """What is said in a clip: the code of the sentence."""
    return name.split("_")[1]


def clip_named(name: str) -> Clip | None:
    """The clip of a name, without files and votes, or None if it is none."""
    return _clip(name, {}, {}, {}) if _NAME.fullmatch(name) else None


def _clip(
    name: str,
    files: dict[str, Path],
    votes: dict[str, dict[str, dict[str, float]]],
    actors: dict[str, dict[str, str]],
) -> Clip:
    actor, _, emotion, level = name.split("_")
    about = actors.get(actor, {})
    pictures = next((files[s] for s in _PICTURES if s in files), None)
    return Clip(
        id=name,
        video=pictures,
        audio=next((files[s] for s in _SOUND if s in files), pictures),
        speaker=actor,
        label=_EMOTIONS[emotion],
        votes=votes.get(name),
        sex=about["Sex"].lower() if about else None,
        age=float(about["Age"]) if about else None,
        race=about.get("Race"),
        ethnicity=about.get("Ethnicity"),
        intensity=_LEVELS[level],
    )


def _listed(path: Path) -> list[str]:
    """Names in the publisher's list, in its order."""
    names = []
    for line, row in read_rows(path, ["Stimulus_Number", "Filename"]):
        _check_name(path, line, row["Filename"])
        names.append(row["Filename"])
    return names


def _check_name(path: Path, line: int, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadInput(path, f"line {line}: {name!r} is no clip such as 1001_DFA_ANG_XX")


def _votes(path: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Clip -> channel -> class -> number of raters; classes without votes are left out."""
    votes: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    letters = {name[0].upper(): name for name in CLASSES}
    for line, row in read_rows(path, ["", "fileName", *letters]):
        _check_name(path, line, row["fileName"])
        try:
            channel = _CHANNELS[int(row[""]) // 100_000]
        except (KeyError, ValueError):
            raise BadInput(
                path, f"line {line}: {row['']!r} is no key such as 100001, 200001 or 300001"
            ) from None
        counts = {}
        for letter, name in letters.items():
            if not row[letter].isdecimal():
                raise BadInput(
                    path, f"line {line}: {row[letter]!r} in column {letter} is no number of votes"
                )
            if row[letter] != "0":
                counts[name] = float(row[letter])
        if channel in votes[row["fileName"]]:
            raise BadInput(path, f"line {line}: {row['fileName']} has {channel} votes already")
        votes[row["fileName"]][channel] = counts
    return votes


def _actors(path: Path) -> dict[str, dict[str, str]]:
    """Actor -> what the table of demographics says."""
    actors = {}
    for line, row in read_rows(path, ["ActorID", "Age", "Sex", "Race", "Ethnicity"]):
        if not row["Age"].isdecimal() or row["Sex"] not in ("Male", "Female"):
            raise BadInput(
                path, f"line {line}: age {row['Age']!r} or sex {row['Sex']!r} is not as published"
            )
        actors[row["ActorID"]] = row
    return actors


def _missing(listed: list[str], media: dict[str, dict[str, Path]]) -> list[str]:
    """Recordings that the list names; one line where there are none at all."""
    if not media:
        return [f"all recordings of {len(listed)} listed clips"]
    lacking = []
    for what, suffixes in (("sound", _SOUND), ("video", _PICTURES)):
        if any(suffix in files for files in media.values() for suffix in suffixes):
            lacking += [
                f"{name}: no {what} file"
                for name in listed
                if not any(suffix in media.get(name, {}) for suffix in suffixes)
            ]
    return lacking
