"""Protocols by name: bundled files, files of one's own, and what is made of the clips at hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.made import (
    LEAVE_ONE_CORPUS_OUT,
    LEAVE_ONE_SPEAKER_OUT,
    MADE,
    SPEAKERS_5FOLD,
    each_by_its_own,
    leave_one_corpus_out,
    leave_one_speaker_out,
    speakers_5fold,
)
from affuse.corpora.protocols.protocol import Protocol, read_protocol
from affuse.corpora.splits.split import is_split, read_split, split_protocol
from affuse.corpora.together import TOGETHER
from affuse.errors import BadInput
from affuse.suggestions import hint

#: Digests of the bundled files, as `sha256sum` writes them.
DIGESTS = "SHA256SUMS"


def list_protocols() -> list[str]:
    """Names of the bundled protocols."""
    folder = Path(__file__).parent
    files = sorted(folder.rglob("*.csv"))
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in files]
    return [*names, *MADE]


def load_protocol(name: str, clips: Sequence[Clip]) -> Protocol:
    """A protocol by name, or from a user's CSV file in the same format, or from split files.

    Args:
        name: One of `list_protocols()` or a path, also of a file or folder of split files as they
            circulate (`affuse.corpora.splits`); of several corpora also one of each, with `+`
            between them.
        clips: Clips of the corpus; the protocols `MADE` are made from their speakers and corpora.

    Raises:
        BadInput: The file is absent or malformed, or a bundled one was changed.
    """
    if name == LEAVE_ONE_SPEAKER_OUT:
        return leave_one_speaker_out(clips)
    if name == SPEAKERS_5FOLD:
        return speakers_5fold(clips)
    if name == LEAVE_ONE_CORPUS_OUT:
        return leave_one_corpus_out(clips)
    if name in list_protocols():
        return _shipped(name)
    if TOGETHER in name and not Path(name).exists():
        return each_by_its_own([load_protocol(one, clips) for one in name.split(TOGETHER)], clips)
    if name and is_split(Path(name)):
        return split_protocol(read_split(Path(name), clips=clips), clips)
    if not Path(name).is_file():
        known = hint(name, list_protocols(), "affuse list protocols")
        raise BadInput(name, f"no such protocol or file; {known}")
    return read_protocol(Path(name))


def _shipped(name: str) -> Protocol:
    folder = Path(__file__).parent
    lines = (folder / DIGESTS).read_text(encoding="utf-8").splitlines()
    digests = {file: digest for digest, file in (line.split("  ", 1) for line in lines)}
    protocol = read_protocol(folder / f"{name}.csv")
    if protocol.sha256 != digests.get(f"{name}.csv"):
        raise BadInput(
            folder / f"{name}.csv",
            "is not the protocol that came with affuse (its SHA-256 differs); install affuse "
            "again, and keep changed copies under a name of your own",
        )
    return protocol
