"""ELAN's `.eaf`: one tier per person and signal, with the labels as a controlled vocabulary.

Source: EAF 3.0 (EAFv3.0.xsd, December 2016).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

from affuse.errors import BadInput
from affuse.execution.files import atomic_path
from affuse.interchange.reading import as_coding, checked
from affuse.interchange.segments import Coding, Segment, milliseconds, tier_parts
from affuse.interchange.xml import legal, read_xml

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
#: The same timeline gives the same bytes, whenever it is written.
_DATE = "2000-01-01T00:00:00+00:00"
_MIME = {
    **dict.fromkeys((".mpg", ".mpeg", ".mpe"), "video/mpeg"),
    **dict.fromkeys((".mp4", ".m4v"), "video/mp4"),
    **dict.fromkeys((".mp3", ".flac", ".ogg", ".m4a", ".aac", ".opus"), "audio/*"),
    ".mov": "video/quicktime",
    ".wav": "audio/x-wav",
}
_UNDETERMINED = "und"


def write_eaf(path: Path, coding: Coding) -> None:
    """Write an `.eaf`; it links the recording by its name alone.

    Times are whole milliseconds. What has no length and all notes are left out, and characters
    that XML cannot hold are written as in a Python string (`\\x1b`).

    Raises:
        ValueError: Segments of a tier overlap.
    """
    root = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "affuse",
            "DATE": _DATE,
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": _INSTANCE,
            "xsi:noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    header = ET.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if coding.media:
        name = quote(coding.media, errors="surrogateescape")
        mime = _MIME.get(Path(coding.media).suffix.lower(), "video/*")
        ET.SubElement(
            header,
            "MEDIA_DESCRIPTOR",
            MEDIA_URL=name,
            MIME_TYPE=mime,
            RELATIVE_MEDIA_URL=f"./{name}",
        )
    order = ET.SubElement(root, "TIME_ORDER")
    tiers = {name: milliseconds(tier) for name, tier in coding.tiers.items()}
    slots = {
        time: f"ts{number}"
        for number, time in enumerate(
            sorted({time for tier in tiers.values() for a, b, _ in tier for time in (a, b)}), 1
        )
    }
    for time, slot in slots.items():
        ET.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(time))
    count = 0
    signals = {}
    for name, tier in tiers.items():
        person, signal = tier_parts(name)
        signals[legal(signal)] = coding.vocabulary.get(signal)
        facts = {"TIER_ID": legal(name), "LINGUISTIC_TYPE_REF": legal(signal)}
        if person:
            facts["PARTICIPANT"] = legal(person)
        element = ET.SubElement(root, "TIER", facts)
        for start, end, segment in tier:
            count += 1
            annotation = ET.SubElement(
                ET.SubElement(element, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                ANNOTATION_ID=f"a{count}",
                TIME_SLOT_REF1=slots[start],
                TIME_SLOT_REF2=slots[end],
            )
            ET.SubElement(annotation, "ANNOTATION_VALUE").text = legal(segment.label)
    _add_types(root, signals)
    ET.indent(root)
    with atomic_path(path) as temporary:
        ET.ElementTree(root).write(temporary, encoding="UTF-8", xml_declaration=True)


def _add_types(root: ET.Element, signals: Mapping[str, Sequence[str] | None]) -> None:
    """A type per signal, and the vocabularies of those that have one."""
    for signal, labels in signals.items():
        facts = {"LINGUISTIC_TYPE_ID": signal, "TIME_ALIGNABLE": "true"}
        facts["GRAPHIC_REFERENCES"] = "false"
        if labels:
            facts["CONTROLLED_VOCABULARY_REF"] = signal
        ET.SubElement(root, "LINGUISTIC_TYPE", facts)
    if not any(signals.values()):
        return
    ET.SubElement(root, "LANGUAGE", LANG_ID=_UNDETERMINED, LANG_LABEL="undetermined (und)")
    for signal, labels in signals.items():
        if labels:
            element = ET.SubElement(root, "CONTROLLED_VOCABULARY", CV_ID=signal)
            ET.SubElement(element, "DESCRIPTION", LANG_REF=_UNDETERMINED)
            for number, label in enumerate(labels):
                entry = ET.SubElement(element, "CV_ENTRY_ML", CVE_ID=f"{signal}_{number}")
                ET.SubElement(entry, "CVE_VALUE", LANG_REF=_UNDETERMINED).text = legal(label)


def read_eaf(path: Path) -> Coding:
    """Read an `.eaf` of any version.

    The person of a tier is its participant, else what its name says after `@`; the signal is the
    name without that. Time slots without a time lie evenly between their neighbours. Annotations
    that refer to others have the time of these, and several that refer to one share it evenly.

    Raises:
        BadInput: It is no `.eaf`, or what it refers to is not in it.
    """
    root = read_xml(path, "ANNOTATION_DOCUMENT")
    times = _slot_times(path, root)
    spans: dict[str, tuple[float, float]] = {}
    tiers = root.findall("TIER")
    for element in root.iter("ALIGNABLE_ANNOTATION"):
        refs = element.get("TIME_SLOT_REF1", ""), element.get("TIME_SLOT_REF2", "")
        for ref in refs:
            if ref not in times:
                raise BadInput(
                    path, f"{_named(element)} refers to time slot {ref!r}, which is not there"
                )
        spans[element.get("ANNOTATION_ID", "")] = times[refs[0]], times[refs[1]]
    _add_dependent(path, tiers, spans)
    segments = []
    for tier in tiers:
        person, signal = tier_parts(tier.get("TIER_ID", ""))
        person = tier.get("PARTICIPANT") or person
        for element in tier.iterfind("ANNOTATION/*"):
            start, end = spans[element.get("ANNOTATION_ID", "")]
            label = element.findtext("ANNOTATION_VALUE") or ""
            segment = Segment(person, signal, start, end, label)
            segments.append(checked(path, _named(element), segment))
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    url = "" if media is None else media.get("RELATIVE_MEDIA_URL") or media.get("MEDIA_URL") or ""
    name = unquote(url.replace("\\", "/").rpartition("/")[2], errors="surrogateescape")
    return as_coding(segments, name, max(times.values(), default=0.0), _vocabulary(root))


def _named(element: ET.Element) -> str:
    return f"annotation {element.get('ANNOTATION_ID', '')!r}"


def _slot_times(path: Path, root: ET.Element) -> dict[str, float]:
    """Time slot -> seconds."""
    slots = root.findall("TIME_ORDER/TIME_SLOT")
    known: list[float | None] = []
    for slot in slots:
        text = slot.get("TIME_VALUE")
        if text is not None and not (text.isascii() and text.isdecimal()):
            raise BadInput(path, f"time slot {slot.get('TIME_SLOT_ID', '')!r}: {text!r} is no time")
        known.append(None if text is None else int(text) / 1000)
    found: dict[str, float] = {}
    last, waiting = 0.0, []
    for slot, time in zip(slots, known, strict=True):
        waiting.append(slot.get("TIME_SLOT_ID", ""))
        if time is not None:
            step = (time - last) / len(waiting)
            found |= {name: last + step * k for k, name in enumerate(waiting[:-1], 1)}
            found[waiting[-1]] = last = time
            waiting = []
    return found | dict.fromkeys(waiting, last)


def _add_dependent(
    path: Path, tiers: list[ET.Element], spans: dict[str, tuple[float, float]]
) -> None:
    """Add the spans of annotations that refer to others, however deep."""
    todo: dict[str, list[str]] = defaultdict(list)
    for number, tier in enumerate(tiers):
        for element in tier.iterfind("ANNOTATION/REF_ANNOTATION"):
            todo[f"{number} {element.get('ANNOTATION_REF', '')}"].append(
                element.get("ANNOTATION_ID", "")
            )
    while todo:
        ready = [key for key in todo if key.partition(" ")[2] in spans]
        if not ready:
            key = next(iter(todo))
            raise BadInput(
                path,
                f"annotation {todo[key][0]!r} refers to annotation {key.partition(' ')[2]!r}, "
                "which is not there",
            )
        for key in ready:
            start, end = spans[key.partition(" ")[2]]
            names = todo.pop(key)
            step = (end - start) / len(names)
            for k, name in enumerate(names):
                spans[name] = start + k * step, start + (k + 1) * step


def _vocabulary(root: ET.Element) -> dict[str, list[str]]:
    """Signal -> labels, of the vocabularies in the file."""
    return {
        element.get("CV_ID", ""): [
            entry.findtext("CVE_VALUE") or "" for entry in element.iterfind("CV_ENTRY_ML")
        ]
        for element in root.iterfind("CONTROLLED_VOCABULARY")
    }
