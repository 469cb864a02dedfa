"""What in a store is not what was written."""

from __future__ import annotations

from pathlib import Path

from affuse.errors import BadInput
from affuse.execution.files import file_digest
from affuse.execution.object_storage import local
from affuse.features.store import Store
from affuse.features.stream_file import StreamFile


def damages(store: Path) -> tuple[list[str], list[str]]:
    """What in a store is not what was written; all of it is read.

    Returns:
        One line for each damage, and the names of the streams that have no checksums.

    Raises:
        BadInput: It is not a store.
    """
    store = local(Path(store))
    damaged: list[str] = []
    unchecked: list[str] = []
    try:
        Store(store)
    except BadInput as error:
        if not (store / "store.json").is_file():
            raise
        damaged.append(str(error))
    for path in sorted(store.rglob("*.safetensors")):
        name = path.relative_to(store).with_suffix("").as_posix()
        folder = name.split("/", 1)[0]
        if folder == "networks" and not file_digest(path).startswith(path.stem):
            damaged.append(f"{path}: is damaged (its SHA-256 is not its name)")
        if folder in ("networks", "parts") or path.name.startswith("."):
            continue
        try:
            file = StreamFile(path)
        except BadInput as error:
            damaged.append(str(error))
            continue
        damaged += [f"{path}: clip {k} is damaged" for k in file.clips if not file.intact(k)]
        if not file.checked:
            unchecked.append(name)
    return damaged, unchecked
