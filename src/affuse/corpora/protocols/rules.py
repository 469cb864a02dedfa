"""The deterministic rules from which the frozen protocol files are made.

`python -m affuse.corpora.protocols.rules` writes them again, with their digests; a test holds files
and rules together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from affuse.corpora import cremad, ravdess
from affuse.corpora.protocols.load import DIGESTS
from affuse.corpora.protocols.made import rotate
from affuse.corpora.protocols.protocol import UNUSED, Protocol, Roles, protocol_text
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


def _by_speaker(
    clips: Mapping[str, str], folds: Sequence[Mapping[str, Roles]]
) -> list[dict[str, Roles]]:
    """Folds of clips (id -> speaker) from folds of speakers."""
    return [{clip: fold[speaker] for clip, speaker in clips.items()} for fold in folds]


def _ravdess(
    name: str, source: str, flaws: str, folds: Sequence[tuple[Sequence[str], Sequence[str]]]
) -> Protocol:
    """A protocol from the (test actors, development actors) of each fold; the rest trains."""

    def roles(test: Sequence[str], development: Sequence[str]) -> dict[str, Roles]:
        others: dict[str, Roles] = {
            actor: ("development",) if actor in development else ("train",) for actor in _ACTORS
        }
        return others | dict.fromkeys(test, ("test",))

    clips = {name: name[-2:] for name in ravdess.clip_names()}
    rows = _by_speaker(clips, [roles(*fold) for fold in folds])
    return Protocol(name, 1, "ravdess", source, flaws, rows, speakers=clips)


def _ravdess_protocols() -> list[Protocol]:
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
            "ravdess/chumachenko-code",
            "Default split of the code of Chumachenko et al. 2022 and of AVT-CA 2024, with the "
            "actors in the order of their numbers: test 1-4, development 5-8, the rest trains.",
            "One split of four test actors. The code takes actors in the order in which the file "
            "system lists them, so that its split differs from machine to machine; until May "
            "2023 it took actor 5 into the test set.",
            [(blocks[0], blocks[1])],
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
        _ravdess(
            "ravdess/leave-one-speaker-out",
            "Each of the 24 actors is tested once; the next two actors in number are the "
            "development set, one woman and one man; the other 21 train.",
            "24 trainings; the score of one actor rests on 60 clips.",
            [
                ((actor,), (_ACTORS[(k + 1) % 24], _ACTORS[(k + 2) % 24]))
                for k, actor in enumerate(_ACTORS)
            ],
        ),
    ]


def _cremad_protocols() -> list[Protocol]:
    clips = {name: name[:4] for name in cremad.clip_names()}
    actors = sorted(set(clips.values()))
    cuts = (0, 18, 36, 54, 72, 91)
    shuffled = sorted(actors, key=lambda actor: _digest(f"cremad/5fold/{actor}"))

    def five(order: Sequence[str]) -> list[dict[str, Roles]]:
        parts = [order[a:b] for a, b in pairwise(cuts)]
        return _by_speaker(clips, rotate(actors, 1, parts))

    return [
        Protocol(
            "cremad/blocks",
            1,
            "cremad",
            "The 91 actors in the order of their ids in five blocks of 18, 18, 18, 18 and 19; "
            "each block is tested once, development is the next block: the rule of the "
            "partitions of AuxFormer's group, as far as it is public.",
            "Which partitions AuxFormer 2022 was scored on is not public. Blocks are not balanced "
            "by sex, age or race.",
            five(actors),
            speakers=clips,
        ),
        Protocol(
            "cremad/5fold",
            1,
            "cremad",
            "The 91 actors in the order of the SHA-256 of 'cremad/5fold/<actor>', in five parts "
            "of 18, 18, 18, 18 and 19; each is tested once, development is the next part.",
            "Parts are random, not balanced by sex, age or race.",
            five(shuffled),
            speakers=clips,
        ),
    ]


def _msp_improv_protocol() -> Protocol:
    # test session, development session
    published = [(5, 4), (3, 2), (2, 1), (1, 6), (6, 5)]
    folds: list[dict[str, Roles]] = [
        {
            str(s): ("test",) if s == test else ("development",) if s == development else ("train",)
            for s in range(1, 7)
        }
        for test, development in [*published, (4, 3)]
    ]
    return Protocol(
        "msp-improv/leave-one-session-out",
        1,
        "msp-improv",
        "One of the six sessions is tested, the one before it is the development set. Folds 0 to "
        "4 are the partitions 1 to 5 of the label files of AuxFormer's group (VAVL); fold 5 tests "
        "session 4, which they never test.",
        "Two speakers per fold. The same scenarios and sentences occur in all sessions.",
        folds,
        key="session",
    )


def _affwild2_protocols() -> list[Protocol]:
    blocks = [str(k) for k in range(6)]
    by_list: list[dict[str, Roles]] = [
        {
            **{
                block: ("development",) if int(block) == 5 - fold else ("train",)
                for block in blocks
            },
            "test": ("test",),
        }
        for fold in range(6)
    ]
    return [
        Protocol(
            "affwild2/official",
            1,
            "affwild2",
            "The publisher's own training, validation and test videos.",
            "The annotations of the test videos are not public; what is selected on the "
            "validation videos is judged on the same ones (published 0.66 there fell to 0.37 on "
            "the test videos).",
            [{"train": ("train",), "validation": ("development",), "test": ("test",)}],
            key="partition",
        ),
        Protocol(
            "affwild2/6fold-list",
            1,
            "affwild2",
            "The six folds of Zhang et al. 2021 (leader-follower fusion): training videos in list "
            "order (by name and .txt) cut at 70, 140, 210 and 280 of 351, and the validation "
            "videos as the sixth block; fold 0 is the official split, fold f validates on block "
            "5 - f.",
            "Blocks cut through recordings: the two people of one video, and parts of one "
            "recording, can be in training and validation. The validation block selects and "
            "judges.",
            by_list,
            key="list-block",
        ),
        Protocol(
            "affwild2/6fold-groups",
            2,
            "affwild2",
            "The same six blocks with all videos of one recording or person, as far as names tell "
            "them, in the block where most of them lie; each block is tested once, development "
            "is the next block. The publisher's test videos are tested in every fold.",
            "The annotations of the publisher's test videos are not public. People who occur under "
            "unrelated names are not known.",
            [{**fold, "test": ("test",)} for fold in rotate(blocks, 1)],
            key="group-block",
        ),
    ]


def _ferplus_protocols() -> list[Protocol]:
    tenths: dict[str, Roles] = {f"train-{k}": ("train",) for k in range(10)}
    return [
        Protocol(
            "ferplus/validation",
            1,
            "ferplus",
            "The publisher's validation pictures (PublicTest) are tested; a tenth of the training "
            "pictures, in whole groups of near-duplicates, is the development set.",
            "For those who do not have the publisher's test pictures. Who is shown is not known: "
            "only near-duplicate pictures are kept on one side.",
            [
                {
                    **tenths,
                    "train-0": ("development",),
                    "validation": ("test",),
                    "test": (UNUSED,),
                }
            ],
            key="tenth",
        ),
        Protocol(
            "ferplus/official",
            1,
            "ferplus",
            "The publisher's own sets: Training, PublicTest and PrivateTest of FER2013.",
            "Who is shown is not known: only near-duplicate pictures are kept on one side.",
            [{"train": ("train",), "validation": ("development",), "test": ("test",)}],
            key="partition",
        ),
    ]


def _diffusionfer_protocol() -> Protocol:
    roles = [*["train"] * 4, "development", *["test"] * 5]
    return Protocol(
        "diffusionfer/halves",
        1,
        "diffusionfer",
        "Half of the pictures are tested, a tenth is the development set; parts are told by the "
        "SHA-256 of the pictures' names.",
        "All pictures are by one generator and were asked for in the same words: a test picture "
        "looks like training pictures more than those of another source would.",
        [{f"all-{k}": (role,) for k, role in enumerate(roles)}],
        key="tenth",
    )


def _nemo_protocols() -> list[Protocol]:
    people = ("EB0", "KS0", "IC0", "SM0", "KD0", "MP0", "MK0", "TP0", "WR0")
    pairs = [people[k : k + 2] for k in range(0, 9, 2)]
    others = ("EB0", "KD0", "MK0", "MP0", "SM0", "TP0", "WR0")
    roles: dict[str, Roles] = dict.fromkeys(others, ("train",))
    return [
        Protocol(
            "nemo/held-out",
            1,
            "nemo",
            "A woman and a man (IC0, KS0) are the development set, the other seven actors train.",
            "No test set: select nothing on the development set, and it can judge. All actors say "
            "the same sentences.",
            [roles | dict.fromkeys(("IC0", "KS0"), ("development",))],
            key="speaker",
        ),
        Protocol(
            "nemo/5fold",
            1,
            "nemo",
            "Five folds of a woman and a man, the last of one man; every actor is tested once.",
            "No development actors: select nothing, train for a fixed number of epochs. All actors "
            "say the same sentences.",
            rotate(people, 0, pairs),
            key="speaker",
        ),
    ]


def frozen_protocols() -> list[Protocol]:
    """All bundled protocols, as files."""
    return [
        *_ravdess_protocols(),
        *_cremad_protocols(),
        _msp_improv_protocol(),
        *_affwild2_protocols(),
        *_ferplus_protocols(),
        _diffusionfer_protocol(),
        *_nemo_protocols(),
    ]


def digests() -> str:
    """The text of the file with the digests of all frozen protocols."""
    texts = {f"{p.name}.csv": protocol_text(p) for p in frozen_protocols()}
    return "".join(f"{_digest(text)}  {name}\n" for name, text in sorted(texts.items()))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    folder = Path(__file__).parent
    for frozen in frozen_protocols():
        write_text(folder / f"{frozen.name}.csv", protocol_text(frozen))
    write_text(folder / DIGESTS, digests())
