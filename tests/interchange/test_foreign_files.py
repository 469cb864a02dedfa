"""Files that people and other programs wrote: what is read of them, and why some are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from affuse.errors import BadInput
from affuse.interchange.formats import read_coding
from affuse.interchange.segments import Segment

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="Ann" DATE="2024-01-01T00:00:00+01:00" FORMAT="3.0" VERSION="3.0">
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/data/my%20talk.mp4" MIME_TYPE="video/mp4"/>
  </HEADER>
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="500"/>
    <TIME_SLOT TIME_SLOT_ID="ts2"/>
    <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="2500"/>
  </TIME_ORDER>
  <TIER TIER_ID="Anna" PARTICIPANT="Anna K." LINGUISTIC_TYPE_REF="utterance">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
      <ANNOTATION_VALUE>happy</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
      <ANNOTATION_VALUE>sad</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER TIER_ID="strength@Anna" PARENT_REF="Anna" LINGUISTIC_TYPE_REF="words">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a2">
      <ANNOTATION_VALUE>weak</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a2" PREVIOUS_ANNOTATION="a3">
      <ANNOTATION_VALUE/></REF_ANNOTATION></ANNOTATION>
  </TIER>
  <LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="utterance" TIME_ALIGNABLE="true"/>
</ANNOTATION_DOCUMENT>
"""
LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "Anna"
        xmin = 0
        xmax = 2.5
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 1.25
            text = "she said ""no"" é"
        intervals [2]:
            xmin = 1.25
            xmax = 2.5
            text = ""
    item [2]:
        class = "TextTier"
        name = "smile@Anna"
        xmin = 0
        xmax = 2.5
        points: size = 1
        points [1]:
            number = 0.75
            mark = "onset"
"""
SHORT = """File type = "ooTextFile"
"TextGrid"

0
2.5
<exists>
2
"IntervalTier" ! of the "first" person
"Anna"
0
2.5
2
0
1.25
"she said ""no"" é"
1.25
2.5
""
"TextTier"
"smile@Anna"
0
2.5
1
0.75
"onset"
"""
IN_GRID = [
    Segment("", "Anna", 0, 1.25, 'she said "no" é'),
    Segment("Anna", "smile", 0.75, 0.75, "onset"),
]
VTT = """WEBVTT - by hand

NOTE
neither a cue

STYLE
::cue { color: white }

first
00:01.000 --> 00:02.500 align:start position:10%
<v.loud Anna K.>really <i>happy</i> &amp; calm</v>
<v Ben>sad

01:00:00.000 --> 01:00:01.000
no voice

01:00:01.000 --> 01:00:02.000
"""


def project(**observations: list[list[object]]) -> str:
    """A project of BORIS, of which each observation is of a recording of its name."""
    return json.dumps(
        {
            "behaviors_conf": {
                "0": {"code": "happy", "type": "State event"},
                "1": {"code": "nod", "type": "Point event"},
                "2": {"code": "smile", "type": "State event"},
            },
            "observations": {
                name: {"file": {"1": [f"/home/ann/{name}.mp4"], "2": []}, "events": events}
                for name, events in observations.items()
            },
        }
    )


def put(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_an_eaf_by_hand(tmp_path: Path) -> None:
    coding = read_coding(put(tmp_path, "a.eaf", EAF))
    assert [*coding.segments] == [
        Segment("Anna K.", "Anna", 0.5, 1.5, "happy"),
        Segment("Anna K.", "Anna", 1.5, 2.5, "sad"),
        Segment("Anna", "strength", 1.5, 2.0, "weak"),
        Segment("Anna", "strength", 2.0, 2.5, ""),
    ]
    assert coding.media == "my talk.mp4" and coding.duration == 2.5


@pytest.mark.parametrize("text", [LONG, SHORT])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_long_and_short_textgrids_in_every_encoding(
    tmp_path: Path, text: str, encoding: str, end: str
) -> None:
    path = put(tmp_path, "a.TextGrid", text.replace("\n", end), encoding)
    coding = read_coding(path)
    assert [*coding.segments] == IN_GRID and coding.duration == 2.5


def test_cues_by_hand(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        coding = read_coding(put(tmp_path, "a.vtt", "\ufeff" + VTT.replace("\n", end)))
        assert [*coding.segments] == [
            Segment("Anna K.", "loud", 1.0, 2.5, "really happy & calm"),
            Segment("Ben", "emotion", 1.0, 2.5, "sad"),
            Segment("", "emotion", 3600.0, 3601.0, "no voice"),
        ]


def test_labels_of_audacity(tmp_path: Path) -> None:
    text = "0,5\t1,5\thappy\n\\\t100.0\t2000.0\n2.000000\t2.000000\tnod: twice\n3\t4\n"
    assert [*read_coding(put(tmp_path, "a.txt", text)).segments] == [
        Segment("", "emotion", 0.5, 1.5, "happy"),
        Segment("", "emotion", 2.0, 2.0, "nod: twice"),
        Segment("", "emotion", 3.0, 4.0, ""),
    ]


def test_a_project_of_boris(tmp_path: Path) -> None:
    events: list[list[object]] = [
        [1.5, "Ann", "happy", "", "first"],
        [2.0, "Ben", "happy", "", "", 50],
        [2.5, "Ann", "nod", "", "", "NA"],
        [3.0, "Ben", "happy", "", ""],
        [3.5, "Ann", "happy", "", ""],
        [1.0, "", "smile", "weak", ""],
        [4.0, "", "smile", "weak", ""],
    ]
    path = put(tmp_path, "a.boris", project(talk=events, other=[]))
    coding = read_coding(path, "talk.mp4")
    assert [*coding.segments] == [
        Segment("", "smile", 1.0, 4.0, "weak"),
        Segment("Ann", "emotion", 1.5, 3.5, "happy", "first"),
        Segment("Ben", "emotion", 2.0, 3.0, "happy"),
        Segment("Ann", "emotion", 2.5, 2.5, "nod"),
    ]
    assert coding.media == "talk.mp4"
    assert read_coding(path, "other.mp4").segments == []
    with pytest.raises(BadInput, match=r"holds 'talk', 'other' of x\.mp4; there has to be one"):
        read_coding(path, "x.mp4")


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.eaf", EAF[:900], "is no whole XML"),
        ("a.eaf", "", "is no whole XML (no element found)"),
        ("a.eaf", "happy\n", "line 1, column 0: is no whole XML"),
        ("a.eaf", EAF.replace("<ANNOTATION_D", f"{BOMB}<ANNOTATION_D", 1), "DOCTYPE"),
        ("a.eaf", "<html></html>", "is XML of 'html', not of 'ANNOTATION_DOCUMENT'"),
        ("a.eaf", EAF.replace("UTF-8", "klingon"), "is no"),
        ("a.eaf", EAF.replace('REF2="ts2"', 'REF2="ts9"'), "'a1' refers to time slot 'ts9'"),
        ("a.eaf", EAF.replace('_REF="a2"', '_REF="a9"'), "'a3' refers to annotation 'a9'"),
        ("a.eaf", EAF.replace('_REF="a2"', '_REF="a3"'), "'a3' refers to annotation 'a3'"),
        ("a.eaf", EAF.replace('VALUE="500"', 'VALUE="-5"'), "'ts1': '-5' is no time"),
        ("a.eaf", EAF.replace('VALUE="500"', 'VALUE="3500"'), "'a1': end 3 is before its start"),
        ("a.TextGrid", EAF, "is a page of HTML or XML"),
        ("a.TextGrid", LONG.replace('"TextGrid"', '"Pitch"'), "is no TextGrid of Praat"),
        ("a.TextGrid", "happy 1 2\n", "is no TextGrid"),
        ("a.TextGrid", LONG[:600], "is cut off, or counts too many"),
        ("a.TextGrid", LONG.replace("intervals: size = 2", "intervals: size = 3"), "tier 1, int"),
        ("a.TextGrid", LONG.replace("intervals: size = 2", "intervals: size = 1"), "otherwise"),
        ("a.TextGrid", LONG.replace("\nsize = 2", "\nsize = 1"), "holds more than it counts"),
        ("a.TextGrid", LONG.replace("\nsize = 2", "\nsize = 2.5"), "number of tiers is 2.5"),
        ("a.TextGrid", LONG.replace('"onset"', '"onset'), "line 31: a quote is never closed"),
        ("a.TextGrid", LONG.replace('"TextTier"', '"Manipulation"'), "tier 2 is of class"),
        ("a.TextGrid", "\0\1\2ooBinaryFile\10TextGrid", "is not a text file"),
        ("a.vtt", "1\n00:00:01,000 --> 00:00:02,000\nx\n", "does not begin with WEBVTT"),
        ("a.vtt", "WEBVTT\n\n1 --> 2\nx\n", "line 3: '1 --> 2' are no times"),
        ("a.vtt", "WEBVTT\n\n00:02.000 --> 00:01.000\nx\n", "line 3: end 1 is before"),
        ("a.txt", "0.5\t1.5\thappy\nhello\n", "line 2: is no label of Audacity"),
        ("a.txt", "nan\t1.5\thappy\n", "line 1: start nan is no time"),
        ("a.tsv", "0.5\tann\thappy\t\t\tNA\n", "line 1: 'happy' of ann begins at 0.5 s and never"),
        ("a.tsv", "time\tsubject\tcode\tm\tc\n", "line 1: 'time' is no time in seconds"),
        ("a.tsv", "0.5\thappy\n", "line 1: is no event of BORIS"),
        ("a.boris", "{}", "is no project of BORIS"),
        ("a.boris", "[" * 100_000, "is no project of BORIS"),
        ("a.boris", project(), "holds no observation"),
        ("a.boris", project(talk=[[1.0, "ann"]]), "observation 'talk', event 1: is no list"),
        ("a.boris", project(talk=[["x", "ann", "happy"]]), "event 1: 'x' is no time"),
        ("a.boris", project(talk=[[1.0, "ann", "happy"]]), "'happy' of ann begins at 1 s and"),
        ("a.docx", "x", "is no file of labels by its name (.eaf, .textgrid, .tsv"),
    ],
)
def test_a_bad_file_is_one_line_with_the_reason(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    path = put(tmp_path, name, text)
    with pytest.raises(BadInput) as error:
        read_coding(path)
    assert str(error.value).startswith(f"{path}: ") and reason in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["a.eaf", "a.TextGrid", "a.vtt", "a.txt", "a.tsv", "a.boris"])
def test_what_is_no_text_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput):
        read_coding(tmp_path / name)
    (tmp_path / name).write_bytes(bytes(range(256)) * 9)
    with pytest.raises(BadInput, match=str(tmp_path / name)):
        read_coding(tmp_path / name)
    (tmp_path / name).write_bytes("Zärtlich".encode("latin-1"))
    with pytest.raises(BadInput, match=str(tmp_path / name)):
        read_coding(tmp_path / name)
