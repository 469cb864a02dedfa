"""Rows of sound that are given as soon as their sound is there are those of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from tests.faults.sounds import voice

from affuse.features.catalogue import create_extractor
from affuse.features.sections import Sections
from affuse.features.sound import LocalExtractor


@pytest.mark.parametrize("name", ["audio/logmel64-16k", "audio/mfcc10", "audio/logmel64-tsav"])
@pytest.mark.parametrize("size", [37, 1024, 20000])
def test_flushed_rows_are_those_of_the_whole(name: str, size: int) -> None:
    made = create_extractor(name)
    assert isinstance(made, LocalExtractor)
    sound = voice(3.0, rate=made.sound_rate)
    sections = Sections(made.rows, made.spec, made.hop, made.context, size=0)
    rows = []
    for first in range(0, len(sound), size):
        sections.push(sound[first : first + size])
        expected = sections.there(made.ahead)
        rows.append(sections.flush(made.ahead))
        assert len(rows[-1]) == expected
        given = sum(len(part) for part in rows)
        assert given == max(0, min(first + size, len(sound)) // made.hop - made.ahead)
    rows.append(sections.rest())
    np.testing.assert_allclose(np.concatenate(rows), made.rows(sound), atol=1e-5)
