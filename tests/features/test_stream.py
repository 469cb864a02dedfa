import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from affuse.features.batch import Batch, Normalisation, collate, normalise
from affuse.features.stream import Stream, StreamSpec, window_of

SPEC = StreamSpec("audio/x", 10.0, (2,))


def ramp(length: int, start: float = 0.0) -> Stream:
    values = np.arange(2 * length, dtype=np.float32).reshape(length, 2) + 1
    return Stream(values, np.ones(length, bool), start)


@given(st.integers(1, 60), st.floats(-5, 10), st.floats(0.1, 8))
def test_a_window_has_a_fixed_length_and_absent_frames_outside(
    length: int, start: float, seconds: float
) -> None:
    window = ramp(length).cut(SPEC, start, seconds)
    assert len(window.mask) == len(window.values) == max(1, round(seconds * 10))
    first = round(start * 10)
    for i, present in enumerate(window.mask):
        assert present == (0 <= first + i < length)
        expected = ramp(length).values[first + i] if present else 0
        assert (window.values[i] == expected).all()


def test_a_window_respects_the_start_of_the_stream() -> None:
    window = ramp(10, start=1.0).cut(SPEC, 0.5, 1.0)
    assert window.mask.tolist() == [False] * 5 + [True] * 5
    assert window.start == 0.5


def test_one_row_per_clip_and_fixed_spans_are_kept_whole() -> None:
    for spec in (StreamSpec("video/x", 0.0, (2,)), StreamSpec("video/x", 10.0, (2,), span=3.6)):
        stream = ramp(4)
        assert stream.cut(spec, 7.0, 1.0) is stream


def test_a_stream_without_frames_is_absent_in_every_window() -> None:
    empty = Stream(np.zeros((0, 2), np.float32), np.zeros(0, bool))
    window = window_of({"audio/x": empty}, {"audio/x": SPEC}, 0.0, 2.0)["audio/x"]
    assert window.values.shape == (20, 2) and not window.mask.any()


def test_specs_survive_json() -> None:
    spec = StreamSpec("video/f", 25 / 6, (8, 8, 3), "uint8", {"a": 1}, 3.6)
    assert StreamSpec.from_json(spec.to_json()) == spec
    assert spec.modality == "video" and spec.is_picture


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "kind"),
    [
        ("audio/logmel64-16k", (64,), "float32", "spectrum"),
        ("audio/logmel64-vggish", (96, 64), "float32", "maps"),
        ("audio/mfcc10", (10,), "float32", "vectors"),
        ("audio/fingerprint", (24,), "uint8", "vectors"),
        ("video/faces48", (48, 48, 3), "uint8", "pictures"),
        ("video/tsav", (512, 7, 7), "float16", "maps"),
        ("video/imported-x", (7, 7, 3), "float32", "maps"),
    ],
)
def test_a_spec_written_before_there_were_kinds_has_the_same_kind(
    name: str, shape: tuple[int, ...], dtype: str, kind: str
) -> None:
    spec = StreamSpec(name, 25.0, shape, dtype)
    facts = spec.to_json()
    assert facts["kind"] == spec.kind == kind
    del facts["kind"]
    assert StreamSpec.from_json(facts) == spec


@pytest.mark.parametrize(
    ("shape", "dtype", "kind"),
    [
        ((3,), "float32", "maps"),
        ((8, 8, 3), "float32", "pictures"),
        ((2, 2), "float32", "vectors"),
        ((8, 8, 4), "uint8", "pictures"),
        ((3,), "float32", "pixels"),
        ((3,), "float32", 1),
    ],
)
def test_a_kind_that_a_stream_cannot_be_is_refused(
    shape: tuple[int, ...], dtype: str, kind: str | int
) -> None:
    facts = StreamSpec("video/x", 25.0, shape, dtype).to_json() | {"kind": kind}
    with pytest.raises(ValueError, match="kind"):
        StreamSpec.from_json(facts)


def test_what_is_said_of_a_stream_counts_whatever_its_name() -> None:
    spec = StreamSpec("audio/mine", 50.0, (64,), kind="spectrum")
    assert StreamSpec.from_json(spec.to_json()).kind == "spectrum"


def test_collate_pads_as_absent_and_normalise_keeps_absent_at_zero() -> None:
    specs = {"audio/x": SPEC, "video/p": StreamSpec("video/p", 5.0, (4, 6, 3), "uint8")}
    picture = Stream(np.full((2, 4, 6, 3), 255, np.uint8), np.array([True, False]))
    samples = [{"audio/x": ramp(n), "video/p": picture} for n in (2, 5)]
    batch = collate(samples, specs, [1, 0], ["a", "b"])
    assert batch.masks["audio/x"].sum(1).tolist() == [2, 5]
    statistics = {
        "audio/x": Normalisation((1.0, 2.0), (2.0, 4.0)),
        "video/p": Normalisation(std=(255.0,)),
    }
    ready = normalise(batch, statistics)
    assert ready.streams["audio/x"][0, 1].tolist() == [1.0, 0.5]
    assert ready.streams["audio/x"][0, 2:].abs().sum() == 0
    assert ready.streams["video/p"].shape == (2, 2, 3, 4, 6)
    assert ready.streams["video/p"][:, 0].eq(1).all() and ready.streams["video/p"][:, 1].eq(0).all()


def test_without_takes_every_stream_of_a_modality() -> None:
    streams = {n: torch.ones(2, 3, 4) for n in ("audio/a", "audio/b", "video/c")}
    masks = {n: torch.ones(2, 3, dtype=torch.bool) for n in streams}
    gone = Batch(streams, masks).without("audio")
    assert not gone.masks["audio/a"].any() and not gone.masks["audio/b"].any()
    assert gone.streams["audio/b"].eq(0).all() and gone.masks["video/c"].all()
    assert masks["audio/a"].all()
