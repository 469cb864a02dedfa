"""Which sentence a clip says, where the names of a corpus tell it."""

from __future__ import annotations

import re

from affuse.corpora.speech_corpora import ASED, EMOTALE, EMOVO, NEMO

_PATTERNS = {
    "ravdess": r"\d\d-\d\d-\d\d-(?P<sentence>\d\d)-\d\d-\d\d",
    "cremad": r"\d{4}_(?P<sentence>[A-Z]{3})_[A-Z]{3}_[A-Z]{2}",
    **{one.name: one.pattern for one in (NEMO, EMOVO, EMOTALE, ASED)},
}


def sentence_of(clip: str, corpus: str) -> str | None:
    """What the publisher calls the sentence of a clip; None where the name does not tell it.

    Args:
        clip: Its id, which begins with the corpus where clips of several are together.
        corpus: Registry name.
    """
    pattern = _PATTERNS.get(corpus)
    match = pattern and re.fullmatch(pattern, clip.removeprefix(f"{corpus}/"))
    return match["sentence"] if match else None
