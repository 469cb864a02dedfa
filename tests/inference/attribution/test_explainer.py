"""What explanations say of models that are built by hand, so that the answer is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inference.explained import (
    CROPS,
    FACES,
    GREY,
    SOUND,
    SPECTRUM,
    UNITS,
    ByHand,
    explain,
    gone,
    noise,
    predict,
    spec_of,
)
from torch import Tensor

from affuse.features.batch import Normalisation
from affuse.features.stream import Stream, StreamSpec
from affuse.inference.attribution.parts import REST, SoundBand
from affuse.media.band_stop import Band
from affuse.models.calibration import MaskCalibration, ModelCalibration

SECONDS = 5.3
SAME = StreamSpec("audio/mfcc10", 10.0, (2,))
VECTORS = StreamSpec("video/openface", 10.0, (2,))


def two_classes(score: Tensor) -> Tensor:
    """(B,) -> (B, 2) logits."""
    return torch.stack([score, torch.zeros_like(score)], 1)


def drawn(seed: int) -> tuple[ByHand, dict[str, Stream]]:
    """A random network of both streams, and streams with holes."""
    torch.manual_seed(seed)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))

    def scores(means: Mapping[str, Tensor]) -> Tensor:
        found: Tensor = network(torch.cat([x.flatten(1) for x in means.values()], 1))
        return found

    random = np.random.default_rng(seed)
    streams = {spec.name: noise(spec, SECONDS, seed) for spec in (SAME, VECTORS)}
    for stream in streams.values():
        stream.mask &= np.repeat(random.random(len(stream.mask) // 10 + 1) < 0.7, 10)[
            : len(stream.mask)
        ]
    return ByHand([SAME, VECTORS], scores, 3), streams


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 999))
def test_baseline_and_contributions_are_the_prediction(seed: int) -> None:
    model, streams = drawn(seed)
    spec = spec_of([SAME, VECTORS], "abc")
    timeline = predict(model, spec, streams, SECONDS)
    found = timeline.explanation
    assert found is not None
    whole = found.baseline + sum(found.contributions.values())
    np.testing.assert_allclose(whole, found.output, atol=1e-12)
    known = ~np.isnan(found.output)
    assert (known.all(1) == timeline.known).all()
    rows = vars(timeline)["probabilities"]
    assert np.array_equal(rows[known], found.output[known].astype(np.float32))
    total = found.overall
    whole = total["baseline"] + total["audio"] + total["video"]
    np.testing.assert_allclose(whole, total["output"], atol=1e-12)
    assert not any(np.isnan(x[timeline.known]).any() for x in found.contributions.values())


@pytest.mark.parametrize("head", ["classes", "frames"])
def test_a_model_that_ignores_images_gives_them_exactly_nothing(head: str) -> None:
    def scores(means: Mapping[str, Tensor]) -> Tensor:
        return means[SAME.name] * torch.tensor([3.0, -1.0])

    model = ByHand([SAME, FACES], scores, 2, "classes" if head == "classes" else "frames")
    spec = spec_of([SAME, FACES], ["valence", "arousal"], model.head, {FACES.name: GREY})
    streams = {spec.name: noise(spec, SECONDS) for spec in (SAME, FACES)}
    streams[SAME.name].mask[20:30] = False
    streams[FACES.name].mask[:17] = False
    found = explain(model, spec, streams, SECONDS)
    assert found.known.any() and (found.contributions["video"][found.known] == 0).all()
    assert (np.nan_to_num(found.falls["video"]) == 0).all()
    assert all((part.falls == 0).all() for part in found.parts)
    assert np.nanmax(np.abs(found.contributions["audio"])) > 0.05


def test_of_a_sum_each_modality_contributes_its_term() -> None:
    def scores(rows: Mapping[str, Tensor]) -> Tensor:
        return 0.1 + 0.05 * rows[SAME.name] + 0.07 * rows[VECTORS.name]

    model = ByHand([SAME, VECTORS], scores, 2, "frames")
    spec = spec_of([SAME, VECTORS], ["valence", "arousal"], "frames")
    streams = {spec.name: noise(spec, SECONDS, k) for k, spec in enumerate((SAME, VECTORS))}
    found = explain(model, spec, streams, SECONDS)
    rows = len(found.output)
    for name, spec_, share in (("audio", SAME, 0.05), ("video", VECTORS, 0.07)):
        expected = share * streams[spec_.name].values[:rows]
        np.testing.assert_allclose(found.contributions[name], expected, atol=1e-6)
    np.testing.assert_allclose(found.baseline, 0.1, atol=1e-6)


def test_swapping_modalities_swaps_their_contributions() -> None:
    def scores(means: Mapping[str, Tensor]) -> Tensor:
        return two_classes(means[SAME.name].sum(1) * means[VECTORS.name].sum(1))

    model, spec = ByHand([SAME, VECTORS], scores, 2), spec_of([SAME, VECTORS], "ab")
    sound, images = noise(SAME, SECONDS, 1), noise(VECTORS, SECONDS, 2)
    one = explain(model, spec, {SAME.name: sound, VECTORS.name: images}, SECONDS)
    other = explain(model, spec, {SAME.name: images, VECTORS.name: sound}, SECONDS)
    np.testing.assert_allclose(one.contributions["audio"], other.contributions["video"], atol=1e-6)


def test_a_modality_that_is_missing_contributes_exactly_nothing() -> None:
    model, streams = drawn(3)
    streams[VECTORS.name] = gone(VECTORS, SECONDS)
    found = explain(model, spec_of([SAME, VECTORS], "abc"), streams, SECONDS)
    assert (found.contributions["video"][found.known] == 0).all()
    assert (np.nan_to_num(found.falls["video"]) == 0).all()


def test_one_modality_has_the_whole_effect() -> None:
    model = ByHand([SAME], lambda means: two_classes(means[SAME.name][:, 0] * 3), 2)
    found = explain(model, spec_of([SAME], "ab"), {SAME.name: noise(SAME, SECONDS)}, SECONDS)
    assert list(found.contributions) == ["audio"]
    np.testing.assert_allclose(found.baseline, 0.5)
    np.testing.assert_array_equal(found.contributions["audio"], found.output - found.baseline)


def test_the_calibrated_output_is_explained() -> None:
    model = ByHand([SAME, VECTORS], lambda means: two_classes(means[SAME.name][:, 0] * 3), 2)
    own = MaskCalibration(2.0, [1.0, -1.0], [0.9], 10, 3)
    calibration = ModelCalibration(0.9, {"av": own})
    spec = spec_of([SAME, VECTORS], "ab", calibration=calibration)
    streams = {spec.name: noise(spec, SECONDS) for spec in (SAME, VECTORS)}
    plain = explain(model, spec_of([SAME, VECTORS], "ab"), streams, SECONDS)
    found = explain(model, spec, streams, SECONDS)
    log_odds = [np.log(x.output[:, 0] / x.output[:, 1]) for x in (plain, found)]
    np.testing.assert_allclose(log_odds[1], log_odds[0] / 2 + 2, atol=1e-5)
    # without images the model was not calibrated: part of the difference is theirs
    assert (found.contributions["video"] != 0).all()


@pytest.mark.parametrize(("modality", "stretch"), [("audio", 0.5), ("video", 0.4)])
def test_the_stretch_with_the_cue_has_the_largest_fall(modality: str, stretch: float) -> None:
    cued = SAME if modality == "audio" else VECTORS
    model = ByHand([SAME, VECTORS], lambda means: two_classes(means[cued.name][:, 0] * 5), 2)
    streams = {spec.name: noise(spec, SECONDS) for spec in (SAME, VECTORS)}
    for stream in streams.values():
        stream.values *= 0.05
    streams[cued.name].values[30:32, 0] = 4.0  # at 3.0 s and 3.1 s
    spec = spec_of([SAME, VECTORS], "ab")
    found = explain(model, spec, streams, SECONDS, stretch)
    curve = found.falls[modality][:, 0]
    assert curve.argmax() == int(3.1 / stretch) and curve.max() > 0.05
    other = found.falls["video" if modality == "audio" else "audio"]
    np.testing.assert_allclose(other, 0, atol=1e-6)
    assert len(curve) == np.ceil(SECONDS / stretch)


def test_of_values_a_stretch_is_judged_where_it_is() -> None:
    model = ByHand([SAME, VECTORS], lambda rows: 0.1 * rows[SAME.name], 2, "frames")
    streams = {spec.name: noise(spec, SECONDS) for spec in (SAME, VECTORS)}
    streams[SAME.name].values[:] = np.arange(53)[:, None] // 5 * np.array([1.0, -1.0])
    spec = spec_of([SAME, VECTORS], ["valence", "arousal"], "frames")
    found = explain(model, spec, streams, SECONDS)
    np.testing.assert_allclose(found.falls["audio"][:, 0], 0.1 * np.arange(11), atol=1e-5)
    np.testing.assert_allclose(found.falls["audio"][:, 1], -0.1 * np.arange(11), atol=1e-5)


@pytest.mark.parametrize(
    ("spec", "region", "rows", "columns"),
    [
        (FACES, "mouth", slice(21, 26), slice(8, 20)),
        (FACES, "eyes", slice(11, 15), slice(5, 23)),
        (CROPS, "bottom left", slice(8, 12), slice(0, 4)),
    ],
)
def test_the_region_that_is_looked_at_has_the_largest_fall(
    spec: StreamSpec, region: str, rows: slice, columns: slice
) -> None:
    def scores(means: Mapping[str, Tensor]) -> Tensor:
        return two_classes(means[spec.name][:, :, rows, columns].mean((1, 2, 3)))

    stream = noise(spec, SECONDS)
    stream.values[:, rows, columns] = 220
    told = spec_of([spec], "ab", statistics={spec.name: GREY})
    found = explain(ByHand([spec], scores, 2), told, {spec.name: stream}, SECONDS)
    falls = {part.name: part.overall[0] for part in found.parts}
    assert max(falls, key=lambda name: falls[name]) == region and falls[region] > 0.1
    assert (
        sum(part.where.astype(int) for part in found.parts).tolist()
        == np.ones(spec.shape[:2], int).tolist()
    )
    assert (REST in falls) == bool(spec.recipe.get("align"))


def test_the_band_that_is_listened_to_has_the_largest_fall() -> None:
    model = ByHand([SPECTRUM], lambda means: two_classes(means[SPECTRUM.name][:, 4:6].sum(1)), 2)
    stream = noise(SPECTRUM, SECONDS)
    stream.values[:, 4:6] += 2
    spec = spec_of([SPECTRUM], "ab", statistics={SPECTRUM.name: Normalisation((0.0,), (1.0,))})
    found = explain(model, spec, {SPECTRUM.name: stream}, SECONDS)
    assert [part.what for part in found.parts] == ["band"] * 8
    falls = np.array([part.overall[0] for part in found.parts])
    assert falls.argmax() == 2 and falls[2] > 0.2
    np.testing.assert_allclose(np.delete(falls, 2), 0, atol=1e-6)
    ends = [part.name.removesuffix(" Hz").split("-") for part in found.parts]
    assert ends[0][0] == "50" and ends[-1][1] == "8000"
    assert all(a[1] == b[0] for a, b in pairwise(ends))


def test_named_columns_are_hidden_one_by_one_and_others_are_said_to_have_no_parts() -> None:
    model = ByHand([SOUND, UNITS], lambda means: two_classes(means[UNITS.name][:, 2] * 2), 2)
    streams = {spec.name: noise(spec, SECONDS) for spec in (SOUND, UNITS)}
    streams[UNITS.name].values[:, 2] += 2
    found = explain(model, spec_of([SOUND, UNITS], "ab"), streams, SECONDS)
    falls = {part.name: float(part.overall[0]) for part in found.parts}
    assert list(falls) == ["AU01_r", "AU04_r", "AU12_r"]
    assert max(falls, key=lambda name: falls[name]) == "AU12_r"
    assert "no names" in found.missing[SOUND.name] and UNITS.name not in found.missing


def test_two_runs_say_the_same_to_the_bit() -> None:
    model, streams = drawn(5)
    spec = spec_of([SAME, VECTORS], "abc")
    one, two = (explain(model, spec, streams, SECONDS) for _ in range(2))
    assert all(
        np.array_equal(one.contributions[name], two.contributions[name], equal_nan=True)
        and np.array_equal(one.falls[name], two.falls[name], equal_nan=True)
        for name in one.contributions
    )


def test_what_is_withheld_is_not_explained() -> None:
    model, streams = drawn(6)
    streams = {name: Stream(x.values, np.ones_like(x.mask)) for name, x in streams.items()}
    found = explain(model, spec_of([SAME, VECTORS], "abc"), streams, SECONDS)
    assert found.known.all()
    first = np.arange(len(found.output)) < 2
    left = found.without(first)
    assert np.isnan(left.contributions["audio"][first]).all()
    assert (left.known == ~first).all()
    everything = found.without(np.ones(len(found.output), bool))
    assert not everything.known.any() and everything.sentences == []
    assert all(np.isnan(x).all() for x in everything.falls.values())


def test_a_sentence_says_who_spoke_for_it_and_who_against() -> None:
    def scores(means: Mapping[str, Tensor]) -> Tensor:
        return two_classes(2 * means[SAME.name][:, 0] + means[VECTORS.name][:, 0])

    streams = {spec.name: noise(spec, SECONDS) for spec in (SAME, VECTORS)}
    streams[SAME.name].values[:], streams[VECTORS.name].values[:] = 1.0, -0.5
    model, spec = ByHand([SAME, VECTORS], scores, 2), spec_of([SAME, VECTORS], ["anger", "calm"])
    (sentence,) = explain(model, spec, streams, SECONDS).sentences
    assert sentence == (
        "Anger 0.82: came from the sound (+0.41); the face (\N{MINUS SIGN}0.09) spoke against it; "
        "with neither the model says 0.50."
    )


def test_streams_of_a_fixed_span_are_withheld_and_hidden_as_others_are() -> None:
    sound = StreamSpec("audio/mfcc10-published", 10.0, (2,), span=3.6)
    faces = StreamSpec("video/faces12", 10.0, (12, 12, 3), "uint8", span=3.6, kind="pictures")

    def scores(means: Mapping[str, Tensor]) -> Tensor:
        return two_classes(
            4 * means[sound.name][:, 0] + means[faces.name][:, :, :4, :4].mean((1, 2, 3))
        )

    streams = {spec.name: noise(spec, 3.6) for spec in (sound, faces)}
    streams[sound.name].values[:] = 0.0
    streams[sound.name].values[12:14, 0] = 5.0
    streams[faces.name].values[:, :4, :4] = 220
    spec = spec_of([sound, faces], "ab", statistics={faces.name: GREY}, window=3.6)
    found = explain(ByHand([sound, faces], scores, 2), spec, streams, 3.6)
    assert found.falls["audio"][:, 0].argmax() == 2
    falls = {part.name: part.overall[0] for part in found.parts}
    assert max(falls, key=lambda name: falls[name]) == "top left"


def test_one_row_per_clip_has_no_stretches() -> None:
    means = StreamSpec("video/openface", 0.0, (3,), recipe={"columns": ["a", "b", "c"]})
    model = ByHand([SAME, means], lambda x: two_classes(x[means.name][:, 1] * 2), 2)
    streams = {SAME.name: noise(SAME, SECONDS), means.name: noise(means, SECONDS)}
    found = explain(model, spec_of([SAME, means], "ab"), streams, SECONDS)
    assert np.isnan(found.falls["video"]).all() and not np.isnan(found.falls["audio"]).any()
    falls = [abs(part.overall[0]) for part in found.parts]
    assert np.argmax(falls) == 1 and falls[1] > 0.01


def test_a_band_of_sound_counts_by_what_the_frames_are_without_it() -> None:
    """The second band holds half of the first value of each frame, the first band nothing."""
    low, high = SoundBand(SOUND.name, Band(0, 260)), SoundBand(SOUND.name, Band(260, 615))
    stream = noise(SOUND, SECONDS)
    half = Stream(stream.values * np.array([0.5, 1], np.float32), stream.mask)
    model = ByHand([SOUND], lambda means: two_classes(means[SOUND.name][:, 0]), 2)

    def parts(of: Stream) -> Iterator[Stream]:
        yield of

    spec = spec_of([SOUND], "ab")
    found = explain(model, spec, {SOUND.name: stream}, SECONDS)
    assert [*found.missing] == [SOUND.name] and not found.parts
    bands = {low: parts(stream), high: parts(half)}
    found = explain(model, spec, {SOUND.name: stream}, SECONDS, filtered=bands)
    assert not found.missing and [part.name for part in found.parts] == ["0-260 Hz", "260-615 Hz"]
    assert (found.parts[0].falls == 0).all()
    without = explain(model, spec, {SOUND.name: half}, SECONDS)
    np.testing.assert_allclose(found.parts[1].falls, found.output - without.output, atol=1e-6)
