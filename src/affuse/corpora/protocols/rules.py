"""The deterministic rules from which the frozen protocol files are made.

`python -m affuse.corpora.protocols.rules` writes them again; a test holds files and rules together.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

from affuse.corpora.protocols.protocol import Protocol
from affuse.execution.files import write_text

_ACTORS = tuple(f"{actor:02d}" for actor in range(1, 25))
#: Actor-disjoint folds published with the OpenFace table of Luna-Jiménez et al. 2022.
_FIVE_FOLDS = (
    ("02", "05", "14", "15", "16"),
    ("03", "06", "07", "13", "18"),
    ("10", "11", "12", "19", "20"),
    ("08", "17", "21", "23", "24"),
    ("01", "04", "09", "22"),
)


def _ravdess_clips() -> list[tuple[str, str]]:
    """(clip id, speaker) of all 1,440 speech performances."""
    names = []
    for emotion, intensity, statement, repetition, actor in product(
        range(1, 9), (1, 2), (1, 2), (1, 2), _ACTORS
    ):
        if emotion > 1 or intensity == 1:  # neutral was recorded in one intensity only
            name = f"01-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor}"
            names.append((name, actor))
    return sorted(names)


def _ravdess(
    name: str,
    source: str,
    flaws: str,
    folds: Sequence[tuple[Sequence[str], Sequence[str]]],
) -> Protocol:
    """A protocol from the (test actors, development actors) of each fold; the rest trains."""
    clips = _ravdess_clips()

    def role(actor: str, test: Sequence[str], development: Sequence[str]) -> str:
        return "test" if actor in test else "development" if actor in development else "train"

    return Protocol(
        name=name,
        version=1,
        corpus="ravdess",
        source=source,
        flaws=flaws,
        speakers=dict(clips),
        folds=[{clip: role(actor, *fold) for clip, actor in clips} for fold in folds],
    )


def frozen_protocols() -> list[Protocol]:
    """All protocols that are shipped as files."""
    blocks = [_ACTORS[4 * k : 4 * k + 4] for k in range(6)]
    return [
        _ravdess(
            "ravdess/chumachenko",
            "Split of the weights released by Chumachenko et al. 2022 (their README): "
            "test actors 5, 10, 16, 19; development actors 11, 13, 18, 22; the rest trains.",
            "One split of four test actors: its scores move by many points from split to split. "
            "The published code splits differently by default, so that the released weights "
            "evaluated with that default have seen test actors.",
            [(("05", "10", "16", "19"), ("11", "13", "18", "22"))],
        ),
        _ravdess(
            "ravdess/6fold",
            "Six folds of four consecutive actors (1-4, 5-8, ...), the widespread subject-"
            "independent protocol; development is the next fold, the other 16 actors train.",
            "Development and test folds hold four actors each; consecutive ids keep the sexes "
            "balanced and nothing else.",
            [(blocks[k], blocks[(k + 1) % 6]) for k in range(6)],
        ),
        _ravdess(
            "ravdess/5fold",
            "Actor-disjoint five folds published by Luna-Jiménez et al. 2022.",
            "No development actors: select nothing, train for a fixed number of epochs.",
            [(fold, ()) for fold in _FIVE_FOLDS],
        ),
    ]


def protocol_text(protocol: Protocol) -> str:
    """A protocol as the text of its file: a commented header, then one row per clip."""
    header = [
        f"# name: {protocol.name}",
        f"# version: {protocol.version}",
        f"# corpus: {protocol.corpus}",
        f"# source: {protocol.source}",
        f"# flaws: {protocol.flaws}",
        ",".join(["clip", "speaker", *(f"fold{k}" for k in range(len(protocol.folds)))]),
    ]
    rows = [
        ",".join([clip, speaker, *(fold[clip] for fold in protocol.folds)])
        for clip, speaker in protocol.speakers.items()
    ]
    return "\n".join(header + rows) + "\n"


if __name__ == "__main__":
    for frozen in frozen_protocols():
        write_text(Path(__file__).parent / f"{frozen.name}.csv", protocol_text(frozen))
