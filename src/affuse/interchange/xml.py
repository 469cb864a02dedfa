"""XML that others wrote, and text that XML can hold."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from affuse.errors import BadInput

#: What XML 1.0 cannot hold; a carriage return would come back as a line end.
_ILLEGAL = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _NoDocumentType(ET.TreeBuilder):
    """Refuses a document type, and so every entity that could grow or read other files."""

    def doctype(self, name: str, pubid: str, system: str) -> None:
        raise _Refused


class _Refused(Exception):
    """There is a document type."""


def read_xml(path: Path, root: str) -> ET.Element:
    """The root element of a file.

    Args:
        path: The file.
        root: What the root element has to be called.

    Raises:
        BadInput: It cannot be read, is no XML, is cut off, declares a document type, or has
            another root.
    """
    if path.exists() and not path.is_file():  # a pipe would wait for ever
        raise BadInput(path, "is no file")
    parser = ET.XMLParser(target=_NoDocumentType())
    try:
        element = ET.parse(path, parser).getroot()
    except _Refused as error:
        raise BadInput(path, "declares a document type (DOCTYPE), which is not read") from error
    except ET.ParseError as error:
        line, column = error.position
        reason = str(error).partition(":")[0]
        raise BadInput(path, f"line {line}, column {column}: is no whole XML ({reason})") from error
    except (ValueError, LookupError) as error:  # an encoding that is not known
        raise BadInput(path, f"is no XML ({error})") from error
    except OSError as error:
        raise BadInput(path, error.strerror or "cannot be read") from error
    if element.tag != root:
        raise BadInput(path, f"is XML of {element.tag!r}, not of {root!r}")
    return element


def legal(text: str) -> str:
    """Text without what XML 1.0 cannot hold, which is written as `\\x1b`."""
    return _ILLEGAL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
