"""What a published list says of the clips of a corpus."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from affuse.corpora.clip import Clip
from affuse.corpora.names import find_clip
from affuse.errors import BadInput

#: What published files call a role -> the role.
ROLE_WORDS = {
    **dict.fromkeys(("train", "training", "train_set"), "train"),
    **dict.fromkeys(("development", "dev", "validation", "val", "validation_set"), "development"),
    **dict.fromkeys(("test", "testing", "test_set", "target_set"), "test"),
}
#: What `read_listing` reads.
KNOWN = (
    "a label table (file name, classes, ..., Train, Development or Test), annotations.txt "
    "(video;sound;label;subset) or length.csv (trial and three numbers)"
)

#: Number of a line that holds something, and its cells.
Line = tuple[int, list[str]]


@dataclass
class Listing:
    """What a file says of the clips of a corpus.

    Args:
        path: The file.
        corpus: Name of the corpus.
        at_hand: Id -> clip of the corpus at hand.
        kind: What sort of file it is, in a few words.
        sha256: Of the file.
        clips: Id -> clip that the file lists, in its order; without files where it is not at hand.
        folds: Per fold, id -> role.
        notes: What is wrong with the file, or uncommon in it.
        labels: Id -> class, where the file names one for each clip.
        votes: Id -> class -> share of the raters, or number of them, where the file has a column
            per class.
        classes: The classes that have a column, in the order of the corpus.
        counted: Whether `votes` are numbers of raters.
    """

    path: Path
    corpus: str
    at_hand: dict[str, Clip]
    kind: str = ""
    sha256: str = ""
    clips: dict[str, Clip] = field(default_factory=dict)
    folds: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    votes: dict[str, dict[str, float]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    counted: bool = False
    _said: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)

    def clip(self, line: int, name: str) -> Clip:
        """The clip of a name in a line.

        Raises:
            BadInput: The corpus has no such clip.
        """
        clip = find_clip(self.corpus, name, self.at_hand)
        if clip is None:
            raise self.wrong(line, f"{self.corpus} has no clip {name!r}")
        return clip

    def add(self, line: int, clip: Clip, **says: str) -> bool:
        """Whether a line is the first about its clip.

        Raises:
            BadInput: It says something else than the one before.
        """
        first, before = self._said.setdefault(clip.id, (line, says))
        self.clips.setdefault(clip.id, clip)
        for what, value in says.items():
            if value != before[what]:
                raise self.wrong(
                    line, f"{clip.id} has {what} {value}, but {before[what]} in line {first}"
                )
        return first == line

    def role(self, line: int, word: str) -> str:
        """The role of a word; `BadInput` where it is none."""
        if word.lower() not in ROLE_WORDS:
            raise self.wrong(
                line, f"{word!r} is none of the sets Train (training), Development, Test"
            )
        return ROLE_WORDS[word.lower()]

    def wrong(self, line: int, reason: str) -> BadInput:
        """What to raise about a line."""
        return BadInput(self.path, f"line {line}: {reason}")
