"""Tables in any dialect give what the plain one gives; what people meant is compared."""

from __future__ import annotations

import csv
import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affuse.audit.leaks import find_leaks
from affuse.cli.main import main
from affuse.corpora.annotation import read_annotation
from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.protocols.make import make_protocol, protocol_of_lists
from affuse.corpora.protocols.protocol import protocol_text, read_protocol
from affuse.corpora.published_lists import read_listing
from affuse.corpora.registry import read_corpus
from affuse.corpora.table import read_clips, write_clips
from affuse.errors import BadInput
from affuse.execution.tables import Sheet, read_rows
from affuse.execution.text import clean, identity
from affuse.features.files import read_table
from affuse.features.openface import OpenFace
from tests.conftest import SHARED

drawn = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

#: What surrounds a cell and is not seen.
BLANKS = ["", " ", "  ", "\u00a0", "\u2003", "\u200b", "\ufeff", "\u202a", " \u00a0"]


@dataclass(frozen=True)
class Dialect:
    """How a program writes a table."""

    encoding: str = "utf-8"
    separator: str = ","
    end: str = "\n"
    decimal: str = "."
    quoted: bool = False
    before: str = ""
    after: str = ""
    outside: str = ""
    upper: bool = False
    decomposed: bool = False
    sep_line: bool = False
    spare_columns: int = 0
    spare_rows: int = 0

    def write(self, path: Path, rows: Sequence[Sequence[object]]) -> Path:
        """Write a table, its header first; floats are numbers."""
        lines = [f"sep={self.separator}"] if self.sep_line else []
        for number, row in enumerate(rows):
            cells = [self.cell(value, header=number == 0) for value in row]
            lines.append(self.separator.join(cells + [""] * self.spare_columns))
        lines += [self.separator * (len(rows[0]) + self.spare_columns - 1)] * self.spare_rows
        path.write_bytes((self.end.join(lines) + self.end).encode(self.encoding))
        return path

    def cell(self, value: object, header: bool) -> str:
        text = str(value)
        if isinstance(value, float):
            text = text.replace(".", self.decimal)
        if header and self.upper:
            text = text.upper()
        if self.decomposed:
            text = unicodedata.normalize("NFD", text)
        text = f"{self.before}{text}{self.after}"
        if self.quoted or self.separator in text or '"' in text:
            text = '"' + text.replace('"', '""') + '"'
        return f"{self.outside}{text}{self.outside}"


def readable(dialect: Dialect) -> Dialect:
    """One that can be told: UTF-16 without a mark, by its zeros; no decimal comma where commas
    separate."""
    if dialect.separator == ",":
        dialect = replace(dialect, decimal=".")
    if dialect.encoding.endswith(("-le", "-be")):
        dialect = replace(dialect, before="", after="")
    return dialect


dialects = st.builds(
    Dialect,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]),
    separator=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    decimal=st.sampled_from([".", ","]),
    quoted=st.booleans(),
    before=st.sampled_from(BLANKS),
    after=st.sampled_from(BLANKS),
    outside=st.sampled_from(["", " "]),
    upper=st.booleans(),
    decomposed=st.booleans(),
    sep_line=st.booleans(),
    spare_columns=st.integers(0, 2),
    spare_rows=st.integers(0, 2),
).map(readable)


def recordings(folder: Path) -> Path:
    for name in ("ä b.mp4", "b.wav", "c;d,e.wav"):
        (folder / name).write_bytes(b"x")
    return folder


ROWS: list[list[object]] = [
    ["path", "label", "speaker", "start", "end", "id"],
    ["ä b.mp4", "joy, or so", "zoë", 1.5, 3.25, "first"],
    ["b.wav", "anger;rage", "a02", 0.0, 2.5, "Ünique/2"],
    ["c;d,e.wav", 'so "called"', "a03", 0.25, 10.125, "third 3"],
]


@drawn
@given(dialect=dialects)
def test_clips_are_the_same_in_any_dialect(
    tmp_path_factory: pytest.TempPathFactory, dialect: Dialect
) -> None:
    folder = recordings(tmp_path_factory.mktemp("clips"))
    expected = read_corpus("folder", Dialect().write(folder / "plain.csv", ROWS))
    given = read_corpus("folder", dialect.write(folder / "clips.csv", ROWS))
    assert given == expected
    assert [clip.speaker for clip in given.clips] == ["zoë", "a03", "a02"]
    assert [clip.end for clip in given.clips] == [3.25, 10.125, 2.5]


@drawn
@given(dialect=dialects)
def test_numbers_are_the_same_in_any_dialect(tmp_path: Path, dialect: Dialect) -> None:
    dialect = replace(dialect, upper=False, spare_rows=0)
    numbers = np.array([[0.0, 1.5, -2.25], [0.5, 1e-3, 1234.5], [1.0, -0.5, 7.0]])
    for header in ([["time", "x", "y"]], []):
        rows = [*header, *numbers.tolist()]
        table = read_table(dialect.write(tmp_path / "a.csv", rows), ("time",))
        np.testing.assert_array_equal(table.cells, numbers)
        assert table.columns == (header[0] if header else None)


@drawn
@given(dialect=dialects)
def test_annotations_are_the_same_in_any_dialect(tmp_path: Path, dialect: Dialect) -> None:
    rows: list[list[object]] = [["time", "valence", "arousal"], [0.0, 0.5, -0.25], [0.1, "", 1.0]]
    track = read_annotation(dialect.write(tmp_path / "a.csv", rows))
    assert track.names == ("valence", "arousal") and track.valid.tolist() == [True, False]
    np.testing.assert_array_equal(track.values, [[0.5, -0.25], [0, 0]])
    rows = [["valence", "arousal"], [0.5, -0.25], [-5.0, -5.0]]
    track = read_annotation(dialect.write(tmp_path / "a.txt", rows))
    assert track.times is None and track.valid.tolist() == [True, False]


@drawn
@given(dialect=dialects)
def test_openface_is_the_same_in_any_dialect(
    tmp_path_factory: pytest.TempPathFactory, dialect: Dialect
) -> None:
    folder = tmp_path_factory.mktemp("openface")
    rows: list[list[object]] = [
        ["frame", "timestamp", "success", "AU01_r", "AU01_c"],
        *([k + 1, k / 30, int(k != 2), k / 10, 1.0] for k in range(5)),
    ]
    dialect.write(folder / "Zoë.csv", rows)
    stream = OpenFace(folder).extract(Clip("Zoë"))
    assert stream is not None and stream.mask.tolist() == [True, True, False, True, True]
    np.testing.assert_allclose(stream.values[:, 0], [0, 0.1, 0, 0.3, 0.4], rtol=1e-6)


@drawn
@given(dialect=dialects)
def test_lists_of_labels_and_sets_are_the_same_in_any_dialect(
    tmp_path: Path, dialect: Dialect
) -> None:
    clips = [Clip(f"zoë {k}") for k in range(3)]
    rows: list[list[object]] = [
        ["file", "joy", "anger", "set"],
        ["zoë 0.wav", 0.25, 0.75, "Train"],
        ["zoë 1.wav", 1.0, 0.0, "Development"],
        ["zoë 2.wav", 0.5, 0.5, "Test"],
    ]
    path = dialect.write(tmp_path / "labels.csv", rows)
    listing = read_listing(path, "folder", clips, ("joy", "anger"))
    assert listing.folds == [{"zoë 0": "train", "zoë 1": "development", "zoë 2": "test"}]
    assert listing.votes["zoë 0"] == {"joy": 1, "anger": 3}


@drawn
@given(dialect=dialects)
def test_protocols_are_the_same_in_any_dialect(tmp_path: Path, dialect: Dialect) -> None:
    rows: list[list[object]] = [
        ["clip", "speaker", "fold0"],
        ["zoë, 1", "a1", "train"],
        ["b", "a2", "test+development"],
    ]
    protocol = read_protocol(dialect.write(tmp_path / "p.csv", rows))
    assert protocol.folds == [{"zoë, 1": ("train",), "b": ("test", "development")}]
    assert protocol.speakers == {"zoë, 1": "a1", "b": "a2"}
    clips = [Clip(unicodedata.normalize("NFD", "zoë, 1")), Clip("b")]
    assert protocol.roles(0, clips) == [("train",), ("test", "development")]
    assert protocol.missing(clips) == []


def test_a_protocol_comes_back_as_it_was_written(tmp_path: Path) -> None:
    clips = [Clip(f'c{k}, the "{k}"', speaker=f"p{k}; {k}", label="joy") for k in range(6)]
    made = make_protocol(Corpus("folder", tmp_path, clips, ("joy",), ""), "mine", 3)
    path = tmp_path / "p.csv"
    path.write_text(protocol_text(made))
    read = read_protocol(path)
    assert (read.folds, read.speakers, read.source) == (made.folds, made.speakers, made.source)
    spreadsheet = "\r\n".join(
        '"' + line.replace('"', '""') + '",,,' if line.startswith("#") else line
        for line in path.read_text().splitlines()
    )
    path.write_text(spreadsheet)
    again = read_protocol(path)
    assert (again.folds, again.source) == (made.folds, made.source)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            "path,label\nä.wav,joy\n".encode("latin-1"),
            "line 2: is no text in UTF-8 (byte 12, 0xe4)",
        ),
        (b"PK\x03\x04\x14\x00", "is a spreadsheet (.xlsx, .ods) or zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is an Excel workbook (.xls)"),
        (b"  <!DOCTYPE html><html>", "is a page of HTML"),
        (b"\x1f\x8b\x08", "is compressed"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not a text file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"/annex/objects/SHA256E-s3--0", "is a git-annex pointer"),
        (b"path,label\nb.wav,jo\0y\n", "NUL"),
        (b'path,label\nb.wav,"joy\n', "line 2: a quote is never closed"),
        (b"path,label\nb.wav\n", "line 2: fewer cells than columns"),
        (b"path;label\n\nb.wav;joy;x\n", "line 3: more cells than columns"),
        (b"path,label,Label\nb.wav,joy,joy\n", "line 1: two columns label"),
        (b"path,label,\nb.wav,joy,x\n", "line 2: more cells than columns"),
        (b"", "is empty"),
    ],
)
def test_what_is_no_table_is_said_in_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    (recordings(tmp_path) / "clips.csv").write_bytes(content)
    with pytest.raises(BadInput) as error:
        read_corpus("folder", tmp_path)
    assert reason in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["1.234,5", "1_000", "1,5,0", "one", "0x10"])
def test_what_is_no_number_is_none(tmp_path: Path, text: str) -> None:
    sheet = Sheet(Dialect(separator=";").write(tmp_path / "a.csv", [["x", "y"], [1.0, 2.0]]))
    assert sheet.number(text) is None
    assert sheet.number("1,5") == 1.5 and sheet.number("\N{MINUS SIGN}2") == -2
    comma = Sheet(Dialect().write(tmp_path / "b.csv", [["x", "y"], [1.0, 2.0]]))
    assert comma.number("1,5") is None


@given(
    name=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1),
    before=st.sampled_from(BLANKS),
    after=st.sampled_from(BLANKS),
    form=st.sampled_from(["NFC", "NFD"]),
)
def test_unseen_characters_do_not_tell_names_apart(
    name: str, before: str, after: str, form: str
) -> None:
    other = f"{before}{unicodedata.normalize(form, name)}{after}"
    assert clean(clean(name)) == clean(name)
    assert clean(other) == clean(unicodedata.normalize("NFC", name))
    assert identity(other) == identity(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a01", "A01 "), ("1", "01"), ("1", "1.0"), ("Zoë", "zoe\u0308"), ("ａ1", "a1")],
)
def test_people_are_the_same_however_they_are_written(tmp_path: Path, one: str, other: str) -> None:
    assert identity(one) == identity(other)
    clips = [Clip("a", speaker=one), Clip("b", speaker=other), Clip("c", speaker="x")]
    path = tmp_path / "p.csv"
    path.write_text("clip,speaker,fold0\na,,train\nb,,test\nc,,development\n")
    (leak,) = find_leaks(read_protocol(path), 0, clips)
    assert leak.kind == "speaker" and "is in train and in test" in leak.example
    path.write_text("speaker,fold0\n" + f"{one},train\nx,test\n")
    protocol = load_protocol(str(path), clips)
    assert protocol.roles(0, clips) == [("train",), ("train",), ("test",)]
    path.write_text(f"clip,speaker,fold0\na,{other},train\nb,{one},train\nc,x,test\n")
    assert find_leaks(read_protocol(path), 0, clips) == [], "the same person under two names"


def test_labels_and_people_that_differ_in_case_are_one_and_told(tmp_path: Path) -> None:
    for name in "abcdef":
        (tmp_path / f"{name}.wav").write_bytes(b"x")
    (tmp_path / "clips.csv").write_text(
        "path,label,speaker,session\na.wav,Happy,A01,1\nb.wav,happy,a01,01\nc.wav,happy,a01,2\n"
        "d.wav,HAPPY,a02,2\ne.wav,sad,a02,2\nf.wav,sad,a02,2\n"
    )
    corpus = read_corpus("folder", tmp_path)
    assert corpus.classes == ("happy", "sad")
    assert [clip.label for clip in corpus.clips] == [*["happy"] * 4, "sad", "sad"]
    assert [clip.speaker for clip in corpus.clips] == [*["a01"] * 3, *["a02"] * 3]
    assert {clip.session for clip in corpus.clips} == {"1", "2"}
    assert corpus.notes == [
        "speakers 'A01' (1 clips) and 'a01' (2 clips) are one: 'a01'",
        "sessions '1' (1 clips) and '01' (1 clips) are one: '1'",
        "labels 'Happy' (1 clips) and 'happy' (2 clips) and 'HAPPY' (1 clips) are one: 'happy'",
    ]


def test_votes_for_one_class_are_added(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "b.wav").write_bytes(b"x")
    (tmp_path / "clips.csv").write_text(
        "path;Votes: Joy ;votes:anger;label\na.wav;2;1,5;joy\nb.wav;;2;anger\n"
    )
    corpus = read_corpus("folder", tmp_path)
    assert corpus.classes == ("anger", "joy")
    assert corpus.clips[0].votes == {"audio-visual": {"joy": 2.0, "anger": 1.5}}


def test_folders_of_one_class_are_one(tmp_path: Path) -> None:
    for name in ("Happy/ann/1.wav", "happy /Ann/2.wav", "happy/ben/3.WAV", "sad/ben/Thumbs.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    corpus = read_corpus("folder", tmp_path)
    assert corpus.classes == ("happy",) and len(corpus.clips) == 3
    assert {clip.speaker for clip in corpus.clips} == {"ann", "ben"} and not corpus.left_out


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("b.wav;joy;3;2;", "line 2: end 2.0 is not after start 3.0"),
        ("b.wav;joy;-1;2;", "line 2: start is not a time in seconds: '-1'"),
        ("b.wav;joy;1;inf;", "line 2: end is not a time in seconds: 'inf'"),
        ("b.wav;joy;1;1e400;", "line 2: end is not a time in seconds"),
        ("b.wav;joy;;;../x", "line 2: clip id '../x' leads out of a folder"),
        ("b.wav;joy;;;/etc/x", "line 2: clip id '/etc/x' leads out of a folder"),
        ("b.wav;joy;;;a//b", "line 2: clip id 'a//b' has an empty part"),
        (f"b.wav;joy;;;{'x' * 300}", "is longer than 200 bytes"),
        ("b.wav;joy;;;a\x1b[31mb", "holds a control character"),
    ],
)
def test_times_and_ids_that_cannot_be_are_named_with_their_line(
    tmp_path: Path, cells: str, reason: str
) -> None:
    (recordings(tmp_path) / "clips.csv").write_text(f"path;label;start;end;id\n{cells}\n")
    with pytest.raises(BadInput) as error:
        read_corpus("folder", tmp_path)
    assert reason in str(error.value)
    assert str(error.value).isprintable()


def test_a_store_of_before_knows_its_people(tmp_path: Path) -> None:
    path = tmp_path / "clips.csv"
    write_clips(path, [Clip("a", speaker="a01 "), Clip("b", speaker="a01")], tmp_path)
    assert [clip.speaker for clip in read_clips(path)] == ["a01", "a01"]
    with path.open() as file:
        assert [row["speaker"] for row in csv.DictReader(file)] == ["a01 ", "a01"]


def test_lists_of_names_are_read_in_any_encoding(tmp_path: Path) -> None:
    clips = [Clip("zoë"), Clip("b")]
    corpus = Corpus("folder", tmp_path, clips, ("joy",), "")
    train = tmp_path / "train.txt"
    train.write_bytes("\u00a0zoe\u0308.wav\u2003\r\r".encode("utf-16"))
    test = tmp_path / "test.txt"
    test.write_text("'C:\\clips\\b.mp4'\n\n")
    protocol = protocol_of_lists(corpus, "mine", {"train": train, "test": test})
    assert protocol.folds == [{"zoë": ("train",), "b": ("test",)}]


def test_a_list_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    corpus = Corpus("folder", tmp_path, [Clip("b")], ("joy",), "")
    (tmp_path / "train.txt").write_bytes(b"b\n\xffb\n")
    with pytest.raises(BadInput, match=r"train\.txt: line 2: is no text in UTF-8"):
        protocol_of_lists(corpus, "mine", {"train": tmp_path / "train.txt"})


def test_large_tables_are_read_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("n,text\n" + "".join(f"{k},é{k}\n" for k in range(30_000)), "utf-8")
    rows = list(read_rows(path, ["n", "text"]))
    assert len(rows) == 30_000 and rows[-1] == (30_001, {"n": "29999", "text": "é29999"})
    path.write_bytes(path.read_bytes()[:-1] + b"\xff\n")
    with pytest.raises(BadInput, match="line 30001: is no text in UTF-8"):
        list(read_rows(path, ["n", "text"]))


def test_the_speakers_with_a_blank_are_one_person_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = SHARED / "faults" / "speakers_trailing_space.csv"
    if not table.is_file():
        pytest.skip("the fault files (../shared/faults) are not here")
    names = [line.split(",")[0] for line in table.read_text().splitlines()[1:]]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    shutil.copyfile(table, tmp_path / "clips.csv")
    corpus = read_corpus("folder", tmp_path)
    assert len(corpus.clips) == 48 and len({clip.speaker for clip in corpus.clips}) == 8
    rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
    roles = [
        f"{Path(path).stem},{who},{'train' if who.endswith(' ') else 'test'}"
        for path, _, who in rows
    ]
    (tmp_path / "p.csv").write_text("clip,speaker,fold0\n" + "\n".join(roles) + "\n")
    words = ["check", "--protocol", str(tmp_path / "p.csv"), "folder", str(tmp_path)]
    assert main(words) == 1
    assert "speaker: fold 0: speaker a01 is in train and in test" in capsys.readouterr().out
