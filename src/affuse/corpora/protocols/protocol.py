"""A protocol: the role of every clip in every fold, read from a frozen file."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.keys import KEYS, meant
from affuse.corpora.together import TOGETHER, by_itself
from affuse.errors import AffuseError, BadInput
from affuse.execution.files import file_digest
from affuse.execution.tables import Sheet, fitted, read_header
from affuse.execution.text import clean, identity
from affuse.suggestions import hint

ROLES = ("train", "development", "test")
#: Role in a file of what plays no role, such as a publisher's set that another protocol tests.
UNUSED = "unused"
LEAVE_ONE_SPEAKER_OUT, LEAVE_ONE_CORPUS_OUT = "leave-one-speaker-out", "leave-one-corpus-out"
#: Protocols that are made of the clips at hand -> of which corpora, and their folds.
MADE = {
    LEAVE_ONE_SPEAKER_OUT: ("any", "one per speaker"),
    LEAVE_ONE_CORPUS_OUT: ("several", "one per corpus"),
}
#: Digests of the bundled files, as `sha256sum` writes them.
DIGESTS = "SHA256SUMS"

#: The roles of a clip in a fold: one of `ROLES`, or several where a file gives it several; or
#: `UNUSED`.
Roles = tuple[str, ...]


@dataclass(frozen=True)
class Protocol:
    """Which clip plays which role in which fold.

    Args:
        name: Such as `ravdess/chumachenko`, or the path of a user's file.
        version: Raised whenever a role changes.
        corpus: The corpus it belongs to; empty for any.
        source: Where it comes from.
        flaws: What is known to be wrong with it.
        folds: Per fold, row -> roles.
        key: What a row stands for, one of `KEYS`.
        speakers: Row -> speaker, where rows are clips.
        sha256: Of the file; empty for a protocol that is not read from one.
    """

    name: str
    version: int
    corpus: str
    source: str
    flaws: str
    folds: list[dict[str, Roles]]
    key: str = "clip"
    speakers: dict[str, str] = field(default_factory=dict)
    sha256: str = ""

    def roles(self, fold: int, clips: Sequence[Clip]) -> list[Roles]:
        """The roles of each clip; none for a clip that the protocol does not know.

        Args:
            fold: Number of the fold, from 0.
            clips: All clips of the corpus at hand; blocks of a list are cut from them.

        Raises:
            AffuseError: No such fold.
        """
        if not 0 <= fold < len(self.folds):
            raise AffuseError(f"protocol {self.name} has folds 0 to {len(self.folds) - 1}")
        rows = {meant(self.key, row): roles for row, roles in self.folds[fold].items()}
        return [rows.get(meant(self.key, row), ()) for row in KEYS[self.key](clips)]

    def missing(self, clips: Sequence[Clip]) -> list[str]:
        """Rows with a role that none of the clips belongs to."""
        at_hand = {meant(self.key, row) for row in KEYS[self.key](clips)}
        used = {row for fold in self.folds for row, has in fold.items() if has != (UNUSED,)}
        return [row for row in self.folds[0] if row in used and meant(self.key, row) not in at_hand]


def list_protocols() -> list[str]:
    """Names of the bundled protocols."""
    folder = Path(__file__).parent
    files = sorted(folder.rglob("*.csv"))
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in files]
    return [*names, *MADE]


def load_protocol(name: str, clips: Sequence[Clip]) -> Protocol:
    """A protocol by name, or from a user's CSV file in the same format.

    Args:
        name: One of `list_protocols()` or a path; of several corpora also one of each, with `+`
            between them.
        clips: Clips of the corpus; the protocols `MADE` are made from their speakers and corpora.

    Raises:
        BadInput: The file is absent or malformed, or a bundled one was changed.
    """
    if name == LEAVE_ONE_SPEAKER_OUT:
        return _leave_one_speaker_out(clips)
    if name == LEAVE_ONE_CORPUS_OUT:
        return _leave_one_corpus_out(clips)
    if name in list_protocols():
        return _shipped(name)
    if TOGETHER in name and not Path(name).is_file():
        return _each_by_its_own([load_protocol(one, clips) for one in name.split(TOGETHER)], clips)
    if not Path(name).is_file():
        known = hint(name, list_protocols(), "affuse list protocols")
        raise BadInput(name, f"no such protocol or file; {known}")
    return read_protocol(Path(name))


def _shipped(name: str) -> Protocol:
    folder = Path(__file__).parent
    lines = (folder / DIGESTS).read_text(encoding="utf-8").splitlines()
    digests = {file: digest for digest, file in (line.split("  ", 1) for line in lines)}
    protocol = read_protocol(folder / f"{name}.csv")
    if protocol.sha256 != digests.get(f"{name}.csv"):
        raise BadInput(
            folder / f"{name}.csv",
            "is not the protocol that came with affuse (its SHA-256 differs); install affuse "
            "again, and keep changed copies under a name of your own",
        )
    return protocol


def read_protocol(path: Path) -> Protocol:
    """Read a protocol file.

    A comment of `# key: value` lines, then a table: a first column that is one of `KEYS`, with
    `clip` a column `speaker`, and the columns fold0, fold1, ... with a role each; a clip in two
    roles has them joined by `+`.

    Raises:
        BadInput: A header entry or column is missing, or a role is none of `ROLES`.
    """
    sheet = Sheet(path, (*KEYS, "speaker"), comments=True)
    header = dict(line.lstrip("# ").split(": ", 1) for line in sheet.comments if ": " in line)
    comments, rows = len(sheet.comments), iter(sheet)
    try:
        at, columns = read_header(sheet, rows, (*KEYS, "speaker"))
    except BadInput:
        at, columns = comments + 1, []
    folds = [name for name in columns if name.casefold().startswith("fold")]
    key = columns[0] if columns else ""
    if key not in KEYS or not folds or (key == "clip" and "speaker" not in columns):
        raise BadInput(
            path,
            f"line {at}: a protocol needs the columns clip,speaker,fold0,... "
            f"(or, instead of clip and speaker, one of {', '.join(list(KEYS)[1:])})",
        )
    if not header.get("version", "1").isdecimal():
        raise BadInput(path, f"version {header['version']!r} is not a whole number")
    speakers: dict[str, str] = {}
    roles: list[dict[str, Roles]] = [{} for _ in folds]
    listed: set[str] = set()
    for line, cells in rows:
        if not any(cells):
            continue
        row = dict(zip(columns, fitted(sheet, line, cells, len(columns)), strict=True))
        name = row[key]
        if meant(key, name) in listed:
            raise BadInput(path, f"line {line}: {key} {name} is listed twice")
        listed.add(meant(key, name))
        if key == "clip":
            speakers[name] = row["speaker"]
        for known, column in zip(roles, folds, strict=True):
            known[name] = tuple(clean(role).lower() for role in row[column].split("+"))
            if wrong := set() if known[name] == (UNUSED,) else set(known[name]) - set(ROLES):
                raise BadInput(
                    path,
                    f"line {line}: role {min(wrong)!r} of {key} {name} is none of "
                    f"{', '.join(ROLES)}, {UNUSED}",
                )
    if not roles[0]:
        raise BadInput(path, f"lists no {key}")
    return Protocol(
        name=header.get("name", str(path)),
        version=int(header.get("version", "1")),
        corpus=header.get("corpus", ""),
        source=header.get("source", ""),
        flaws=header.get("flaws", ""),
        folds=roles,
        key=key,
        speakers=speakers,
        sha256=file_digest(path),
    )


def protocol_text(protocol: Protocol) -> str:
    """A protocol as the text of its file: a commented header, then one line per row."""
    text = io.StringIO()
    for name in ("name", "version", "corpus", "source", "flaws"):
        text.write(f"# {name}: {' '.join(str(getattr(protocol, name)).splitlines())}\n")
    writer = csv.writer(text, lineterminator="\n")
    named = ["speaker"] if protocol.key == "clip" else []
    writer.writerow([protocol.key, *named, *(f"fold{k}" for k in range(len(protocol.folds)))])
    for row in protocol.folds[0]:
        speaker = (protocol.speakers[row] for _ in named)
        writer.writerow([row, *speaker, *("+".join(fold[row]) for fold in protocol.folds)])
    return text.getvalue()


def _leave_one_speaker_out(clips: Sequence[Clip]) -> Protocol:
    """One fold per speaker in the test role; the next two speakers are the development set."""
    order = _speakers(LEAVE_ONE_SPEAKER_OUT, clips)
    if len(order) < 4:
        raise AffuseError(f"{LEAVE_ONE_SPEAKER_OUT} needs four speakers, there are {len(order)}")
    return Protocol(
        LEAVE_ONE_SPEAKER_OUT, 1, "", "One fold per speaker.", "", rotate(order, 2), "speaker"
    )


def _leave_one_corpus_out(clips: Sequence[Clip]) -> Protocol:
    """One fold per corpus in the test role.

    Of every other corpus a tenth of the speakers are the development set, at least one where there
    are three; they are the first ones by the SHA-256 of their names, and the same in all folds.
    """
    parts: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        parts[clip.corpus or ""].append(clip)
    names = sorted(parts)
    if len(names) < 2:
        raise AffuseError(f"{LEAVE_ONE_CORPUS_OUT} needs several corpora: give each --store")
    people = {name: _speakers(LEAVE_ONE_CORPUS_OUT, parts[name]) for name in names}
    trained: dict[str, dict[str, Roles]] = {}
    for name, own in people.items():
        order = sorted(own, key=lambda speaker: sha256(speaker.encode()).hexdigest())
        chosen = {*order[: max(1, len(own) // 10)]} if len(own) > 2 else set()
        trained[name] = {
            speaker: ("development",) if speaker in chosen else ("train",) for speaker in own
        }
    tested: dict[str, dict[str, Roles]] = {
        name: dict.fromkeys(own, ("test",)) for name, own in people.items()
    }
    folds = [
        {s: has for name in names for s, has in (tested if name == out else trained)[name].items()}
        for out in names
    ]
    told = ", ".join(f"fold {k} tests {name}" for k, name in enumerate(names))
    return Protocol(
        LEAVE_ONE_CORPUS_OUT, 1, "", f"One fold per corpus: {told}.", "", folds, "speaker"
    )


def _each_by_its_own(protocols: Sequence[Protocol], clips: Sequence[Clip]) -> Protocol:
    """Fold k of several corpora is fold k of the protocol of each.

    Raises:
        AffuseError: They are not one for each corpus at hand, or have different numbers of folds.
    """
    name = TOGETHER.join(protocol.name for protocol in protocols)
    meant_for = [protocol.corpus for protocol in protocols]
    at_hand = sorted({clip.corpus or "" for clip in clips})
    if sorted(meant_for) != at_hand:
        raise AffuseError(
            f"{name} is for stores of {', '.join(one or 'any corpus' for one in meant_for)}; there "
            f"are {', '.join(one or 'one' for one in at_hand)}"
        )
    if len(counts := {len(protocol.folds) for protocol in protocols}) > 1:
        raise AffuseError(f"{name}: the protocols have {sorted(counts)} folds")
    folds: list[dict[str, Roles]] = [{} for _ in protocols[0].folds]
    speakers: dict[str, str] = {}
    for protocol in protocols:
        known = [clip for clip in clips if clip.corpus == protocol.corpus]
        own = [by_itself(clip) for clip in known]
        missing = protocol.missing(own)
        for number, fold in enumerate(folds):
            roles = zip(known, protocol.roles(number, own), strict=True)
            fold.update((clip.id, has) for clip, has in roles if has)
            fold.update((f"{protocol.corpus}/{r}", protocol.folds[number][r]) for r in missing)
        speakers |= {
            f"{protocol.corpus}/{row}": f"{protocol.corpus}/{speaker}"
            for row, speaker in protocol.speakers.items()
        }
    return Protocol(
        name,
        1,
        "",
        " ".join(protocol.source for protocol in protocols),
        " ".join(protocol.flaws for protocol in protocols),
        folds,
        speakers=speakers,
    )


def _speakers(protocol: str, clips: Sequence[Clip]) -> list[str]:
    """Who speaks, each once, in order.

    Raises:
        AffuseError: Nobody knows who speaks in a clip.
    """
    if unnamed := [clip.id for clip in clips if clip.speaker is None]:
        raise AffuseError(f"{protocol} needs a speaker for every clip: {unnamed[0]}")
    return sorted({identity(clip.speaker or ""): str(clip.speaker) for clip in clips}.values())


def rotate(
    rows: Sequence[str], development: int, parts: Sequence[Sequence[str]] = ()
) -> list[dict[str, Roles]]:
    """Folds in which each part is tested once and the next ones in turn are the development set.

    Args:
        rows: Their names.
        development: How many parts, after the tested one, are the development set.
        parts: The parts; each row by itself by default.
    """
    parts = parts or [(name,) for name in rows]
    home = {name: k for k, part in enumerate(parts) for name in part}

    def role(distance: int) -> str:
        return "test" if distance == 0 else "development" if distance <= development else "train"

    return [
        {name: (role((home[name] - k) % len(parts)),) for name in rows} for k in range(len(parts))
    ]
