"""What is known of the speaker of a clip of a store, from clips whose labels nobody looks at."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Literal

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError
from affuse.execution.text import identity
from affuse.features.baseline import Baselines, Known, evidence_of, is_personal, together
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec

#: How much of a speaker is known before a clip is predicted: nothing; the clips that come before it
#: in an order that depends on their ids alone (`place`); or all clips, also itself.
Amount = Literal["none", "past", "all"]
#: What results call it.
AMOUNTS: dict[str, str] = {
    "none": "none",
    "past": "past",
    "all": "all unlabelled clips (transductive)",
}
#: Why a model is refused where something is to be known of a person.
NO_BASELINE = "was not trained with normalisation=speaker, so it has no use for a baseline"


class SpeakerBaselines:
    """Standardises clips by what is known of their speakers.

    A clip whose speaker is not known is standardised by the corpus.

    Args:
        data: Where the streams are.
        clips: Those that can be known, in any order; they have the streams.
        baselines: Standardises people.
        amount: How much is known.
    """

    def __init__(
        self, data: Store, clips: Sequence[Clip], baselines: Baselines, amount: Amount
    ) -> None:
        self._baselines, self._amount = baselines, amount
        self._files = {name: data.stream(name) for name in baselines.specs}
        self._speakers = {clip.id: identity(clip.speaker) for clip in clips if clip.speaker}
        self._known: dict[str, Known] = {}

    def known(self, clip: str) -> Known:
        """What is known of the speaker of a clip.

        Raises:
            AffuseError: A clip of the speaker holds a number that is not finite.
        """
        speaker = self._speakers.get(clip)
        if self._amount == "none" or speaker is None:
            return {}
        if clip not in self._known:  # all clips of a speaker at once
            own = sorted((c for c, who in self._speakers.items() if who == speaker), key=place)
            nothing: Known = {}
            sums = [*accumulate(map(self._evidence, own), _add, initial=nothing)]
            before = sums[:-1] if self._amount == "past" else sums[-1:] * len(own)
            self._known |= zip(own, before, strict=True)
        return self._known[clip]

    def moved(self, clip: str, streams: Mapping[str, Stream]) -> dict[str, Stream]:
        """The streams of a clip on the statistics of the corpus, as far as its speaker is known."""
        return self._baselines.all_moved(streams, self.known(clip))

    def _evidence(self, clip: str) -> Known:
        streams = {name: file[clip] for name, file in self._files.items()}
        return evidence_of(streams, self._baselines.specs, clip)


def check_speakers(specs: Mapping[str, StreamSpec], clips: Sequence[Clip]) -> None:
    """Refuse a training in which nothing can be known of anybody.

    Raises:
        AffuseError: All streams are of images or scores, or no clip has a speaker.
    """
    if not any(map(is_personal, specs.values())):
        raise AffuseError(
            "normalisation=speaker is for features, and the recipe has images or scores alone"
        )
    if not any(clip.speaker for clip in clips):
        raise AffuseError("normalisation=speaker needs speakers, and no clip of the store has one")


def place(clip: str) -> bytes:
    """What the clips of a speaker are put in order by: SHA-256 of the id."""
    return hashlib.sha256(clip.encode()).digest()


def _add(first: Known, second: Known) -> Known:
    return together((first, second))
