"""How often conformal thresholds hold for new speakers: python docs/results/conformal.py

Speakers differ: `alike` is the share of the variance of scores that is the speaker's own. Printed
is the share of clips of new speakers whose score lies below a threshold of 90 %, by three ways to
find it, and how often the one of affuse finds one at all. With two tables of `affuse evaluate` of a
calibrated run, of development and of test clips, two scores of classes are compared instead:

    python docs/results/conformal.py DEVELOPMENT.csv TEST.csv
"""

import sys
from pathlib import Path

import numpy as np
from scipy.stats import norm

from affuse.evaluation.predictions import Predictions, read_predictions
from affuse.metrics.conformal import conformal_threshold
from affuse.tasks.class_scores import ClassTable

SPEAKERS, CLIPS = (5, 8, 12, 20), ("5", "40", "5 to 80")
ALIKE = (0.0, 0.1, 0.3, 0.6)
COVERAGE, TIMES = 0.9, 2000


def over_clips(scores: np.ndarray, speakers: np.ndarray) -> float | None:
    """Split conformal prediction as if clips were independent."""
    place = int(np.ceil(COVERAGE * (len(scores) + 1)))
    return float(np.sort(scores)[place - 1]) if place <= len(scores) else None


def hierarchical(scores: np.ndarray, speakers: np.ndarray) -> float | None:
    """Lee, Barber & Willett 2023: speakers count alike, one more of them is infinitely strange."""
    _, speaker, clips = np.unique(speakers, return_inverse=True, return_counts=True)
    order = np.argsort(scores)
    share = np.cumsum(1 / ((len(clips) + 1) * clips[speaker[order]]))
    place = int(np.searchsorted(share, COVERAGE - 1e-9))
    return float(scores[order[place]]) if place < len(scores) else None


def ours(scores: np.ndarray, speakers: np.ndarray) -> float | None:
    """That of affuse."""
    return conformal_threshold(scores, speakers, COVERAGE)


def simulated() -> None:
    """Coverage over simulations: the mean over those that have a threshold."""
    random = np.random.default_rng(0)
    print("speakers  clips    alike  over_clips  hierarchical  ours   has one")
    for speakers in SPEAKERS:
        for clips in CLIPS:
            for alike in ALIKE:
                held: dict[str, list[float]] = {"over_clips": [], "hierarchical": [], "ours": []}
                for _ in range(TIMES):
                    low, high = (int(x) for x in (clips.split(" to ") * 2)[:2])
                    names = np.repeat(np.arange(speakers), random.integers(low, high + 1, speakers))
                    own = random.normal(0, np.sqrt(alike), speakers)[names]
                    scores = own + random.normal(0, np.sqrt(1 - alike), len(names))
                    for way in (over_clips, hierarchical, ours):
                        threshold = way(scores, names)
                        if threshold is not None:
                            held[way.__name__].append(float(norm.cdf(threshold)))
                cells = [f"{np.mean(x):.3f}" if x else "none " for x in held.values()]
                print(
                    f"{speakers:8}  {clips:7}  {alike:5}  {cells[0]:10}  {cells[1]:12}  "
                    f"{cells[2]:5}  {len(held['ours']) / TIMES:.1%}"
                )


def likelier(probabilities: np.ndarray) -> np.ndarray:
    """(N, C) probability of all classes that are likelier: adaptive prediction sets (APS)."""
    order = np.argsort(-probabilities, axis=1)
    sorted_ones = np.take_along_axis(probabilities, order, 1)
    found = np.empty_like(probabilities)
    np.put_along_axis(found, order, np.cumsum(sorted_ones, 1) - sorted_ones, 1)
    return found


def compared(development: Path, test: Path) -> None:
    """Coverage of new speakers and size of the sets by score, fold by fold."""
    random = np.random.default_rng(0)

    def drawn(x: np.ndarray) -> np.ndarray:
        return likelier(x) + random.random((len(x), 1)) * x

    scores = {"1 - p": lambda x: 1 - x, "APS": likelier, "APS, random": drawn}
    fitted, judged = read_predictions(development), read_predictions(test)
    for condition in judged:
        for name, score in scores.items():
            parts = []
            for fold in np.unique(judged[condition].folds):
                (p, true, people), (q, wanted, _) = (
                    _rows(x[condition], fold) for x in (fitted, judged)
                )
                limit = conformal_threshold(score(p)[np.arange(len(true)), true], people, COVERAGE)
                assert limit is not None
                left = score(q) <= limit
                rows = np.arange(len(q))
                left[rows, q.argmax(1)] = True
                parts.append(np.column_stack([left[rows, wanted], left.sum(1)]))
            covered, size = np.concatenate(parts).mean(0)
            print(f"{condition:6} {name:12} coverage {covered:.3f}  classes {size:.2f}")


def _rows(part: Predictions, fold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    assert isinstance(part.table, ClassTable)
    own = part.folds == fold
    return part.table.probabilities[own], part.table.true[own], part.speakers[own]


if __name__ == "__main__":
    if len(sys.argv) == 3:
        compared(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        simulated()
