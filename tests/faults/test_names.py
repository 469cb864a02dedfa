"""Files, clips and classes of any name are printed, drawn and written, and mean what they say."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import subprocess
import sys
import unicodedata
import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.cli.main import VERBS
from affuse.corpora.clip import Clip
from affuse.corpora.table import read_clips, write_clips
from affuse.errors import AffuseError, BadInput, shown
from affuse.execution.files import csv_text, write_csv
from affuse.execution.terminal import Printable, printable
from affuse.inference.output import write_timeline
from affuse.inference.page import timeline_page
from affuse.inference.panel import ClassesPanel
from affuse.inference.plot import figure_of, plot_timeline
from affuse.tasks.plots import confusion_png
from tests.faults.timelines import NAMES, classes_timeline, values_timeline

COMMANDS = {"Cc", "Zl", "Zp", "Cs"}


@settings(max_examples=50, deadline=None)
@given(st.one_of(NAMES, st.text()))
def test_what_is_shown_is_one_line_without_commands(name: str) -> None:
    text = shown(name)
    assert not {unicodedata.category(c) for c in text} & COMMANDS
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f") & set(text)
    text.encode("utf-8")
    plain = [c for c in name if unicodedata.category(c)[0] in "LMNPSZ" and c not in "\u2028\u2029"]
    rest = iter(text)
    assert all(c in rest for c in plain)  # what can be read stays, in its order
    if len(plain) == len(name):
        assert text == name


def test_what_is_hidden_is_told() -> None:
    assert shown("a\x1b[31mb\x9b\r\n\u202ec\udce9") == r"a\x1b[31mb\x9b\r\n\u202ec\xe9"
    assert shown("日本 👩\u200d👧 naïve") == "日本 👩\u200d👧 naïve"
    assert str(BadInput("a\nb", "c\x1bd")) == r"a\nb: c\x1bd"
    assert str(AffuseError("a\x07")) == r"a\x07"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii", "utf-16"])
@settings(max_examples=50, deadline=None)
@given(name=NAMES)
def test_any_name_can_be_printed_on_any_terminal(encoding: str, name: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    before = sys.stdout
    sys.stdout = stream
    try:
        with printable():
            print(f"<{name}>", flush=True)
            print("next", flush=True)
    finally:
        sys.stdout = before
    text = raw.getvalue().decode(encoding)
    assert text.endswith("\nnext\n")
    assert (
        not {unicodedata.category(c) for c in text.replace("\n", "").replace("\t", "")} & COMMANDS
    )


@pytest.mark.parametrize("asked", [True, False])
def test_bars_still_move_on_a_wrapped_terminal(asked: bool) -> None:
    """rich draws by control characters; what is printed meanwhile is escaped."""
    from affuse.execution.progress import bars, progress

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, before = Terminal(), (sys.stdout, sys.stderr)
    sys.stdout, sys.stderr = io.StringIO(), Printable(terminal)
    try:
        with bars() if asked else nullcontext():
            for item in progress(["a"], "label [/x] \x1b[2J"):
                print(f"said {item}")
        said = sys.stdout.getvalue()
    finally:
        sys.stdout, sys.stderr = before
    assert said == "said a\n"  # the standard output goes elsewhere: it is not drawn above the bar
    if not asked:  # as in Python
        assert terminal.getvalue() == ""
        return
    assert r"label [/x] \x1b[2J" in re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue())
    assert "\x1b[2J" not in terminal.getvalue() and "1/1" in terminal.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_help_is_printed_where_the_terminal_is_not_utf8(encoding: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONUTF8": "0"}
    code = "import sys; from affuse.cli.main import VERBS, main\n"
    code += "for words in [[], *([v] for v in VERBS)]:\n try: main([*words, '--help'])\n"
    code += " except SystemExit as e: assert not e.code\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert done.returncode == 0 and done.stdout.count(b"usage:") == 1 + len(VERBS), done.stderr


@settings(max_examples=8, deadline=None)
@given(name=NAMES, label=NAMES.filter(lambda name: name not in {"neutral", "sad"}))
def test_pictures_and_pages_show_names_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, name: str, label: str
) -> None:
    timeline = classes_timeline(Path("/folder", name.replace("/", "")), classes=["sad", label, "é"])
    title = shown(timeline.source.name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = figure_of(timeline)
        plot_timeline(timeline, tmp_path_factory.getbasetemp() / "t.png")
    assert figure._suptitle.get_text().startswith(f"{title}: sad")
    page = timeline_page(timeline)
    page.encode("utf-8")
    assert f"<h1>{html.escape(title, quote=False)}: sad 0.80</h1>" in page.replace(
        "&#34;", '"'
    ).replace("&#39;", "'")
    ClassesPanel(timeline, 480).draw(1.0)


@pytest.mark.parametrize(
    "name", ["price $5 $10.mp4", "a$b_c^d\\frac{.mp4", "$$", "%%\\alpha", "日😀"]
)
def test_a_name_is_text_and_no_formula(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every text of an image: title, labels of axes and ticks, legend, confusion matrix."""
    timeline = classes_timeline(Path(name), classes=["sad", name, f"${name}_^"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_timeline(timeline, tmp_path / "a.png")
        plot_timeline(values_timeline(Path(name)), tmp_path / "b.png")
        png = confusion_png(np.eye(2, dtype=int), [name, f"${name}$$"], name)
    for picture in (png, *(path.read_bytes() for path in tmp_path.iterdir())):
        assert picture.startswith(b"\x89PNG")
    assert capfd.readouterr() == ("", "")


def test_settings_of_the_user_do_not_count(tmp_path: Path) -> None:
    import matplotlib

    plot_timeline(classes_timeline(Path("x.mp4")), tmp_path / "a.png")
    with matplotlib.rc_context({"text.usetex": True, "font.size": 30, "axes.grid": True}):
        plot_timeline(classes_timeline(Path("x.mp4")), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.skipif(sys.platform == "darwin", reason="file names are UTF-8 there")
@pytest.mark.parametrize(
    "raw", [b"caf\xe9.mp4", b"esc\x1b[31m\n.mp4", "日 $_.mp4".encode(), b"=1+1.wav"]
)
def test_all_files_of_a_recording_with_such_a_name(raw: bytes, tmp_path: Path) -> None:
    source = tmp_path / os.fsdecode(raw)
    source.write_bytes(b"")
    write_timeline(classes_timeline(source), tmp_path / "out", source.stem)
    made = sorted(path.suffix for path in (tmp_path / "out").iterdir())
    assert made == [".csv", ".html", ".json", ".png"]
    facts = json.loads((tmp_path / "out" / f"{source.stem}.json").read_text("utf-8"))
    assert facts["source"] == source.name and os.fsencode(facts["source"]) == raw  # exact
    assert (tmp_path / "out" / facts["path"]).samefile(source)


CELLS = st.one_of(
    NAMES, st.text(st.sampled_from("'=+-@\t\r\n,\"1.e a\uff1d")), st.floats().map(str)
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=5))
def test_cells_come_back_and_no_spreadsheet_runs_them(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "cells.csv"
    write_csv(path, ["a", "b", "c"], rows)
    with path.open(newline="", encoding="utf-8") as file:
        written = list(csv.reader(file))[1:]
    assert [[csv_text(cell) for cell in row] for row in written] == rows
    for cell in (cell for row in written for cell in row):
        if cell[:1] in set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"):
            float(cell)  # a number is no command


@pytest.mark.parametrize("number", ["-0.5", "+3", "-1e-05", "-inf", "0.25"])
def test_numbers_stay_numbers(number: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["x"], [[number], [float(number)]])
    assert (tmp_path / "t.csv").read_text().splitlines()[1] == number


@settings(max_examples=50, deadline=None)
@given(NAMES, NAMES)
def test_a_table_of_clips_keeps_any_name(
    tmp_path_factory: pytest.TempPathFactory, name: str, label: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "clips.csv"
    clip = Clip(f"{name}1", video=Path("a", name.replace("/", "")), label=label, speaker="p1")
    write_clips(path, [clip], Path("/nowhere"))
    assert read_clips(path) == [clip]
