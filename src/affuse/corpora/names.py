"""Which clip a name in somebody's list means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from affuse.corpora.clip import Clip
from affuse.corpora.folder import PICTURES, SOUNDS, VIDEOS
from affuse.corpora.registry import corpus_module
from affuse.execution.text import clean

_SUFFIXES = {".npy", ".txt", *SOUNDS, *PICTURES, *VIDEOS}


def find_clip(corpus: str, name: str, clips: Mapping[str, Clip]) -> Clip | None:
    """The clip of a name.

    Args:
        corpus: Name of the corpus.
        name: An id, or the name or path (of any system) of a file of the clip, with its suffix or
            without.
        clips: Id -> clip at hand.

    Returns:
        The one at hand; else one without files where the corpus has names of a form and this is
        one of them; else None.
    """
    name = clean(clean(name).strip("\"'")).replace("\\", "/")
    last = name.rsplit("/", 1)[-1]
    for spelling in (name, _stem(name), last, _stem(last)):
        if spelling in clips:
            return clips[spelling]
    named = getattr(corpus_module(corpus), "clip_named", None)
    clip: Clip | None = named(_stem(last)) if named else None
    return clips.get(clip.id, clip) if clip else None


def _stem(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in _SUFFIXES else name
