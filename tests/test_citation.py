"""CITATION.cff is in the Citation File Format 1.2.0, and cites every published system."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from affuse.models.registry import MODELS

ROOT = Path(__file__).parents[1]
#: Keys of the format that the file may use: of the whole, of a reference, of a person.
WHOLE = {"cff-version", "message", "type", "title", "authors", "version", "license", "abstract"}
WHOLE |= {"keywords", "references"}
REFERENCE = {"type", "title", "authors", "year", "collection-title", "journal", "identifiers"}
REFERENCE |= {"notes", "repository-code"}
PERSON = {"family-names", "given-names"}


@pytest.fixture(scope="module")
def citation() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return found


def test_it_is_in_the_format(citation: dict[str, Any]) -> None:
    assert citation["cff-version"] == "1.2.0" and {*citation} <= WHOLE
    assert citation["type"] == "software" and citation["message"] and citation["title"]
    for cited in (citation, *citation["references"]):
        assert cited is citation or {"type", "title", "authors"} <= {*cited} <= REFERENCE
        assert cited["authors"]
        assert all({*one} == {"name"} or {*one} == PERSON for one in cited["authors"])


def test_it_is_of_this_version(citation: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert str(citation["version"]) == project["version"]
    # of the code; the package has that of the bundled model file too
    assert project["license"] == f"{citation['license']} AND CC-BY-NC-SA-4.0"


def test_the_systems_are_cited_with_their_models(citation: dict[str, Any]) -> None:
    notes = " ".join(cited["notes"] for cited in citation["references"])
    assert {*re.findall(r"[a-z]+(?:-[a-z]+)*", notes)} >= {
        name
        for name in MODELS
        if name.startswith(("chumachenko", "avtca", "auxformer", "rjca", "jca", "leader"))
    }
