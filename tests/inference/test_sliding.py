"""One way of sliding a model over streams, whole or in parts, from a store or a recording."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.inference.recordings import rewrite, values_model

import affuse
from affuse.corpora.registry import read_corpus
from affuse.errors import AffuseError
from affuse.features.batch import Normalisation
from affuse.features.catalogue import create_extractor, stream_spec
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec
from affuse.inference.clips import ClipModel
from affuse.inference.predictor import Predictor
from affuse.inference.sliding import Sliding, all_answers
from affuse.media.probe import probe
from affuse.models.bundled import BUNDLED
from affuse.models.embedded import unpack_networks
from affuse.models.layers import framewise
from affuse.models.modelfile import ModelSpec, load_model, read_spec, save_model
from affuse.models.sliding import WindowModel
from affuse.tasks.registry import task_of
from affuse.tasks.windows import WindowAnswer

SECONDS = 7.3


def spec_of(name: str, streams: tuple[str, ...], head: str, **options: Any) -> ModelSpec:
    task = "classification" if head == "classes" else "valence-arousal"
    outputs = list("abcd") if head == "classes" else ["valence", "arousal"]
    statistics = {
        s: Normalisation((120.0,), (60.0,)) if "video" in s else Normalisation((0.0,), (5.0,))
        for s in streams
    }
    specs = {s: stream_spec(s) for s in streams}
    return ModelSpec(name, {"head": head, **options}, specs, statistics, outputs, task, 2.0)


def drawn(specs: dict[str, StreamSpec], seed: int = 0, seconds: float = SECONDS) -> dict[str, Any]:
    """Streams of noise with gaps; the faces are away for more than a window."""
    random = np.random.default_rng(seed)
    streams = {}
    for name, spec in specs.items():
        length = round(seconds * spec.rate)
        if spec.is_picture:
            values: np.ndarray = random.integers(0, 256, (length, *spec.shape), np.uint8)
        else:
            values = random.normal(0, 5, (length, *spec.shape)).astype(np.float32)
        mask = random.random(length) < 0.9
        if spec.modality == "video":
            mask[round(2.0 * spec.rate) : round(4.6 * spec.rate)] = False
        values[~mask] = 0
        streams[name] = Stream(values, mask, 0.5 / spec.rate if spec.is_picture else 0.0)
    return streams


def sliding_of(
    model: torch.nn.Module, spec: ModelSpec, whole: bool = False, seconds: float = SECONDS
) -> Sliding:
    task = task_of(spec.task, spec.outputs)
    plan = task.plan(spec, model.leader, seconds)
    applied = WindowModel(model, spec, list(spec.streams) if whole else ())
    assert whole or applied.embedded
    return Sliding(task, applied, plan, seconds)


def models() -> Iterator[Any]:
    faces, sound = "video/faces48", "audio/mfcc10"
    yield pytest.param(None, id="bundled")
    for name, streams, head, options in (
        ("chumachenko-it", (sound, faces), "classes", {}),
        ("chumachenko-ia", (sound, faces), "classes", {}),
        ("auxformer", (sound, faces), "classes", {}),
        ("ir50", ("video/aligned48",), "classes", {}),
        ("efficientface", (faces,), "classes", {"size": 32}),
        ("leader-follower", ("audio/logmel64-16k", faces), "frames", {}),
        ("early", (sound, faces), "frames", {}),
    ):
        marks = [pytest.mark.slow] if name == "ir50" else []
        yield pytest.param(
            spec_of(name, streams, head, **options), id=f"{name}-{head}", marks=marks
        )


def build(spec: ModelSpec | None) -> tuple[Any, ModelSpec]:
    if spec is None:
        return load_model(BUNDLED)
    torch.manual_seed(0)
    return spec.build().eval(), spec


def same(found: list[WindowAnswer], expected: list[WindowAnswer], tolerance: float = 1e-5) -> None:
    assert len(found) == len(expected) > 1
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=0, atol=tolerance)
        assert (a.mask is None) == (b.mask is None)
        assert a.mask is None or np.array_equal(a.mask, b.mask)
        for name, value in b.ratings.items():
            assert a.ratings[name] == pytest.approx(value, abs=tolerance, nan_ok=True)


@pytest.mark.parametrize("spec", list(models()))
def test_frames_embedded_once_give_the_answers_of_the_plain_computation(
    spec: ModelSpec | None,
) -> None:
    model, spec = build(spec)
    seconds = 2.6 if spec.model == "ir50" else SECONDS
    streams = drawn(spec.streams, seconds=seconds)
    plain = sliding_of(model, spec, whole=True, seconds=seconds)
    once = sliding_of(model, spec, seconds=seconds)
    same(all_answers(once, streams), all_answers(plain, streams))
    assert once.shares == plain.shares


@pytest.mark.parametrize(
    "spec", [None, spec_of("early", ("video/faces48", "audio/mfcc10"), "frames")]
)
def test_a_frame_network_sees_every_present_frame_once(spec: ModelSpec | None) -> None:
    model, spec = build(spec)
    streams = drawn(spec.streams)
    ((stream, embedder),) = model.frame_embedders().items()
    seen = 0

    def count(module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal seen
        assert len(inputs[0]) <= framewise.CHUNK
        seen += len(inputs[0])

    embedder.stage1.net.register_forward_pre_hook(count)
    all_answers(sliding_of(model, spec), streams)
    assert seen == streams[stream].mask.sum()


@pytest.mark.parametrize("spec", [x for x in models() if x.id in ("bundled", "early-frames")])
def test_streams_in_parts_give_the_same_as_soon_as_windows_are_complete(
    spec: ModelSpec | None,
) -> None:
    model, spec = build(spec)
    seconds = 24.0
    streams = drawn(spec.streams, seconds=seconds)
    expected = all_answers(sliding_of(model, spec, seconds=seconds), streams)
    sliding = sliding_of(model, spec, seconds=seconds)
    found: list[WindowAnswer] = []
    held, late = [], []
    places = dict.fromkeys(streams, 0)
    random = np.random.default_rng(1)
    for second in np.arange(0.0, seconds + 1, 1.0):
        for name, stream in streams.items():
            until = round((second + random.random()) * spec.streams[name].rate)
            first, last = places[name], max(until, places[name])
            at = stream.start + first / spec.streams[name].rate
            part = Stream(stream.values[first:last], stream.mask[first:last], at)
            found += sliding.push(name, part)
            places[name] = min(last, len(stream.mask))
        held.append(sliding.windows.held)
        late.append(len(found))
    for name in streams:
        found += sliding.end(name)
    found += sliding.finish()
    same(found, expected)
    frames = sum((spec.seconds + 3.0) * stream.rate for stream in spec.streams.values())
    assert max(held) <= frames, "no more than a window and what came since"
    assert late[-8] > 0.4 * len(expected)


def test_a_stream_that_is_not_there_is_absent() -> None:
    model, spec = build(None)
    streams = drawn(spec.streams)
    gone = next(name for name in streams if name.startswith("video"))
    streams[gone] = Stream(streams[gone].values[:0], streams[gone].mask[:0])
    sliding = sliding_of(model, spec)
    answers = all_answers(sliding, streams)
    assert all(np.isfinite(answer.values).all() for answer in answers)
    assert {share["video"] for share in sliding.shares} == {0.0}


def test_a_frame_that_is_not_finite_is_refused() -> None:
    model, spec = build(spec_of("early", ("video/faces48", "audio/mfcc10"), "frames"))
    streams = drawn(spec.streams)
    streams["audio/mfcc10"].values[:] = np.nan
    streams["audio/mfcc10"].mask[:] = True
    with pytest.raises(AffuseError, match="stream audio/mfcc10 holds a number that is not finite"):
        all_answers(sliding_of(model, spec), streams)


@pytest.fixture(scope="module", params=["told", "whole"])
def recorded(
    request: pytest.FixtureRequest, varying: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Store]:
    """Recordings, the face of one away for a while; their corpus says their length, or does not."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "raw").mkdir()
    path = folder / "raw" / "a.mp4"
    path.write_bytes(varying.read_bytes())
    hidden = rewrite(varying, folder / "raw" / "b.mp4", hidden=(1.5, 5.0))
    ends = [f",0,{probe(one).duration!r}" for one in (path, hidden)]
    told = request.param == "told"
    (folder / "raw" / "clips.csv").write_text(
        f"path,id,label,speaker{',start,end' if told else ''}\n"
        f"a.mp4,a,x,s{ends[0] if told else ''}\nb.mp4,b,y,t{ends[1] if told else ''}\n"
    )
    corpus = read_corpus("folder", folder / "raw")
    ear = "audio/whisper-base-layers4"
    digest = read_spec(BUNDLED).streams[ear].recipe["weights"]
    networks = unpack_networks(BUNDLED, {digest}, folder)
    names = {ear, "audio/mfcc10", "audio/logmel64-16k", "video/faces48", "video/aligned48"}
    extractors = [create_extractor(name, {ear: networks[digest]}) for name in sorted(names)]
    prepare(corpus, folder / "store", extractors)
    return folder / "raw", Store(folder / "store")


@pytest.mark.parametrize("kind", ["bundled", "classes", "values"])
@pytest.mark.parametrize("clip", ["a", "b"])
def test_a_clip_of_a_store_is_predicted_as_its_recording(
    recorded: tuple[Path, Store], tmp_path: Path, kind: str, clip: str
) -> None:
    folder, data = recorded
    file = BUNDLED
    if kind == "classes":
        spec = spec_of("chumachenko-it", ("audio/mfcc10", "video/faces48"), "classes")
        model, _ = build(spec)
        save_model(file := tmp_path / "m.safetensors", model, spec)
    if kind == "values":
        file = values_model(tmp_path / "m.safetensors")
    predictor = Predictor(file, low_quality="keep")
    timeline: Any = predictor.predict(folder / f"{clip}.mp4", thumbnails=False)
    assert isinstance(predictor.applied, WindowModel)
    model = ClipModel(predictor.applied.model, predictor.spec, data)
    ((said,),) = model.predict([x for x in data.clips if x.id == clip]).values()
    if kind == "values":
        found, expected = said.clipped().at(timeline.times), timeline.values
        expected = np.where(np.isnan(expected), found, expected)  # left empty where no face is seen
        assert np.isfinite(found).all() and len(found) > 90
    else:
        found, expected = said.probabilities, timeline.probabilities
        assert len(found) > 4
        shares = timeline.window_presence["video"]
        assert (shares.min() < 0.5) == (clip == "b")
        np.testing.assert_allclose(said.overall, timeline.overall, rtol=0, atol=1e-3)
    # Whisper hears a second more than a row is about; a clip has no sound beyond its end
    cut = slice(None, -2) if kind == "bundled" else slice(None)
    np.testing.assert_allclose(found[cut], expected[cut], rtol=0, atol=1e-5)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


def test_the_public_functions_agree(recorded: tuple[Path, Store], tmp_path: Path) -> None:
    folder, data = recorded
    spec = spec_of("chumachenko-it", ("audio/mfcc10", "video/faces48"), "classes")
    spec.outputs[:2] = "x", "y"
    model, _ = build(spec)
    save_model(file := tmp_path / "m.safetensors", model, spec)
    affuse.evaluate(file, data.path, out=tmp_path / "out")
    rows = list(csv.DictReader((tmp_path / "out/predictions.csv").open()))
    for row in [row for row in rows if row["condition"] == "av"]:
        timeline: Any = affuse.predict(folder / f"{row['clip']}.mp4", file)
        told = [float(row[f"p_{name}"]) for name in spec.outputs]
        assert told == pytest.approx(timeline.overall.tolist(), abs=1e-5)
    assert len(rows) == 6
