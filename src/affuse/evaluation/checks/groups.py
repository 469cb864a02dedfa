"""Whether a model is as good for some people, and some clips, as for others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from affuse.corpora.clip import Clip
from affuse.corpora.sentences import sentence_of
from affuse.evaluation.checks import limits
from affuse.evaluation.checks.examined import Examined
from affuse.evaluation.checks.face_sizes import face_sizes
from affuse.evaluation.checks.outcome import Bar, NotApplicable, Outcome
from affuse.metrics.classification import class_rates
from affuse.metrics.jackknife import group_sums

#: Years from which an age band begins.
AGES = (0, 30, 45, 60)
#: Speakers, or clips of different speakers, that a group needs.
LEAST = 4
_WHY = (
    "95 % quantile of the largest difference of 2,000 models that give the same answers, of which "
    "it is drawn {drawn}"
)

#: Clip -> its group, None where that is not known.
Grouping = Callable[[Examined], Mapping[str, str | None] | Mapping[str, str]]


def _column(name: str) -> Grouping:
    return lambda model: {clip.id: getattr(clip, name) for clip in model.clips}


def _age_band(clip: Clip) -> str | None:
    if clip.age is None:
        return None
    first = max(age for age in AGES if age <= max(clip.age, 0))
    later = [age for age in AGES if age > first]
    return f"{first} to {later[0] - 1}" if first and later else f"{first}+" if first else "under 30"


def _corpus_of(model: Examined, clip: Clip) -> str:
    return clip.corpus or model.data.corpus


GROUPINGS: Mapping[str, Grouping] = {
    "sex": _column("sex"),
    "age": lambda model: {clip.id: _age_band(clip) for clip in model.clips},
    "race": _column("race"),
    "ethnicity": _column("ethnicity"),
    "kind": _column("kind"),
    "intensity": _column("intensity"),
    "corpus": lambda model: {clip.id: clip.corpus for clip in model.clips},
    "sentence": lambda model: {
        clip.id: sentence_of(clip.id, _corpus_of(model, clip)) for clip in model.clips
    },
    "face size": face_sizes,
}


def quality_by(model: Examined, grouping: str) -> Outcome:
    """The largest difference of a group's UAR, or mean CCC, from that of all others."""
    metric, unit = ("ccc", "CCC") if model.over_time else ("uar", "unweighted average recall")
    table, dealt = model.scored.table, _dealt(model, grouping)
    found = dealt.differences(lambda sums: table.scores(sums)[metric][..., None])
    return dealt.outcome(found, [unit], unit, not model.over_time)


def recall_by(model: Examined, grouping: str) -> Outcome:
    """The largest difference of a group's recall of a class from that of all others."""
    table, dealt = model.classes, _dealt(model, grouping)
    found = dealt.differences(lambda sums: class_rates(table.confusion(sums))["recall"])
    return dealt.outcome(found, table.names, "recall", True)


@dataclass(frozen=True)
class _Dealt:
    """What is dealt anew: speakers, or where they have clips of several groups, these parts.

    Args:
        names: Of G groups.
        sums: (U, K).
        groups: (U,) int.
        strata: (U,) int, within which groups change places.
        whole: Whether speakers are dealt.
        without: What was left out, for it is too small.
    """

    names: list[str]
    sums: np.ndarray
    groups: np.ndarray
    strata: np.ndarray
    whole: bool
    without: list[str]

    def differences(self, scores: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, float]:
        """(G, M) differences, and the limit of the largest."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found = limits.differences(scores, self.sums, self.groups[None])[0]
            return found, limits.difference_limit(scores, self.sums, self.groups, self.strata)

    def outcome(
        self, found: tuple[np.ndarray, float], of: list[str], what: str, shares: bool
    ) -> Outcome:
        """The largest of (G, M) differences."""
        values, limit = np.nan_to_num(found[0]), found[1]
        group, column = np.unravel_index(np.abs(values).argmax(), values.shape)
        whose = f" of {of[column]}" if len(of) > 1 else ""
        rows = [np.abs(row).argmax() for row in values]
        bars = [
            Bar(name if len(of) == 1 else f"{name}, {of[k]}", float(row[k]), limit)
            for name, row, k in zip(self.names, values, rows, strict=True)
        ]
        left = f"; too few for a group: {', '.join(self.without)}" if self.without else ""
        drawn = "who is in which group" if self.whole else "which clips of a speaker are in which"
        return Outcome(
            float(np.abs(values[group, column])),
            limit,
            "min",
            "points" if shares else "value",
            f"{what}{whose}, {self.names[group]} against all others{left}",
            _WHY.format(drawn=drawn),
            bars,
        )


def _dealt(model: Examined, grouping: str) -> _Dealt:
    """The groups of a grouping that are large enough.

    Raises:
        NotApplicable: There are none, or too few speakers.
    """
    own = GROUPINGS[grouping](model)
    clips = model.scored.clips
    known = [k for k, clip in enumerate(clips) if own.get(clip)]
    if not known:
        raise NotApplicable(f"the store does not tell the {grouping} of any clip")
    speakers = np.array([model.speakers[clips[k]] for k in known])
    groups = np.array([str(own[clips[k]]) for k in known])
    cells = sorted({*zip(speakers.tolist(), groups.tolist(), strict=True)})
    count = Counter(group for _, group in cells)
    names = sorted(name for name, n in count.items() if n >= LEAST)
    without = sorted(name for name in count if name not in names)
    if len(names) < 2:
        one = f"all clips are {next(iter(count))}" if len(count) == 1 else "no two groups are large"
        least = f" (a group needs clips of {LEAST} speakers)" if len(count) > 1 else ""
        raise NotApplicable(one + (" enough" if len(count) > 1 else "") + least)
    kept = [k for k, name in enumerate(groups) if name in names]
    cells = [cell for cell in cells if cell[1] in names]
    people = sorted({speaker for speaker, _ in cells})
    whole = len(people) == len(cells)
    place = {cell: number for number, cell in enumerate(cells)}
    units = np.array([place[speakers[k], groups[k]] for k in kept])
    strata = [0 if whole else people.index(speaker) for speaker, _ in cells]
    found = _Dealt(
        names,
        group_sums(model.scored.table.sums[[known[k] for k in kept]], units),
        np.array([names.index(name) for _, name in cells]),
        np.array(strata),
        whole,
        without,
    )
    if (ways := _ways(found)) < limits.LEAST_WAYS:
        raise NotApplicable(f"{len(people)} speakers can be dealt in {ways} ways; 40 are needed")
    return found


def _ways(dealt: _Dealt) -> int:
    """In how many ways groups can be dealt."""
    ways = 1
    for stratum in np.unique(dealt.strata):
        inside = dealt.groups[dealt.strata == stratum]
        ways *= math.factorial(len(inside))
        for n in np.bincount(inside):
            ways //= math.factorial(int(n))
    return ways
