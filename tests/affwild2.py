"""The smallest run of valence and arousal: a synthetic Aff-Wild2, its store and two folds."""

from __future__ import annotations

from pathlib import Path

from tests.commands import run

#: Its one test clip of the publisher, which nobody annotated.
HIDDEN = "3-25-320x240"
#: Test clip of fold 0 and of fold 1; each is the development clip of the other.
TESTED = ("6-25-320x240", "video2")

_SPLIT = f"""\
clip,speaker,fold0,fold1
1-30-640x240_left,1-30-640x240_left,train,train
1-30-640x240_right,1-30-640x240_right,train,train
{HIDDEN},{HIDDEN},test,test
{TESTED[0]},{TESTED[0]},test,development
{TESTED[1]},{TESTED[1]},development,test
video4_1,video4,train,train
video4_2,video4,train,train
"""


def trained_affwild2(folder: Path) -> None:
    """Make `synthetic`, `store`, `split.csv` and `run` in a folder."""
    root = folder / "synthetic"
    assert run("synth", "affwild2", root, "videos=6", "seconds=5", "--workers", 1) == 0
    streams = "audio/logmel64-16k,video/aligned48"
    words = ("--store", folder / "store", "--streams", streams, "--workers", 1)
    assert run("prepare", "affwild2", root, *words) == 0
    (folder / "split.csv").write_text(_SPLIT)
    train_affwild2(folder, "run", "over_time.smoothing=[0,0.4]")


def train_affwild2(folder: Path, name: str, *changes: str) -> Path:
    """Train both folds for one epoch with some changes to the recipe."""
    words = [f"protocol={folder / 'split.csv'}", "epochs=1", "window=3", "hop=2", *changes]
    options = ["--store", folder / "store", "--out", folder / name]
    assert run("train", "affwild2-compact", *options, *words) == 0
    return folder / name
