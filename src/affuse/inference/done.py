"""What was predicted before, so that a batch goes on where it was (`affuse predict --resume`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.corpora.tree import walk
from affuse.execution.files import file_digest, write_json
from affuse.inference.tables import Row

if TYPE_CHECKING:
    from affuse.features.catalogue import Rated

#: What changes when a file does; see `stamp`.
Stamp = list[int] | str | None

#: Folder below the output folder with a record of each recording; it is hidden.
RECORDS = ".done"


@dataclass(frozen=True)
class Outcome:
    """What is said of one recording.

    Attributes:
        lines: One about each person.
        notes: What could not be used, or was put right.
        rows: Of the summary, one for each person.
    """

    lines: list[str]
    notes: list[str]
    rows: list[Row]


@dataclass(frozen=True)
class Records:
    """One record for each recording whose files are complete.

    Args:
        out: The output folder.
        asked: The model and the options, as they can be compared and written as JSON; see `asked`.
    """

    out: Path
    asked: Mapping[str, Any]

    def kept(self, path: Path, name: Path) -> Outcome | None:
        """What is said of a recording that was done with the same model and options.

        Args:
            path: The recording.
            name: Of its files, below the output folder, without a suffix.

        Returns:
            None where it was not, or it or its files changed since.
        """
        try:
            record = json.loads(self._place(name).read_text(encoding="utf-8"))
            same = record["asked"] == self.asked and record["recording"] == stamp(path)
            folder = (self.out / name).parent
            same = same and all((folder / file).is_file() for file in record["files"])
            if same and record["timeline"] == file_digest(self.out / f"{name}.json"):
                return Outcome(**record["outcome"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return None

    def __contains__(self, name: Path) -> bool:
        return self._place(name).is_file()

    def begin(self, path: Path, name: Path) -> Stamp:
        """Before a recording is read and its files are written: remove its record.

        Returns:
            What `keep` takes, so that a change of the recording meanwhile is noticed.
        """
        with suppress(OSError):
            self._place(name).unlink()
        return stamp(path)

    def keep(self, read: Stamp, name: Path, files: Sequence[str], outcome: Outcome) -> None:
        """Write a record, after its files.

        Args:
            read: Of the recording, when it was read.
            name: As in `kept`.
            files: Names of what was written, all in one folder.
            outcome: What is said of it.

        Raises:
            BadInput: It cannot be written.
        """
        record = {
            "recording": read,
            "asked": self.asked,
            "files": files,
            "timeline": file_digest(self.out / f"{name}.json"),
            "outcome": asdict(outcome),
        }
        write_json(self._place(name), record)

    def _place(self, name: Path) -> Path:
        return self.out / RECORDS / f"{name}.json"


def asked(
    version: str,
    model: Path,
    options: Mapping[str, Any],
    sources: Mapping[str, Path | Rated],
    baseline: Iterable[Path],
) -> dict[str, Any]:
    """What predictions depend on, as JSON has it.

    Args:
        version: Of affuse.
        model: The model file, which counts by its content.
        options: Name -> value.
        sources: Of imported streams; they and the recordings of the baseline count by their size
            and time of change.
        baseline: Recordings that tell of the person.
    """
    read: dict[str, list[Any]] = {}
    for name, source in sorted(sources.items()):
        path, rate = (source, None) if isinstance(source, Path) else (source.path, source.rate)
        read[name] = [str(path), rate, stamp(path)]
    told = {
        "affuse": version,
        "model": file_digest(model),
        "options": options,
        "sources": read,
        "baseline": [[str(path), stamp(path)] for path in baseline],
    }
    return dict(json.loads(json.dumps(told)))


def stamp(path: Path) -> Stamp:
    """What changes when a file does: its size and time of change; of a folder a digest of all.

    None where there is nothing.
    """
    try:
        if path.is_dir():
            inside = [[str(file.relative_to(path)), stamp(file)] for file in walk(path)]
            return hashlib.sha256(json.dumps(inside).encode()).hexdigest()
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
