"""Published splits, written again by the rules that describe them.

`python docs/results/splits.py OUT` writes them below a folder.

Nothing is copied: names of RAVDESS and of MSP-IMPROV follow their publishers' patterns, and who
plays which role follows the rule that the page names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from affuse.corpora.ravdess import CLASSES, clip_names

ACTORS = [f"{actor:02d}" for actor in range(1, 25)]
#: Role -> what the files of each format call it.
WORDS = {"train": "training", "development": "validation", "test": "testing"}
FILES = {"train": "train", "development": "val", "test": "test"}
Roles = Mapping[str, Sequence[str]]


def write(path: Path, lines: Iterable[str]) -> None:
    """Write a text file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def emobox(folder: Path, corpus: str, fold: int, clips: Roles, seconds: float = 3.5) -> None:
    """`fold_<k>/<corpus>_<role>_fold_<k>.jsonl`, one object per clip."""
    for role, names in clips.items():
        rows = [
            {
                "key": f"{corpus}-{name}",
                "dataset": corpus,
                "wav": f"downloads/{corpus}/{name}.wav",
                "sample_rate": 48000,
                "length": seconds,
                "emo": CLASSES[int(name.split("-")[2]) - 1] if corpus == "ravdess" else "",
            }
            for name in names
        ]
        path = folder / f"fold_{fold}" / f"{corpus}_{FILES[role]}_fold_{fold}.jsonl"
        write(path, map(json.dumps, rows))


def hicmae(folder: Path, fold: int, clips: Roles, label: int | None = None) -> None:
    """`split<k>/<role>.csv`: a folder of faces, a sound and a number, with blanks between them."""
    for role, names in clips.items():
        rows = []
        for name in names:
            number = int(name.split("-")[2]) - 1 if label is None else label
            rows.append(f"/data/faces/{name} /data/audio_16k/{name}.wav {number}")
        write(folder / f"split{fold:02d}" / f"{FILES[role]}.csv", rows)


def annotation_file(path: Path, clips: Roles, videos: Sequence[str] = ("01", "02")) -> None:
    """`annotations.txt`; each performance once per video of it."""
    write(
        path,
        (
            f"RAVDESS/ACTOR{name[-2:]}/{video}-{name}_facecroppad.npy;"
            f"RAVDESS/ACTOR{name[-2:]}/03-{name}_croppad.wav;{int(name[3:5])};{WORDS[role]}"
            for role, names in clips.items()
            for name in names
            for video in videos
        ),
    )


def by_actor(test: Sequence[str], development: Sequence[str], train: Sequence[str] = ()) -> Roles:
    """Role -> RAVDESS performances; actors without a role train, unless training ones are named."""
    train = train or [a for a in ACTORS if a not in {*test, *development}]
    actors = {"train": train, "development": development, "test": test}
    return {role: [n for n in clip_names() if n[-2:] in own] for role, own in actors.items()}


def main(out: Path) -> None:
    """Write all of them below a folder."""
    four = [ACTORS[k : k + 4] for k in range(0, 24, 4)]
    spread = (["05", "10", "16", "19"], ["11", "13", "18", "22"])
    annotation_file(out / "s1-code/annotations.txt", by_actor(four[0], four[1]))
    text = (out / "s1-code/annotations.txt").read_text()
    write(out / "s1-run-twice/annotations.txt", (text + text).splitlines())
    annotation_file(out / "s1-before-may-2023/annotations.txt", by_actor(ACTORS[:5], ACTORS[5:9]))
    annotation_file(out / "s1-weights/annotations.txt", by_actor(*spread))
    trained = [a for a in ACTORS if a not in {*spread[0], *spread[1]}]
    mixed = by_actor(four[0], (), trained)
    annotation_file(out / "s1-weights-on-code-split/annotations.txt", mixed)
    for k in range(5):
        train = [a for a in ACTORS if a not in {*four[k], *four[k + 1]}]
        if k == 2:
            train = ["09" if a == "19" else a for a in train]
        annotation_file(
            out / f"s1-five-folds/fold{k}.txt", by_actor(four[k], four[k + 1], train), ["01"]
        )
    for k, test in enumerate(four, 1):
        clips = by_actor(test, ())
        shipped = {role: clips[role] for role in ("train", "test")}
        hicmae(out / "hicmae-ravdess", k, shipped)
        hicmae(out / "hicmae-ravdess-as-read", k, {**shipped, "development": clips["test"]})
    turns = {
        session: [
            f"MSP-IMPROV-S{sentence:02d}{emotion}-{who}0{session}-P-{way}01"
            for sentence in range(1, 21)
            for emotion in "AHSN"
            for who in "FM"
            for way in ("FM", "MF")
        ]
        for session in range(1, 7)
    }
    for session, test in turns.items():
        train = [name for other, names in turns.items() if other != session for name in names]
        clips = {"train": train, "development": test, "test": test}
        hicmae(out / "hicmae-msp-improv", session, clips, label=2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
