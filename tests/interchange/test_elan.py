"""What EAFv3.0.xsd asks of an `.eaf`, as far as ours goes."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from tests.interchange.codings import LABELS, codings

from affuse.interchange.elan import read_eaf, write_eaf
from affuse.interchange.segments import Coding, Segment

ORDER = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "LANGUAGE", "CONTROLLED_VOCABULARY"]
REQUIRED = {
    "ANNOTATION_DOCUMENT": {"AUTHOR", "DATE", "FORMAT", "VERSION"},
    "MEDIA_DESCRIPTOR": {"MEDIA_URL", "MIME_TYPE"},
    "TIME_SLOT": {"TIME_SLOT_ID", "TIME_VALUE"},
    "TIER": {"TIER_ID", "LINGUISTIC_TYPE_REF"},
    "ALIGNABLE_ANNOTATION": {"ANNOTATION_ID", "TIME_SLOT_REF1", "TIME_SLOT_REF2"},
    "LINGUISTIC_TYPE": {"LINGUISTIC_TYPE_ID"},
    "CONTROLLED_VOCABULARY": {"CV_ID"},
    "CV_ENTRY_ML": {"CVE_ID"},
    "CVE_VALUE": {"LANG_REF"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("elan") / "a.eaf"


@settings(max_examples=40, deadline=None)
@given(codings(exact=False), LABELS)
def test_elements_attributes_and_references_are_those_of_the_schema(
    place: Path, coding: Coding, label: str
) -> None:
    vocabulary = {"emotion": ["happy", label], "smile": ["weak"]}
    write_eaf(place, Coding(coding.segments, coding.media, coding.duration, vocabulary))
    root = ET.parse(place).getroot()
    tags = [tag for tag, _ in groupby(element.tag for element in root)]
    assert tags == [tag for tag in ORDER if tag in tags] and tags[:2] == ORDER[:2]
    for element in root.iter():
        assert REQUIRED.get(element.tag, set()) <= {*element.attrib}, element.tag
    datetime.fromisoformat(root.attrib["DATE"])

    def values(path: str, name: str) -> list[str]:
        return [element.attrib[name] for element in root.iterfind(path) if name in element.attrib]

    annotations = "TIER/ANNOTATION/ALIGNABLE_ANNOTATION"
    slots = values("TIME_ORDER/TIME_SLOT", "TIME_SLOT_ID")
    ids = [*slots, *values(annotations, "ANNOTATION_ID"), *values("LANGUAGE", "LANG_ID")]
    assert len({*ids}) == len(ids) and all(re.fullmatch(r"[a-z]\w*", name) for name in ids)
    times = [int(time) for time in values("TIME_ORDER/TIME_SLOT", "TIME_VALUE")]
    assert times == sorted({*times}) and min(times, default=0) >= 0
    keys = [("TIER", "TIER_ID"), ("LINGUISTIC_TYPE", "LINGUISTIC_TYPE_ID")]
    for path, name in [*keys, ("CONTROLLED_VOCABULARY", "CV_ID")]:
        assert len({*values(path, name)}) == len(values(path, name)), name
    for refer, to in (
        ((annotations, "TIME_SLOT_REF1"), slots),
        ((annotations, "TIME_SLOT_REF2"), slots),
        (("TIER", "LINGUISTIC_TYPE_REF"), values("LINGUISTIC_TYPE", "LINGUISTIC_TYPE_ID")),
        (
            ("LINGUISTIC_TYPE", "CONTROLLED_VOCABULARY_REF"),
            values("CONTROLLED_VOCABULARY", "CV_ID"),
        ),
        ((".//CVE_VALUE", "LANG_REF"), values("LANGUAGE", "LANG_ID")),
    ):
        assert {*values(*refer)} <= {*to}, refer


def test_the_vocabulary_comes_back_and_a_changed_participant_is_the_person(place: Path) -> None:
    coding = Coding([Segment("person1", "emotion", 0, 1, "x")], vocabulary={"emotion": ["x", "y"]})
    write_eaf(place, coding)
    assert read_eaf(place).vocabulary == {"emotion": ["x", "y"]}
    place.write_text(place.read_text().replace('PARTICIPANT="person1"', 'PARTICIPANT="Anna K."'))
    assert [*read_eaf(place).segments] == [Segment("Anna K.", "emotion", 0, 1, "x")]


def test_characters_that_xml_cannot_hold_are_written_out(place: Path) -> None:
    write_eaf(place, Coding([Segment("a\x07", "emotion", 0, 1, "b\x1b\udce9")]))
    (segment,) = read_eaf(place).segments
    assert (segment.person, segment.label) == ("a\\x07", "b\\x1b\\udce9")
