"""What can be fetched of a corpus, under which licence, and from where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml

from affuse.errors import AffuseError
from affuse.suggestions import hint, unknown


@dataclass(frozen=True)
class Archive:
    """A zip archive that is unpacked into the corpus folder.

    Args:
        name: Of the file.
        url: Where it is.
        size: In bytes, where it is published.
        about: In bytes, roughly, where it is not.
        sha256: Where it is published.
        md5: Where only that is published.
    """

    name: str
    url: str
    size: int | None = None
    about: int = 0
    sha256: str | None = None
    md5: str | None = None


@dataclass(frozen=True)
class Part:
    """A part of a corpus that can be asked for.

    Args:
        name: Such as `speech-audio`.
        what: What it holds.
        archives: Its archives; empty where the corpus is a Git LFS repository.
        members: Patterns of its files in the repository.
        about: Roughly its size in bytes, where there are no archives.
    """

    name: str
    what: str
    archives: list[Archive] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    about: int = 0

    @property
    def size(self) -> int:
        """Bytes to fetch, roughly."""
        return self.about + sum(archive.size or archive.about for archive in self.archives)


@dataclass(frozen=True)
class Repository:
    """A repository whose recordings are in Git LFS.

    Args:
        archive: Zip of the repository, with pointers for the recordings.
        servers: Git LFS servers that have them; the first that answers is taken.
    """

    archive: str
    servers: list[str]


@dataclass(frozen=True)
class Manifest:
    """How a corpus, or the weights of a network, are obtained.

    Args:
        name: As in `affuse fetch --list`.
        title: Its name in full.
        page: Official page.
        licence: A few lines.
        citation: What to cite.
        note: What else to know before.
        parts: By name; none for a corpus under an agreement.
        default: Parts that are fetched unless others are asked for.
        lfs: The repository, for a corpus in Git LFS.
        agreement: How to apply, for a corpus under an agreement.
    """

    name: str
    title: str
    page: str
    licence: str
    citation: str
    note: str = ""
    parts: dict[str, Part] = field(default_factory=dict)
    default: list[str] = field(default_factory=list)
    lfs: Repository | None = None
    agreement: str = ""

    def choose(self, names: Sequence[str]) -> list[Part]:
        """The parts of these names, each once; the default ones for none.

        Raises:
            AffuseError: There is no such part.
        """
        for name in names:
            if name not in self.parts:
                raise AffuseError(f"{self.name} has no part {name!r}; {hint(name, self.parts)}")
        return [self.parts[name] for name in dict.fromkeys(names or self.default)]


def list_manifests() -> list[str]:
    """Names of the corpora that there is a manifest of."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.yaml"))


def load_manifest(name: str, mirror: str | None = None) -> Manifest:
    """The manifest of a corpus.

    Args:
        name: One of `list_manifests()`.
        mirror: Takes the place of scheme and host in every address to fetch from.

    Raises:
        AffuseError: There is no such manifest, or the mirror is not an address.
    """
    if name not in list_manifests():
        raise unknown("corpus to fetch", name, list_manifests())
    path = Path(__file__).parent / f"{name}.yaml"
    return manifest_of(name, yaml.safe_load(path.read_text(encoding="utf-8")), mirror)


def manifest_of(name: str, told: dict[str, Any], mirror: str | None = None) -> Manifest:
    """What a YAML file tells.

    Args:
        name: Of the manifest.
        told: Its fields; `url` is the address of archives with `{name}` and other fields of theirs.
        mirror: Takes the place of scheme and host in every address to fetch from.

    Raises:
        AffuseError: The mirror is not an address.
    """
    if mirror is not None and urlsplit(mirror).scheme not in {"http", "https"}:
        raise AffuseError(f"--mirror {mirror}: an address starts with https:// or http://")

    def place(url: str) -> str:
        if mirror is None:
            return url
        return mirror.rstrip("/") + urlunsplit(("", "", *urlsplit(url)[2:]))

    def part(key: str, facts: dict[str, Any], url: str) -> Part:
        archives = [
            Archive(url=place(url.format(**archive)), **archive)
            for archive in facts.pop("archives", ())
        ]
        return Part(key, archives=archives, **facts)

    told = dict(told)
    url = told.pop("url", "")
    told["parts"] = {key: part(key, facts, url) for key, facts in told.get("parts", {}).items()}
    if lfs := told.get("lfs"):
        told["lfs"] = Repository(
            place(lfs["archive"]), [place(server) for server in lfs["servers"]]
        )
    return Manifest(name, **told)
