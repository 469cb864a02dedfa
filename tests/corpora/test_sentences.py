"""The sentence of a clip, by the names of its corpus."""

from __future__ import annotations

import pytest

from affuse.corpora.sentences import sentence_of


@pytest.mark.parametrize(
    ("corpus", "clip", "sentence"),
    [
        ("ravdess", "01-03-02-02-01-16", "02"),
        ("ravdess", "ravdess/01-03-02-02-01-16", "02"),
        ("cremad", "1001_DFA_ANG_XX", "DFA"),
        ("emovo", "dis-f1-b1", "b1"),
        ("emotale", "DK_001_A_1", "1"),
        ("ravdess", "another", None),
        ("folder", "01-03-02-02-01-16", None),
    ],
)
def test_the_name_tells_it_or_nothing_does(corpus: str, clip: str, sentence: str | None) -> None:
    assert sentence_of(clip, corpus) == sentence
