"""How often the likeliest emotion is right, by its probability and by its distance to the next.

    python docs/results/unclear.py RAVDESS [--model FILE] [--actors 11 13 18 22]

RAVDESS holds the speech of the actors; the bundled model has not learned from the four. Prints the
tables of `bundled.md` under "When nothing stands out".
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from affuse.corpora.emotions import EMOTIONS
from affuse.corpora.registry import read_corpus
from affuse.execution.progress import progress
from affuse.inference.predictor import Predictor
from affuse.models.bundled import BUNDLED
from affuse.tasks.naming import CLEAR, MARGIN
from affuse.tasks.timeline import Timeline

HOME = {name: emotion for emotion, names in EMOTIONS.items() for name in names}
HIGHEST = (0.0, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)
DISTANCE = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.01)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ravdess", type=Path)
    parser.add_argument("--model", type=Path, default=BUNDLED)
    parser.add_argument("--actors", nargs="+", default=["11", "13", "18", "22"])
    options = parser.parse_args()
    predictor = Predictor(options.model)
    clips = [
        clip
        for clip in read_corpus("ravdess", options.ravdess).clips
        if str(clip.speaker).lstrip("aA").zfill(2) in options.actors
    ]
    rows, true = [], []
    for clip in progress(clips, "voices"):
        assert clip.audio is not None
        (timeline,) = predictor.read(clip.audio)
        assert isinstance(timeline, Timeline)
        rows.append(timeline.overall)
        true.append(timeline.classes.index(HOME[str(clip.label)]))
    shares = np.array(rows)
    right = shares.argmax(1) == np.array(true)
    ordered = np.sort(shares, 1)
    highest, distance = ordered[:, -1], ordered[:, -1] - ordered[:, -2]
    table("probability of the likeliest", highest, HIGHEST, right)
    table("distance to the next", distance, DISTANCE, right)
    clear = (highest >= CLEAR) & (distance >= MARGIN)
    print("| | clips | right |\n|---|---|---|")
    for name, chosen in (("named", clear), ("unclear", ~clear), ("all", clear | True)):
        print(f"| {name} | {chosen.sum()} | {right[chosen].mean():.2f} |")


def table(title: str, values: np.ndarray, edges: tuple[float, ...], right: np.ndarray) -> None:
    """Clips, and the share that is right, between neighbouring edges."""
    print(f"| {title} | clips | right |\n|---|---|---|")
    for low, high in itertools.pairwise(edges):
        inside = (values >= low) & (values < high)
        print(f"| {low:.2f} to {min(high, 1):.2f} | {inside.sum()} | {right[inside].mean():.2f} |")
    print()


if __name__ == "__main__":
    main()
