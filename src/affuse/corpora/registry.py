"""The corpora by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affuse.corpora.clip import Corpus
from affuse.errors import AffuseError
from affuse.execution.object_storage import local
from affuse.registry import Entry, Registry
from affuse.suggestions import hint

#: Each names a module, or an object, with `read(root, ...)`.
CORPORA: Registry[Entry] = Registry(
    "corpus",
    {
        "ravdess": Entry(
            "affuse.corpora.ravdess",
            "RAVDESS, 24 actors, 8 emotions; speech, and song by option",
        ),
        "cremad": Entry(
            "affuse.corpora.cremad",
            "CREMA-D, 91 actors, 6 emotions, crowd votes per channel",
        ),
        "msp-improv": Entry(
            "affuse.corpora.msp_improv",
            "MSP-IMPROV, 12 speakers in 6 sessions, 4 or 10 emotions, votes",
        ),
        "affwild2": Entry(
            "affuse.corpora.affwild2",
            "Aff-Wild2, valence and arousal for every frame",
        ),
        "affwild2-npy": Entry(
            "affuse.corpora.affwild2_arrays",
            "Aff-Wild2 as the leader-follower system's preprocessing left it (npy_data)",
        ),
        "diffusionfer": Entry(
            "affuse.corpora.diffusionfer",
            "DiffusionFER, synthetic face images, 7 expressions",
        ),
        "ferplus": Entry(
            "affuse.corpora.ferplus",
            "FER+, 32,000 small grey images of faces, 8 emotions, ten votes each",
        ),
        "nemo": Entry(
            "affuse.corpora.speech_corpora:NEMO",
            "nEMO, Polish speech, 9 actors, 6 emotions",
        ),
        "emovo": Entry(
            "affuse.corpora.speech_corpora:EMOVO",
            "EMOVO, Italian speech, 6 actors, 7 emotions",
        ),
        "emotale": Entry(
            "affuse.corpora.speech_corpora:EMOTALE",
            "EmoTale, Danish and English speech, 18 speakers, 5 emotions, ratings",
        ),
        "ased": Entry(
            "affuse.corpora.speech_corpora:ASED",
            "ASED, Amharic speech, 65 speakers, 5 emotions",
        ),
        "folder": Entry(
            "affuse.corpora.folder",
            "your own recordings or images: a clips.csv, or a folder per class",
        ),
    },
    group="affuse.corpora",
    listed_by="affuse list corpora",
)


def read_corpus(name: str, root: Path, options: Mapping[str, Any] | None = None) -> Corpus:
    """The clips of a corpus.

    Args:
        name: A key of `CORPORA`.
        root: Where the corpus lies; of one in object storage all files are copied first.
        options: Options of the corpus (`corpus_options`).

    Raises:
        AffuseError: There is no corpus of that name, or no such option.
        BadInput: The folder does not hold it.
    """
    known = corpus_options(name)
    if wrong := [key for key in options or {} if key not in known]:
        raise AffuseError(f"corpus {name} has no option {wrong[0]!r}; {hint(wrong[0], known)}")
    corpus: Corpus = corpus_module(name).read(local(Path(root)), **(options or {}))
    return corpus


def corpus_options(name: str) -> list[str]:
    """Names of the options that a corpus is read with.

    Raises:
        AffuseError: There is no corpus of that name.
    """
    return list(inspect.signature(corpus_module(name).read).parameters)[1:]


def corpus_module(name: str) -> Any:
    """The module, or object, of a corpus: `read(root, ...)`, and `clip_named(name)` where names
    have a form.

    Raises:
        AffuseError: There is no corpus of that name.
    """
    return CORPORA[name].load()
