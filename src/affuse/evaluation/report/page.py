"""A report as one HTML page that needs nothing else, and its tables as files."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from affuse.errors import AffuseError, shown
from affuse.evaluation.paper_tables import FORMATS, write_paper_table
from affuse.evaluation.report import words
from affuse.evaluation.report.evaluated import read_all
from affuse.evaluation.report.sections import Section, all_tables, scored_clips, sections_of
from affuse.execution.files import write_text
from affuse.execution.names import path_below

#: Worst clips of each model.
CLIPS = 8


def write_report(
    paths: Sequence[Path],
    out: Path,
    *,
    root: Path | None = None,
    clips: int = CLIPS,
    every_pair: bool = False,
    tables: Path | None = None,
    links: Sequence[Path] = (),
) -> None:
    """Write a self-contained page about evaluated models; the same results give the same bytes.

    Args:
        paths: Runs that were evaluated, folders of an evaluation, or tables of predictions, all of
            the same clips and baseline.
        out: The HTML file.
        root: Where the corpus lies: a little of the recordings of the worst clips is put into the
            page. Without it the page holds no recordings.
        clips: Worst clips of each model.
        every_pair: Compare all pairs; by default the first with each of the others.
        tables: Folder for every table of the page as CSV, Markdown and LaTeX.
        links: HTML pages to link to, such as timelines, relative to the page where they lie below.

    Raises:
        BadInput: A path cannot be used, they do not go together, or the recordings are not there.
        AffuseError: There is no path, or one is named twice, or less than no clips are
            wanted, or `out` is no name of a page.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    if not paths:
        raise AffuseError("name a run or a table of predictions")
    if clips < 0:
        raise AffuseError(f"--clips is {clips}; it cannot be below 0")
    if out.suffix.lower() not in (".html", ".htm"):
        raise AffuseError(f"{out}: a report is a page; expected a name that ends in .html")
    evaluated = read_all(paths)
    sections = sections_of(evaluated, root, clips, every_pair)
    if links:
        targets = [(page.stem, _relative(page, out)) for page in links]
        sections.append(Section("timelines", "Timelines", links=targets))
    made = _command(paths, out, root, clips, every_pair)
    sections.append(Section("made", "How this page was made", [_made()], code=made))
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("page.html").render(
        title=", ".join(one.name for one in evaluated),
        scored=scored_clips(evaluated),
        sensitive=words.SENSITIVE if root is not None and clips else "",
        sections=sections,
        version=version("affuse"),
    )
    write_text(out, text)
    if tables is not None:
        for table in all_tables(sections):
            for suffix in FORMATS:
                write_paper_table(table.rows, path_below(tables, table.name, suffix), table.caption)


def _relative(page: Path, out: Path) -> str:
    below = page.is_relative_to(out.parent)
    return (page.relative_to(out.parent) if below else page).as_posix()


def _made() -> str:
    return f"By affuse {version('affuse')}, from the record of the runs alone:"


def _command(
    paths: Sequence[Path], out: Path, root: Path | None, clips: int, every_pair: bool
) -> str:
    """The command that makes the page."""
    words = ["affuse", "report", *map(str, paths)]
    words += ["--all"] if every_pair else []
    words += ["--root", str(root)] if root is not None else []
    words += ["--clips", str(clips)] if clips != CLIPS else []
    return shown(shlex.join([*words, "--out", out.name]))
