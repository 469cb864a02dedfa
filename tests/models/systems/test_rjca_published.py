"""How a converted joint attention model is applied: the blocks and the averages of its test."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from scipy.ndimage import uniform_filter1d
from torch import Tensor

from affuse.cli.main import main
from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.batch import Batch
from affuse.features.catalogue import create_extractor, stream_spec
from affuse.features.sequences import validation_sequences
from affuse.features.stream import Stream, StreamSpec
from affuse.inference import batch
from affuse.inference.predictor import Predictor
from affuse.inference.sliding import slide
from affuse.metrics.concordance import ccc
from affuse.models.backbones.tsav import R2Plus1D
from affuse.models.base import Model
from affuse.models.bundled import BUNDLED
from affuse.models.checkpoints import convert, convert_back, published_state_dict
from affuse.models.frozen.tsav import of_nothing
from affuse.models.modelfile import ModelSpec, load_model, read_spec, save_model
from affuse.models.registry import MODELS, create_model
from affuse.models.systems.rjca.model import RecursiveJointAttention
from affuse.models.systems.rjca.paper import PaperJointAttention
from affuse.models.systems.rjca.published import AUDIO, MAPS, VECTORS
from affuse.models.systems.tsav.model import TwoStreamAuralVisual
from affuse.models.systems.tsav.published import NORMALISATION, three_channels
from affuse.tasks.published_rules import Track, compare_rules
from affuse.tasks.series import Series
from tests.inference.recordings import values_model

SOUND = StreamSpec("audio/x", 30.0, (12,))
SEEN = StreamSpec("video/x", 30.0, (6, 3, 3))
STREAMS = {spec.name: spec for spec in (SOUND, SEEN)}
WINDOW = 512 / 30


def small(absent: str, stride: int = 32) -> tuple[Model, ModelSpec]:
    """A narrow model in the published form with weights of chance, and its spec."""
    torch.manual_seed(0)
    options = RecursiveJointAttention.published_options()
    options |= {"width": 12, "stride": stride, "absent": absent}
    model = create_model("rjca", STREAMS, 2, **options).eval()
    with torch.no_grad():
        for x in model.state_dict().values():
            x.copy_(torch.randn(x.shape) * (0.5 if x.ndim > 1 else 1.0))
    spec = ModelSpec("rjca", options, STREAMS, {}, ["valence", "arousal"], "valence-arousal",
                     window=WINDOW, windows="published", smoothing=[20, 50])  # fmt: skip
    return model, spec


def features(frames: int) -> dict[str, Stream]:
    """Features of a recording, as ReLUs give them, which change slowly."""
    draw = np.random.default_rng(frames)
    streams = {}
    for name, spec in STREAMS.items():
        walk = draw.normal(size=(frames, *spec.shape)).cumsum(0) * 0.2
        streams[name] = Stream(np.abs(walk).astype(np.float32), np.ones(frames, bool))
    return streams


def by_the_published_test(
    network: Model, streams: dict[str, Stream], beyond: dict[str, Tensor] | None
) -> np.ndarray:
    """What the published test gives: sequence by sequence, clip end by clip end.

    Args:
        network: The model, whose steps are the frames that it is given.
        streams: The features of the clip that ends with each frame.
        beyond: Features of a clip of which there is nothing; None for it to be masked.
    """
    frames = len(next(iter(streams.values())).mask)
    sequences = [[clip.end for clip in sequence.clips]
                 for sequence in validation_sequences(frames, range(1, frames + 1))]  # fmt: skip
    inputs, masks = {}, {}
    for name, stream in streams.items():
        values = torch.from_numpy(stream.values)
        nothing = torch.zeros_like(values[0]) if beyond is None else beyond[name]
        clips = [
            values[end - 1] if end <= frames else nothing for ends in sequences for end in ends
        ]
        there = [[end <= frames or beyond is not None for end in ends] for ends in sequences]
        inputs[name] = torch.stack(clips).unflatten(0, (-1, 16))
        masks[name] = torch.tensor(there)
    with torch.no_grad():
        said = network(Batch(inputs, masks)).values.numpy()
    written = np.full((frames, 2), np.nan)
    for ends, values in zip(sequences, said, strict=True):
        assert ends == list(range(ends[0], ends[0] + 512, 32))
        for end, value in zip(ends, values, strict=True):
            if end <= frames:
                assert np.isnan(written[end - 1]).all()
                written[end - 1] = value
    assert not np.isnan(written).any()
    return written


@pytest.mark.parametrize("absent", ["published", "masked"])
@pytest.mark.parametrize("frames", [1, 31, 300, 480, 481, 512, 513, 700, 1024, 1100])
def test_published_windows_are_the_blocks_of_the_published_test(absent: str, frames: int) -> None:
    model, spec = small(absent)
    near, _ = small(absent, stride=1)
    near.load_state_dict(model.state_dict())
    beyond = None
    if absent == "published":
        names = {SOUND.name: "absent_audio", SEEN.name: "absent_video"}
        beyond = {name: model.state_dict()[entry] for name, entry in names.items()}
    streams = features(frames)
    series = slide(model, spec, streams, frames / 30)
    assert series.mask.all() and len(series.mask) == frames
    expected = by_the_published_test(near, streams, beyond)
    np.testing.assert_allclose(series.values, expected, atol=1e-5)


def test_overlapping_windows_give_something_else() -> None:
    """What the default did on 1,100 frames, against the published test."""
    model, spec = small("published")
    streams = features(1100)
    published = slide(model, spec, streams, 1100 / 30)
    spec.windows = "overlap"
    overlap = slide(model, spec, streams, 1100 / 30)
    agreement = [ccc(a, b) for a, b in zip(overlap.values.T, published.values.T, strict=True)]
    assert max(agreement) < 0.5, agreement
    assert (overlap.values[:341] == published.values[:341]).all()  # one window knows these alone


def test_published_smoothing() -> None:
    draw = np.random.default_rng(0)
    values = draw.normal(0, 0.4, (130, 2)).cumsum(0).astype(np.float32)
    assert np.abs(values).max() > 1.2
    found = Series(values, np.ones(130, bool), 30.0).smoothed([20, 50]).values
    for d, (before, after) in enumerate(((10, 9), (25, 24))):
        for i in range(130):
            inside = values[max(i - before, 0) : i + after + 1, d].clip(-1, 1)
            expected = inside.sum(dtype=float) / (before + after + 1)
            assert found[i, d] == pytest.approx(expected, abs=1e-6)


def test_frames_of_which_nothing_is_known_count_as_zeros_in_it() -> None:
    mask = np.ones(100, bool)
    mask[40:60] = False
    series = Series(np.full((100, 1), 0.5, np.float32), mask, 30.0).smoothed([20])
    assert not series.values[40:60].any() and not series.mask[40:60].any()
    assert series.values[35, 0] == pytest.approx(0.5 * 15 / 20)


def test_scores_beside_the_published_one_know_the_published_smoothing() -> None:
    """Everything annotated and within -1 and 1: the average is all that differs."""
    draw = np.random.default_rng(0)
    raw = np.clip(draw.normal(0, 0.05, (300, 2)).cumsum(0), -0.9, 0.9)
    truth = np.clip(raw + draw.normal(0, 0.1, raw.shape), -1, 1)
    _, spec = small("masked")
    final = Series(raw.astype(np.float32), np.ones(300, bool), 30.0).smoothed(spec.smoothing).values
    tracks = {}
    for d, (name, frames) in enumerate((("valence", [20]), ("arousal", [50]))):
        assert spec.smoothing_of(name) == frames
        columns = raw[:, d], final[:, d], truth[:, d]
        tracks[name] = [Track(*columns, np.ones(300, bool), spec.smoothing_of(name))]
    rules = compare_rules(tracks)
    for rule in ("published, RJCA", "default, frames without annotation count as zeros"):
        for name in tracks:
            assert rules[rule][name] == pytest.approx(rules["default"][name], abs=1e-6)


@pytest.fixture(scope="module", params=["rjca", "jca", "rjca-paper"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published checkpoint with weights of chance."""
    torch.manual_seed(0)
    kind = MODELS[request.param].load()
    assert issubclass(kind, RecursiveJointAttention | PaperJointAttention)
    seen = VECTORS if request.param == "rjca-paper" else MAPS
    streams = {spec.name: spec for spec in (AUDIO, seen)}
    model = create_model(request.param, streams, 2, **kind.published_options())
    path = tmp_path_factory.mktemp("published") / f"{request.param}.pt"
    torch.save({"net": published_state_dict(model)}, path)
    return path


@pytest.fixture(scope="module")
def tsav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of TSAV with weights of chance."""
    torch.manual_seed(0)
    streams = {name: stream_spec(name) for name in ("audio/logmel64-tsav", "video/aligned112")}
    options: dict[str, Any] = {"channels": 4}
    model = create_model("tsav", streams, 7, **options)
    path = tmp_path_factory.mktemp("tsav") / "tsav.safetensors"
    classes = [str(number) for number in range(7)]
    save_model(
        path, model, ModelSpec("tsav", options, streams, NORMALISATION, classes, window=10.0)
    )
    return path


def test_what_convert_writes(checkpoint: Path, tsav: Path, tmp_path: Path) -> None:
    out, back = tmp_path / "x.safetensors", tmp_path / "back.pt"
    spec = convert("rjca", checkpoint, out)
    assert spec == read_spec(out)
    assert spec.windows == "published" and spec.smoothing == [20, 50]
    assert "absent" not in spec.options
    convert("rjca", checkpoint, out, tsav=tsav)
    model, spec = load_model(out)
    assert spec.windows == "published" and spec.smoothing == [20, 50]
    assert spec.options["absent"] == "published"
    entries = model.state_dict()
    sound, seen = entries["absent_audio"], entries["absent_video"]
    assert sound.abs().max() > 0 and seen.abs().max() > 0
    assert seen.shape == ((512,) if spec.model == "rjca-paper" else (512, 7, 7))
    convert_back("rjca", out, back)
    ours, theirs = torch.load(back), torch.load(checkpoint)["net"]
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_step_without_sound_or_pictures_is_silence_or_black(tsav: Path) -> None:
    """The values that `convert` sets, from the networks by themselves."""
    model, _ = load_model(tsav)
    assert isinstance(model, TwoStreamAuralVisual)
    network = R2Plus1D(3, pooled=False).eval()
    network.load_state_dict(three_channels(model.video.state_dict()))
    sound, maps = of_nothing(tsav)
    with torch.no_grad():
        colours = torch.tensor([-1.89524, -1.78220, -1.73544])  # -mean / deviation, as published
        black = colours[None, :, None, None, None].expand(1, 3, 8, 112, 112)
        torch.testing.assert_close(maps, network(black)[0], rtol=1e-4, atol=1e-4)
        silence = torch.full((1, 104, 64), (-100 + 14.8) / 19.895)
        torch.testing.assert_close(sound, model.hear(silence)[0])


def test_a_model_file_without_these_settings_is_as_before(tmp_path: Path) -> None:
    _, spec = small("masked")
    old = spec.to_json()
    for key in ("windows", "smoothing"):
        del old[key]
    read = ModelSpec.from_json(json.loads(json.dumps(old)))
    assert read.windows == "overlap" and read.smoothing == 0.0


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory, tsav: Path) -> tuple[Path, list[str]]:
    """18 s of sound, and the words that predict it with a converted checkpoint."""
    folder = tmp_path_factory.mktemp("heard")
    loudness = 0.1 + 0.09 * np.sin(np.arange(44100 * 18) / 44100 * 2)
    noise = np.random.default_rng(0).normal(0, 1, 44100 * 18) * loudness
    soundfile.write(folder / "x.wav", noise, 44100)
    torch.manual_seed(0)
    options = RecursiveJointAttention.published_options()
    model = create_model("rjca", {spec.name: spec for spec in (AUDIO, MAPS)}, 2, **options)
    torch.save({"net": published_state_dict(model)}, folder / "cam_model.pt")
    out = folder / "rjca.safetensors"
    words = ["convert", "rjca", str(folder / "cam_model.pt"), f"tsav={tsav}", "--out", str(out)]
    assert main(words) == 0
    sources = [f"--source={name}={tsav}" for name in (AUDIO.name, MAPS.name)]
    return folder, ["predict", str(folder / "x.wav"), "--model", str(out), *sources]


def hear(self: TwoStreamAuralVisual, levels: Tensor) -> Tensor:
    """Instead of the network for sound, which takes long: (N, T, 64) -> (N, 512)."""
    bands = levels.mean(1).repeat(1, 8) + levels[:, -1].repeat(1, 8)
    return torch.relu(bands * torch.linspace(-1, 1, 512))


@pytest.mark.slow
def test_a_converted_checkpoint_predicts_as_its_published_test(
    heard: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, words = heard
    monkeypatch.setattr(TwoStreamAuralVisual, "hear", hear)
    monkeypatch.setattr(batch, "map_unordered", lambda function, paths, **_: map(function, paths))
    said = {}
    for name, more in {
        "default": [],
        "overlap": ["--windows=overlap", "--smoothing=0"],
    }.items():
        assert main([*words, *more, "--out", str(folder / name)]) == 0
        with (folder / name / "x.csv").open() as file:
            rows = [[float(row[n]) for n in ("valence", "arousal")] for row in csv.DictReader(file)]
        model = json.loads((folder / name / "x.json").read_text())["model"]
        said[name] = np.array(rows), model["windows"], model["smoothing"]
    assert said["default"][1:] == ("published", [20, 50])
    assert said["overlap"][1:] == ("overlap", 0.0)
    assert np.abs(said["default"][0] - said["overlap"][0]).max() > 1e-3

    model, _ = load_model(folder / "rjca.safetensors")
    audio = create_extractor(AUDIO.name, Path(words[-1].split("=")[-1])).extract(
        Clip("x", audio=folder / "x.wav")
    )
    assert audio is not None and len(audio.mask) == 540
    near, _ = load_model(folder / "rjca.safetensors")
    assert isinstance(near, RecursiveJointAttention)
    near.stride = 1
    entries = model.state_dict()
    beyond = {AUDIO.name: entries["absent_audio"], MAPS.name: entries["absent_video"]}
    black = Stream(np.repeat(beyond[MAPS.name].numpy()[None], 540, 0), audio.mask)
    raw = by_the_published_test(near, {AUDIO.name: audio, MAPS.name: black}, beyond)
    smooth = [uniform_filter1d(x.clip(-1, 1), n, mode="constant")
              for x, n in zip(raw.T, (20, 50), strict=True)]  # fmt: skip
    np.testing.assert_allclose(said["default"][0], np.stack(smooth, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--windows=published", "--hop=2"], "published windows lie end to end"),
        (["--smoothing=some"], "'some' is neither seconds nor `published`"),
        (["--smoothing=-1"], "'-1' is neither seconds nor `published`"),
    ],
)
def test_what_cannot_be(
    heard: tuple[Path, list[str]],
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    try:
        code: object = main([*heard[1], "--out", str(heard[0] / "none"), *words])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_other_models_have_no_published_windows(tmp_path: Path) -> None:
    other = values_model(tmp_path / "x.safetensors")
    with pytest.raises(BadInput, match="holds leader-follower; published windows"):
        Predictor(other, windows="published")
    with pytest.raises(BadInput, match="holds leader-follower; published windows"):
        Predictor(other, smoothing="published")
    assert Predictor(other, smoothing=0.5).spec.smoothing == 0.5
    with pytest.raises(BadInput, match="gives no continuous valence and arousal"):
        Predictor(BUNDLED, windows="overlap")
