"""Weights of encoders from where their publishers put them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from affuse.corpora.fetching.fetch import fetch
from affuse.corpora.fetching.manifest import Manifest, manifest_of
from affuse.errors import AffuseError
from affuse.execution.files import atomic_path

_PART = "encoder"


def list_weights() -> list[str]:
    """Names of the weights that there is a manifest of, the small ones first."""
    return [f"whisper-{size}" for size in _told()["files"]]


def load_weights(name: str, mirror: str | None = None) -> Manifest:
    """The manifest of one of `list_weights()`.

    Args:
        name: Such as `whisper-base`.
        mirror: Scheme and host to fetch from; affuse itself knows none.

    Raises:
        AffuseError: The mirror is not an address.
    """
    told = _told()
    size = name.removeprefix("whisper-")
    archive = {"name": f"{size}.pt", **told.pop("files")[size]}
    told["title"] += f" {size}"
    told["parts"] = {_PART: {"what": "its encoder, of the whole network", "archives": [archive]}}
    return manifest_of(name, told | {"default": [_PART]}, mirror)


def check_place(manifest: Manifest, out: Path) -> None:
    """Refuse where the weights are neither in the folder nor to be had from a host.

    Raises:
        AffuseError: The line says what to do.
    """
    (archive,) = manifest.parts[_PART].archives
    there = (Path(out) / archive.name, _place(Path(out), archive.name))
    if not urlsplit(archive.url).scheme and not any(path.is_file() for path in there):
        raise AffuseError(
            f"{manifest.name}: say where from: --mirror with scheme and host of the addresses in "
            f"whisper/__init__.py of {manifest.page}; or put {archive.name} into {out}"
        )


def fetch_weights(
    manifest: Manifest, out: Path, *, keep: bool, verify: bool, say: Callable[[str], None]
) -> None:
    """Fetch weights, compare their SHA-256, and write `<name>.safetensors` with the encoder.

    Args:
        manifest: Of the weights.
        out: Folder.
        keep: Leave the published file in the folder.
        verify: Compare the checksum, not only the size, of what is there.
        say: Called with a line.

    Raises:
        AffuseError: There is no address, or the server refuses or cannot be reached.
        BadInput: What arrives is not what was published.
    """
    check_place(manifest, out)
    parts = list(manifest.parts.values())
    fetch(manifest, parts, out, keep_archives=keep, verify=verify, say=say, unpack=_write_encoder)


def _write_encoder(archive: Path, folder: Path, any_size: bool) -> dict[str, tuple[int, int]]:
    from affuse.models.frozen.whisper import load_encoder

    path, content = _place(folder, archive.name), load_encoder(archive).content
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return {path.name: (len(content), zlib.crc32(content))}


def _place(folder: Path, archive: str) -> Path:
    """The file with the encoder that a published file holds."""
    return folder / f"whisper-{archive.removesuffix('.pt')}.safetensors"


def _told() -> dict[str, Any]:
    path = Path(__file__).with_name("whisper.yaml")
    told: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return told
