"""MSP-IMPROV (Busso et al. 2017) in the publisher's layout.

Six sessions of a woman and a man each, 8,438 turns. A turn is
`MSP-IMPROV-S01A-F01-P-FM01`: sentence (01 to 20) and target emotion (A, H, S, N), the actor who
has that sentence in this scenario, the kind of recording, then who speaks to whom (F the woman
of the session, M the man) and the number of the turn. Sounds are `.wav`, videos `.avi`; names
of videos may begin with `UTD` instead of `MSP`. Ratings are in one text file (see `read_ratings`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.tree import Tree, check_folder, is_synthetic
from affuse.errors import AffuseError, BadInput
from affuse.execution.text_files import read_lines

#: Classes by the set of emotions that raters chose from, in the order of AuxFormer's label files.
EMOTIONS: dict[str, tuple[str, ...]] = {
    "primary": ("angry", "sad", "neutral", "happy"),
    "secondary": (
        "depressed",
        "frustrated",
        "angry",
        "sad",
        "disgust",
        "excited",
        "fear",
        "neutral",
        "surprise",
        "happy",
    ),
}
CLASSES = EMOTIONS["primary"]
LICENCE = "MSP-IMPROV licence agreement, research only (The University of Texas at Dallas)"
#: First line of the README.txt that marks a folder as made by `affuse synth msp-improv`.
SYNTHETIC = "A synthetic look-alike of MSP-IMPROV, made by affuse (affuse synth msp-improv)."
SYNTHETIC_LICENCE = "CC0-1.0 (synthetic look-alike of MSP-IMPROV, nobody was recorded)"
#: The publisher's spelling first.
RATINGS = ("Evalution.txt", "Evaluation.txt")
KINDS = {"R": "read", "T": "target-improvised", "S": "other-improvised", "P": "natural"}
CONSENSUS = {"A": "angry", "S": "sad", "N": "neutral", "H": "happy", "O": None, "X": None}
ATTRIBUTES = {"A": "arousal", "V": "valence", "D": "dominance", "N": "naturalness"}

_TURN = re.compile(
    r"(?:UTD|MSP)-IMPROV-"
    r"(?P<scenario>S(?:0[1-9]|1\d|20)[AHSN]-[FM]0(?P<session>[1-6])-(?P<kind>[RTSP]))"
    r"-(?P<speaker>[FM])[FM]\d{2,3}"
)
_TEXT = {".txt", ".csv", ".md", ".pdf", ".json"}


@dataclass(frozen=True)
class Ratings:
    """What the publisher's file says of one turn.

    Args:
        line: Where in the file.
        label: The consensus; None for another emotion and where raters do not agree.
        attributes: Means on the file's scale of 1 to 5, those that are not NaN.
        votes: Set of emotions -> class or `other` -> number of raters who chose it.
    """

    line: int
    label: str | None
    attributes: dict[str, float]
    votes: dict[str, Counter[str]]


def read(root: Path, emotions: str = "primary") -> Corpus:
    """The turns below a folder, recorded or rated.

    Args:
        root: Folder that holds the `session<k>` folders and `Evalution.txt` at any depth, either
            of them alone or parts of them.
        emotions: `primary`, four classes of which each rater chose one, or `secondary`, ten of
            which each rater chose any number.

    Returns:
        One clip per turn. Sound comes from the .wav, else from the .avi. `label` is the
        publisher's consensus (primary emotions only), None where that is another emotion or no
        agreement. Attributes are the file's means as they are, 1 to 5; published code for this
        corpus has a switch that turns arousal round (6 - a), so look which end of that scale is
        the excited one before comparing it with another corpus. `missing` names the files that
        rated turns lack, of the kinds that are there, and archives that may hold them.

    Raises:
        AffuseError: There is no such set of emotions.
        BadInput: The folder is absent or holds nothing of MSP-IMPROV, or a line of the ratings is
            wrong (named with its number).
    """
    if emotions not in EMOTIONS:
        raise AffuseError(f"emotions must be {' or '.join(EMOTIONS)}, not {emotions!r}")
    root = Path(root)
    check_folder(root)
    found = _Files(root)
    ratings = read_ratings(found.ratings) if found.ratings else {}
    ids = sorted({*found.media, *ratings})
    if not ids:
        raise BadInput(root, found.why_nothing())
    return Corpus(
        name="msp-improv",
        root=root,
        clips=[_clip(i, found.media.get(i, {}), ratings.get(i), emotions) for i in ids],
        classes=EMOTIONS[emotions],
        licence=SYNTHETIC_LICENCE if is_synthetic(root, SYNTHETIC) else LICENCE,
        left_out=dict(sorted(found.left_out.items())),
        missing=[*found.tree.missing, *_missing(found, ratings)],
    )


def clip_named(name: str) -> Clip | None:
    """The turn of a name, without files and ratings, or None if it is none."""
    return _clip(_id(name), {}, None, "primary") if _TURN.fullmatch(name) else None


def sentence_of(name: str) -> str:
    """The sentence of the scenario of a turn; in improvised scenes it is said once, if at all."""
    return name.split("-")[2][:3]


def read_ratings(path: Path) -> dict[str, Ratings]:
    """Read `Evalution.txt`.

    A block per turn: its line `UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:2.5; V:3.0; D:3.5 ; N:3.5;`
    (consensus A angry, H happy, S sad, N neutral, O other, X no agreement; activation, valence,
    dominance, naturalness, each from 1 to 5 or NaN), then one line per rater,
    `R00200001; Neutral; Neutral,Concerned; A:3.0; V:4.0; D:2.0; N:4.0;` (primary emotion,
    secondary emotions). Blanks do not matter.

    Returns:
        Turn -> ratings. Words that are no class of their set count as `other`; a word that one
        rater repeats counts once.

    Raises:
        BadInput: A line is wrong, named with its number.
    """
    ratings: dict[str, Ratings] = {}
    current: Ratings | None = None
    for number, text in read_lines(path, "replace"):
        fields = [field.strip() for field in text.rstrip("; \t").split(";")]
        try:
            if "IMPROV" in fields[0].upper():
                turn, current = _turn(fields, number)
                if turn in ratings:
                    raise ValueError(f"{turn} was rated in line {ratings[turn].line} already")
                ratings[turn] = current
            elif current is None:
                raise ValueError(f"a rater before any turn: {fields[0]!r}")
            else:
                _count(fields, current.votes)
        except ValueError as error:
            raise BadInput(path, f"line {number}: {error}") from None
    if not ratings:
        raise BadInput(path, "rates no turn (UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:2.5; ...)")
    return ratings


def _turn(fields: list[str], number: int) -> tuple[str, Ratings]:
    """A turn and its consensus."""
    name = fields[0].rsplit(".", 1)[0]
    if not _TURN.fullmatch(name):
        raise ValueError(f"{fields[0]!r} is no turn such as UTD-IMPROV-S01A-F01-P-FM01.avi")
    if len(fields) != 2 + len(ATTRIBUTES):
        raise ValueError(f"{len(fields)} fields for a turn, expected name; class; A:; V:; D:; N:")
    if fields[1] not in CONSENSUS:
        raise ValueError(f"unknown class {fields[1]!r} (known: {', '.join(CONSENSUS)})")
    means = _attributes(fields[2:])
    if wrong := [f"{name} {mean:g}" for name, mean in means.items() if not 1 <= mean <= 5]:
        raise ValueError(f"{wrong[0]} is not from 1 to 5")
    votes: dict[str, Counter[str]] = {emotions: Counter() for emotions in EMOTIONS}
    return _id(name), Ratings(number, CONSENSUS[fields[1]], means, votes)


def _count(fields: list[str], votes: dict[str, Counter[str]]) -> None:
    """Add what one rater chose."""
    values = len(fields) - len(ATTRIBUTES)
    if values < 3:
        raise ValueError(
            f"{len(fields)} fields for a rater, expected rater; primary; secondary; A:; V:; D:; N:"
        )
    _attributes(fields[values:])
    if not fields[1]:
        raise ValueError("a rater without a primary emotion")
    chosen = {"primary": [fields[1]], "secondary": ",".join(fields[2:values]).split(",")}
    for emotions, words in chosen.items():
        names = {word.strip().lower() for word in words} - {""}
        known = names & set(EMOTIONS[emotions])
        votes[emotions].update(known | ({"other"} if names - known else set()))


def _attributes(fields: list[str]) -> dict[str, float]:
    """Values of A, V, D and N in this order; those that are NaN are left out."""
    values = {}
    for letter, field in zip(ATTRIBUTES, fields, strict=True):
        key, _, text = field.partition(":")
        if key.strip() != letter:
            raise ValueError(f"expected {letter}:, found {field!r}")
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{letter} is not a number: {text.strip()!r}") from None
        if value == value:
            values[ATTRIBUTES[letter]] = value
    return values


class _Files:
    """What lies below a folder.

    Attributes:
        media: Turn -> suffix -> file.
        ratings: The file with the ratings, or None.
        archives: Zip files.
        left_out: Reason -> number of files.
    """

    def __init__(self, root: Path) -> None:
        self.media: dict[str, dict[str, Path]] = defaultdict(dict)
        self.ratings: Path | None = None
        self.archives: list[Path] = []
        self.left_out: Counter[str] = Counter()
        self.tree = Tree(root)
        spellings = {name.lower() for name in RATINGS}
        for path in self.tree:
            suffix = path.suffix.lower()
            if path.name.lower() in spellings:
                if self.ratings:
                    raise BadInput(path, f"second file of ratings (the first: {self.ratings})")
                self.ratings = path
            elif suffix == ".zip":
                self.archives.append(path)
                self.left_out["zip archives"] += 1
            elif suffix not in {".wav", ".avi"} or not _TURN.fullmatch(path.stem):
                self.left_out["stray files"] += suffix not in _TEXT
            elif suffix in self.media.get(_id(path.stem), {}):
                self.left_out["second copies"] += 1
            elif self.tree.holds(path):
                self.media[_id(path.stem)][suffix] = path
        self.left_out += self.tree.left_out  # lets go of zeros

    def why_nothing(self) -> str:
        """What to tell a user of a folder without any turn."""
        if self.archives:
            return f"holds {self.archives[0].name}, not unpacked"
        if absent := self.tree.first_absent():
            return f"holds no recording; {absent}"
        return (
            "holds no MSP-IMPROV recording and no Evalution.txt "
            "(session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav)"
        )


def _id(stem: str) -> str:
    """The name of a turn, however the file's begins."""
    return f"MSP{stem[3:]}"


def _clip(turn: str, files: dict[str, Path], rated: Ratings | None, emotions: str) -> Clip:
    name = _TURN.fullmatch(turn)
    assert name is not None
    votes = rated.votes[emotions] if rated else None
    return Clip(
        id=turn,
        video=files.get(".avi"),
        audio=files.get(".wav", files.get(".avi")),
        speaker=f"{name['speaker']}0{name['session']}",
        session=name["session"],
        recording=name["scenario"],
        label=rated.label if rated and emotions == "primary" else None,
        votes={"audio-visual": dict(sorted(votes.items()))} if votes else None,
        attributes=rated.attributes or None if rated else None,
        sex="female" if name["speaker"] == "F" else "male",
        kind=KINDS[name["kind"]],
    )


def _missing(found: _Files, ratings: dict[str, Ratings]) -> Iterator[str]:
    """Files that rated turns lack, of the kinds that are there, and archives that may hold them."""
    suffixes = sorted({suffix for files in found.media.values() for suffix in files})
    lacking = [
        f"{turn}{suffix}"
        for turn in sorted(ratings)
        for suffix in suffixes
        if suffix not in found.media.get(turn, {})
    ]
    if not suffixes:
        yield f"all recordings of {len(ratings)} rated turns"
    if lacking or not suffixes:
        yield from (f"{path.name} is not unpacked" for path in found.archives)
    yield from lacking
