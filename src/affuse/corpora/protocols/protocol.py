"""A protocol: the role of every clip in every fold, read from a frozen file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.keys import KEYS, meant
from affuse.errors import AffuseError, BadInput
from affuse.execution.files import file_digest
from affuse.execution.tables import Sheet, fitted, read_header
from affuse.execution.text import clean

ROLES = ("train", "development", "test")
#: Role in a file of what plays no role, such as a publisher's set that another protocol tests.
UNUSED = "unused"
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
