"""How often comparisons of two models are right: python docs/results/comparisons.py

Two models judge the same clips of generated speakers. Printed is how often the permutation test
over speakers sees a difference at 5 % where there is none, and where there is one beside what
`affuse power` says.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from affuse.metrics.comparison import corrected_t_test, mcnemar, permutation_test
from affuse.metrics.power import LEVEL, independent_plan, power

SPEAKERS = (8, 12, 20, 40)
CLIPS = (20, 60)
#: Accuracy of both models, and standard deviation between speakers of their difference.
KINDS = tuple(product((0.6, 0.85), (0.0, 0.05)))
FOLDS = 4


def judged(
    random: np.random.Generator,
    speakers: int,
    clips: int,
    accuracy: float,
    spread: float,
    difference: float,
) -> tuple[np.ndarray, np.ndarray]:
    """(speakers, clips) bool, which clips either model has right.

    Speakers differ in how hard they are (standard deviation 0.08) for both models, and in which
    model suits them. Mistakes on a clip are independent.
    """
    level = accuracy + random.normal(0, 0.08, speakers).clip(-0.16, 0.1)
    apart = difference + random.normal(0, spread, speakers)
    chances = np.clip([level + apart / 2, level - apart / 2], 0, 1)
    first, second = (random.random((speakers, clips)) < p[:, None] for p in chances)
    return first, second


def accuracy(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracy from hits and clips."""
    return {"accuracy": sums[..., 0] / sums[..., 1]}


def seen(first: np.ndarray, second: np.ndarray) -> tuple[bool, bool, bool]:
    """Whether the permutation test, McNemar's and the one over folds see a difference."""
    sums = [
        np.stack([x.sum(1), np.full(len(x), x.shape[1])], 1).astype(float) for x in (first, second)
    ]
    by_speakers = permutation_test(accuracy, "accuracy", *sums).p
    by_clips = mcnemar(first.ravel(), second.ravel())[2]
    folds = [x.mean() for x in np.array_split(first.mean(1) - second.mean(1), FOLDS)]
    by_folds = corrected_t_test(np.array(folds), 1 / (FOLDS - 1))[1]
    return by_speakers <= LEVEL, by_clips <= LEVEL, by_folds <= LEVEL


def rates(
    speakers: int, clips: int, accuracy: float, spread: float, difference: float, times: int
) -> np.ndarray:
    """(3,) share of studies in which each test sees a difference."""
    random = np.random.default_rng([speakers, clips, int(1000 * accuracy), int(1000 * spread)])
    found = [
        seen(*judged(random, speakers, clips, accuracy, spread, difference)) for _ in range(times)
    ]
    return np.mean(found, 0)


def planned(speakers: int, clips: int, accuracy: float, spread: float, difference: float) -> float:
    """What `affuse power` says."""
    return power(independent_plan(accuracy, spread).deviation(clips), speakers, difference)


def main() -> None:
    """Print both tables."""
    print("| speakers | clips | permutation | McNemar | folds |\n|---:|---:|---|---|---|")
    for speakers, clips in product(SPEAKERS, CLIPS):
        found = np.array([rates(speakers, clips, *kind, 0.0, 2000) for kind in KINDS])
        ends = found.min(0), found.max(0)
        cells = (f"{low:.3f} to {high:.3f}" for low, high in zip(*ends, strict=True))
        print(f"| {speakers} | {clips} | " + " | ".join(cells) + " |", flush=True)
    print("\n| speakers | clips | accuracy | spread | difference | planned | found |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for speakers, clips, (level, spread) in product(SPEAKERS, CLIPS, KINDS):
        for difference in (0.03, 0.06):
            plan = planned(speakers, clips, level, spread, difference)
            real = rates(speakers, clips, level, spread, difference, 1000)[0]
            print(
                f"| {speakers} | {clips} | {level} | {spread} | {difference} | {plan:.3f} | "
                f"{real:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
