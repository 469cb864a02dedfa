"""What knowing the speaker is worth, clip by clip: the curves of a-persons-baseline.md.

    python docs/results/baselines.py STORE --streams video/openface

STORE is a store of RAVDESS. A logistic regression reads the mean and the deviation over time of
each clip, after its stream was standardised by so many clips of the same speaker. It is trained on
all folds but one of a protocol, and tested on that one. `--folds 0 1` is what k was chosen by.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from affuse.corpora.protocols.load import load_protocol
from affuse.features.baseline import Baselines, Known, evidence_of, together
from affuse.features.store import Store

KNOWN = (0, 1, 2, 5, 10, 20, 59)
TRAININGS = ("none", "all", "drawn")
ORDERS = 6  # of each speaker's clips in training, of which each clip knows those before it
WINDOW, C = 3.6, 0.02


def main() -> None:
    """Print a table: accuracy (%) by how training and test speakers are known, and by k."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--streams", nargs="+", default=["video/openface"])
    parser.add_argument("--protocol", default="ravdess/5fold")
    parser.add_argument("--folds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--k", nargs="+", type=float, default=[2, 5, 10, 20, 40])
    parser.add_argument("--trainings", nargs="+", choices=TRAININGS, default=list(TRAININGS))
    options = parser.parse_args()
    data = Speech(options.store, options.streams, options.protocol)
    print("| training speakers known | k |", *(f" {n} |" for n in KNOWN), "all, itself too |")
    print("|---|---|", "---|" * (len(KNOWN) + 1), sep="")
    for training in options.trainings:
        for k in options.k if training != "none" else options.k[:1]:
            rates = np.mean([data.accuracies(fold, k, training) for fold in options.folds], 0)
            cells = " | ".join(f"{100 * rate:.1f}" for rate in rates)
            print(f"| {training} | {k:g} | {cells} |", flush=True)


class Speech:
    """Clips of a store, as what their streams tell of them and of their speakers."""

    def __init__(self, store: Path, streams: list[str], protocol: str) -> None:
        data = Store(store)
        self.protocol = load_protocol(protocol, data.clips)
        self.clips = data.usable(streams)
        self.files = {name: data.stream(name) for name in streams}
        self.specs = {name: file.spec for name, file in self.files.items()}
        self.known = [
            evidence_of({name: file[clip.id] for name, file in self.files.items()}, self.specs)
            for clip in self.clips
        ]
        self.labels = np.array([clip.label for clip in self.clips])
        self.speakers = np.array([clip.speaker for clip in self.clips])

    def accuracies(self, fold: int, k: float, training: str) -> list[float]:
        """Of test clips, by how many clips of their speakers are known."""
        roles = self.protocol.roles(fold, self.clips)
        train = np.array(["train" in role for role in roles])
        test = np.array(["test" in role for role in roles])
        everything = together(x for x, own in zip(self.known, train, strict=True) if own)
        corpus = {name: x.normalisation() for name, x in everything.items()}
        baselines = Baselines(self.specs, corpus, k, WINDOW)
        seen = list(np.flatnonzero(train))
        if training == "drawn":
            rows = np.concatenate(
                [
                    self._rows(baselines, seen, self._before(seen, np.random.default_rng(order)))
                    for order in range(ORDERS)
                ]
            )
            wanted = np.tile(self.labels[seen], ORDERS)
        else:
            rows = self._rows(baselines, seen, self._all(seen if training == "all" else []))
            wanted = self.labels[seen]
        model = LogisticRegression(C=C * len(seen) / len(rows), max_iter=2000).fit(rows, wanted)
        asked = list(np.flatnonzero(test))
        ways = [self._some(asked, n, np.random.default_rng(1)) for n in KNOWN]
        ways.append(self._all(asked))
        return [model.score(self._rows(baselines, asked, x), self.labels[asked]) for x in ways]

    def _before(self, rows: list[int], random: np.random.Generator) -> Callable[[int], Known]:
        """Those that come before each in a new order of each speaker's clips."""
        found: dict[int, Known] = {}
        for own in self._by_speaker(rows):
            order = random.permutation(own)
            nothing: Known = {}
            before = accumulate((self.known[i] for i in order[:-1]), _add, initial=nothing)
            found |= zip(order, before, strict=True)
        return found.__getitem__

    def _some(self, rows: list[int], n: int, random: np.random.Generator) -> Callable[[int], Known]:
        """So many others of each speaker."""
        found: dict[int, Known] = {}
        for own in self._by_speaker(rows):
            order = random.permutation(own)
            for place, i in enumerate(order):
                found[i] = together(self.known[j] for j in np.roll(order, -place - 1)[:n])
        return found.__getitem__

    def _all(self, rows: list[int]) -> Callable[[int], Known]:
        """All of each speaker, the clip itself too."""
        found: dict[int, Known] = {}
        for own in self._by_speaker(rows):
            found |= dict.fromkeys(own, together(self.known[i] for i in own))
        return lambda i: found.get(i, {})

    def _by_speaker(self, rows: list[int]) -> list[list[int]]:
        return [
            [i for i in rows if self.speakers[i] == speaker]
            for speaker in dict.fromkeys(self.speakers[rows].tolist())
        ]

    def _rows(
        self, baselines: Baselines, rows: list[int], known: Callable[[int], Known]
    ) -> np.ndarray:
        """(N, 2F): mean and deviation of each clip, in deviations of what is known."""
        found = []
        for i in rows:
            row = []
            for name, own in self.known[i].items():
                mean, variance = own.moments()
                centre, scale = baselines.statistics(name, known(i))
                row += [(mean - centre) / scale]
                if self.specs[name].rate:
                    row += [np.sqrt(variance) / scale]
            found.append(np.concatenate(row))
        return np.stack(found)


def _add(first: Known, second: Known) -> Known:
    return together((first, second))


if __name__ == "__main__":
    main()
