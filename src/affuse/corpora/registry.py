"""The corpora by name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from affuse.corpora.clip import Corpus
from affuse.errors import AffuseError

#: Name -> (module with `read(root)`, what it is).
CORPORA: dict[str, tuple[str, str]] = {
    "ravdess": ("affuse.corpora.ravdess", "RAVDESS speech, 24 actors, 8 emotions"),
    "folder": ("affuse.corpora.folder", "your own recordings, listed in a clips.csv"),
}


def read_corpus(name: str, root: Path) -> Corpus:
    """The clips of a corpus.

    Args:
        name: A key of `CORPORA`.
        root: Where the corpus lies.

    Raises:
        AffuseError: There is no corpus of that name.
        BadInput: The folder does not hold it.
    """
    if name not in CORPORA:
        raise AffuseError(f"unknown corpus {name!r} (known: {', '.join(CORPORA)})")
    corpus: Corpus = import_module(CORPORA[name][0]).read(Path(root))
    return corpus
