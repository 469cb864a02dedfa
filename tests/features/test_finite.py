"""Numbers that are not finite are found in streams of every type, where they are present."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.errors import AffuseError
from affuse.features.batch import collate
from affuse.features.stream import Stream, StreamSpec

EXTREME = {"float16": 65504.0, "float32": 3e38}


@given(
    dtype=st.sampled_from(["float16", "float32"]),
    shape=st.sampled_from([(3,), (2, 3)]),
    wrong=st.sampled_from([np.nan, -np.nan, np.inf, -np.inf]),
    frame=st.integers(0, 19),
    value=st.integers(0, 2),
    present=st.booleans(),
)
def test_one_wrong_number_is_named_with_clip_and_second(
    dtype: str, shape: tuple[int, ...], wrong: float, frame: int, value: int, present: bool
) -> None:
    spec = StreamSpec("audio/some", 10.0, shape, dtype)
    values = np.resize([EXTREME[dtype], -EXTREME[dtype], -0.0, 6e-8], (20, *shape)).astype(dtype)
    mask = np.ones(20, bool)
    whole = Stream(values.copy(), mask)
    assert len(collate([{spec.name: whole}], {spec.name: spec})) == 1
    values[(frame, *[0] * (len(shape) - 1), value)] = wrong
    mask[frame] = present
    sample = {spec.name: Stream(values, mask)}
    if not present:
        collate([sample], {spec.name: spec})
        return
    with pytest.raises(AffuseError, match=rf"clip c1: stream audio/some .*at {frame / 10:.2f} s"):
        collate([sample], {spec.name: spec}, ids=["c1"])
