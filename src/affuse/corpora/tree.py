"""What lies below the folder of a corpus."""

from __future__ import annotations

import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from affuse.errors import BadInput
from affuse.execution.remembered import remembered
from affuse.execution.text import clean

_LFS, _ANNEX = b"version https://git-lfs", b"/annex/objects/"
_POINTER_SIZE = 1024  # bytes; pointers of Git LFS and of git-annex are shorter
#: What programs leave beside people's files.
_CLUTTER = {"thumbs.db", "desktop.ini", "icon\r", "__macosx"}
#: How often one folder is read at most beside its own place, by how many links ever it is reached.
_TIMES = 16


@dataclass(frozen=True)
class Absence:
    """Why what a name promises is not here.

    Args:
        kind: In the plural, for counts.
        reason: Of one file.
        remedy: What to do about it.
    """

    kind: str
    reason: str
    remedy: str = ""

    def line(self, path: Path, count: int = 1) -> str:
        """What to say of a file, the first of some."""
        more = f" (one of {count})" if count > 1 else ""
        remedy = f": {self.remedy}" if self.remedy else ""
        return f"{printable(path)}: {self.reason}{more}{remedy}"


_LFS_POINTER = Absence(
    "Git LFS pointers instead of recordings",
    "is a Git LFS pointer, not a recording",
    "run git lfs pull",
)
_ANNEXED = Absence(
    "git-annex links whose content is not here",
    "is a git-annex link whose content is not here",
    "run git annex get",
)
_DANGLING = Absence("links to files that are not there", "is a link to a file that is not there")
_SPECIAL = Absence("folders, pipes or devices", "is a folder, a pipe or a device")
_UNREADABLE = Absence("files that cannot be read", "cannot be read")
_UNNAMED = Absence("files whose names are not UTF-8", "has a name that is not UTF-8", "rename it")


def check_folder(root: Path) -> None:
    """Refuse what is no folder.

    Raises:
        BadInput: There is none, or it is a file.
    """
    if not root.is_dir():
        raise BadInput(root, "no such folder" if not root.exists() else "is not a folder")


def is_aside(name: str) -> bool:
    """Whether a file or folder is hidden, or one that programs leave beside people's files."""
    return name.startswith(".") or name.casefold() in _CLUTTER


def walk_folders(
    root: Path, problems: list[str] | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """The folders below a folder, it too, in a fixed order; links to folders are followed.

    A link to a folder that it lies in is left out.

    Args:
        root: The folder.
        problems: Takes a line per folder that cannot be read.

    Yields:
        The folder, the names of its folders (take some out, and they are not read), and of its
        files, both without hidden ones.
    """
    times: Counter[tuple[int, int]] = Counter()
    todo = [(Path(root), False, frozenset(_above(Path(root))))]
    while todo:
        folder, linked, above = todo.pop()
        try:
            status = folder.stat()
            here = (status.st_dev, status.st_ino)
            times[here] += linked
            if here in above or (linked and times[here] > _TIMES):
                continue
            folders, files = _entries(folder)
        except OSError as error:
            if problems is not None:
                reason = error.strerror or "cannot be read"
                problems.append(f"{printable(folder)}: {reason}")
            continue
        yield folder, folders, files
        above |= {here}
        below = [folder / name for name in reversed(folders)]
        todo += [(path, linked or path.is_symlink(), above) for path in below]


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the folders and of the files in a folder."""
    folders: list[str] = []
    files: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_aside(entry.name):
                (folders if _is_folder(entry) else files).append(entry.name)
    return sorted(folders), sorted(files)


def _above(root: Path) -> Iterator[tuple[int, int]]:
    """The folders that a root lies in."""
    for folder in root.resolve().parents:
        status = folder.stat()
        yield status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def walk(root: Path, problems: list[str] | None = None) -> Iterator[Path]:
    """All files below a folder in a fixed order, those behind links too; hidden ones are left out.

    Args:
        root: The folder.
        problems: Takes a line per folder that cannot be read.
    """
    for folder, _, names in walk_folders(root, problems):
        for name in names:
            yield folder / name


class Tree:
    """The files of a corpus, and what of them is not here.

    Args:
        root: The folder.

    Attributes:
        left_out: Kind of absence -> number of files.
        missing: A line per file whose content is not here and per folder that cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.left_out: Counter[str] = Counter()
        self.missing: list[str] = []
        self._first: tuple[Absence, Path] | None = None
        self._known: dict[Path, bool] = {}

    def __iter__(self) -> Iterator[Path]:
        """As `walk`."""
        return walk(self.root, self.missing)

    def holds(self, path: Path) -> bool:
        """Whether the content of a file is here; if not, that is counted and told."""
        if path in self._known:
            return self._known[path]
        absence = absence_of(path)
        self._known[path] = absence is None
        if absence is not None:
            self._first = self._first or (absence, path)
            self.left_out[absence.kind] += 1
            self.missing.append(absence.line(path))
        return absence is None

    def first_absent(self) -> str:
        """The first file whose content is not here, and how many there are; empty without any."""
        if self._first is None:
            return ""
        absence, path = self._first
        return absence.line(path, self.left_out.total())


def absence_of(path: Path) -> Absence | None:
    """Why the content of a file is not here; None where it is."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return _UNNAMED
    try:
        status = path.stat()
    except OSError:
        if not path.is_symlink():
            return _UNREADABLE
        return _ANNEXED if _ANNEX.decode() in str(path.readlink()) else _DANGLING
    if not stat.S_ISREG(status.st_mode):
        return _SPECIAL
    if status.st_size >= _POINTER_SIZE:
        return None
    try:
        with path.open("rb") as file:
            start = file.read(len(_LFS))
    except OSError:
        return _UNREADABLE
    if start.startswith(_LFS):
        return _LFS_POINTER
    return _ANNEXED if start.startswith(_ANNEX) else None


def printable(path: Path) -> str:
    """A path as text that can be written anywhere."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def find_listed(folder: Path, text: str) -> Path:
    """The file or folder that a list names, relative to a folder.

    Names match by what people see where none matches exactly: letters with accents composed or
    not, blanks of any kind, then in any case, as far as only one matches; and `\\` may stand for
    `/`.

    Args:
        folder: Where the list lies.
        text: The name.

    Returns:
        What is there; else the path as it is written.
    """
    spellings = [text] if "\\" not in text else [text, text.replace("\\", "/")]
    for spelling in spellings:
        path = folder / spelling
        if os.path.lexists(path):
            return path
    for spelling in spellings:
        found = Path(Path(spelling).anchor) if Path(spelling).anchor else folder
        for part in Path(spelling).relative_to(Path(spelling).anchor).parts:
            known = found / part
            found = known if os.path.lexists(known) else _alike(found, part) or known
        if os.path.lexists(found):
            return found
    return folder / text


def _alike(folder: Path, name: str) -> Path | None:
    """The one entry of a folder that is named alike."""
    try:
        seen, cased = _spellings(folder)
    except OSError:
        return None
    found = seen.get(clean(name)) or cased.get(clean(name).casefold(), [])
    return folder / found[0] if len(found) == 1 else None


@remembered(8)
def _spellings(folder: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What names of a folder look like, and so in any case -> the names."""
    seen: dict[str, list[str]] = defaultdict(list)
    cased: dict[str, list[str]] = defaultdict(list)
    for name in sorted(path.name for path in folder.iterdir()):
        seen[clean(name)].append(name)
        cased[clean(name).casefold()].append(name)
    return seen, cased


def is_synthetic(root: Path, line: str) -> bool:
    """Whether the `README.txt` of a folder begins with a line."""
    readme = root / "README.txt"
    return readme.is_file() and readme.read_text("utf-8", "replace").startswith(line)
