"""Model files from anywhere: each is read as it was written, or refused in one line."""

from __future__ import annotations

import hashlib
import json
import os
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import affuse
from affuse.cli.main import main
from affuse.errors import AffuseError, BadInput
from affuse.features.batch import Normalisation
from affuse.features.catalogue import stream_spec
from affuse.features.extractor import check_same_stream, same_stream
from affuse.features.stream import Stream, StreamSpec
from affuse.inference.predictor import Predictor
from affuse.models.embedded import unpack_networks
from affuse.models.entries import content_digest
from affuse.models.modelfile import DIGEST, KEY, ModelSpec, load_model, read_digest, save_model
from affuse.verification.contracts.model import MFCC, random_batch
from tests.conftest import SHARED
from tests.media.recordings import write_recording
from tests.toy import AUDIO, CLASSES, toy_store

FILES = SHARED / "faults"
WEIGHT = "audio.classifier.weight"


def described(**changes: Any) -> ModelSpec:
    facts: dict[str, Any] = {
        "model": "audio-only",
        "options": {"audio": {"name": "mfcc-conv", "width": 4}},
        "streams": {MFCC.name: MFCC},
        "normalisation": {MFCC.name: Normalisation((0.5,) * 10, (2.0,) * 10)},
        "outputs": ["calm", "happy"],
        "window": 3.6,
        "training": {"licence": "CC0"},
    }
    return ModelSpec(**facts | changes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("whole") / "model.safetensors"
    save_model(path, described().build(), described())
    return path


def content(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    with safe_open(path, "pt") as file:
        return load_file(path), json.loads(file.metadata()[KEY])


def forged(
    source: Path,
    path: Path,
    told: Callable[[dict[str, Any]], object] = lambda value: None,
    state: Callable[[dict[str, torch.Tensor]], object] = lambda value: None,
) -> Path:
    """Another file whose digest fits: what somebody writes who means harm, or another program."""
    tensors, value = content(source)
    told(value)
    state(tensors)
    value.pop(DIGEST, None)
    value[DIGEST] = content_digest(value, tensors)
    save_file(tensors, path, {KEY: json.dumps(value)})
    return path


def says(path: Path) -> torch.Tensor:
    model, spec = load_model(path)
    scores: torch.Tensor = model(random_batch(spec.streams, {MFCC.name: [40, 30]}, 1)).scores
    return scores


STREAM = f"streams/{MFCC.name}".split("/", 1)
#: Frames of four million values.
LARGE = {"name": "audio/mfcc10", "rate": 22050 / 512, "shape": [400_000, 10]}


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (["window"], 1e-9, "window is 1e-09; expected 0.01 to 3,600"),
        (["window"], 1e12, "window is 1000000000000.0; expected"),
        (["window"], float("nan"), "window is nan"),
        (["window"], True, "window is True"),
        (["window"], None, "window is missing, and no stream has a span"),
        (["delay"], -1, "delay is -1; expected 0 to 600"),
        (["delay"], float("inf"), "delay is inf"),
        (["smoothing"], -0.5, "smoothing is -0.5"),
        (["smoothing"], [20], r"smoothing is \[20\]; expected a list of 2"),
        (["smoothing"], [20, 0], "smoothing is 0; expected a whole number"),
        (["windows"], "sometimes", "windows is sometimes; expected overlap or published"),
        (["task"], "divination", "task is divination; expected classification or"),
        (["outputs"], [], "outputs is"),
        (["outputs"], ["calm", "calm"], "outputs names one twice"),
        (["outputs"], ["calm", ""], "outputs is ''"),
        (["outputs"], ["calm", "\x1b[31mred"], r"outputs is '\?\[31mred'"),
        (["outputs"], "ab", "outputs is ab; expected a list"),
        (["model"], 3, "model is '3'"),
        (["options"], {"audio": {"width": 10**9}}, "options.audio.width is 1000000000; expected"),
        (["options"], {"pooling": float("nan")}, "options.pooling is nan, which is not finite"),
        (["training"], {"loss": float("inf")}, "training.loss is inf, which is not finite"),
        (["training"], [], r"training is \[\]; expected names with values"),
        (["normalisation", MFCC.name, "std"], [0.0] * 10, "std is 0.0; expected"),
        (["normalisation", MFCC.name, "std"], [-1.0] * 10, "std is -1.0"),
        (["normalisation", MFCC.name, "mean"], [float("nan")] * 10, "mean is nan"),
        (["normalisation", MFCC.name, "mean"], [1.0] * 7, "has 7 values; its frames have 10"),
        (["normalisation"], {"audio/x": {"mean": [0], "std": [1]}}, "names audio/x"),
        ([*STREAM, "rate"], -40, "rate is -40; expected 0.001 to 200,000"),
        ([*STREAM, "rate"], 1e300, r"rate is 1e\+300"),
        ([*STREAM, "rate"], 1e-300, "rate is 1e-300"),
        ([*STREAM, "shape"], [0], "shape is 0; expected a whole number 1 to"),
        ([*STREAM, "shape"], [10.0], "shape is 10.0"),
        ([*STREAM, "shape"], [], r"shape is \[\]; expected a list of 1 to 4"),
        ([*STREAM, "shape"], [5000, 5000, 3], "more than 16,777,216 values a frame"),
        (STREAM, LARGE, r"window is 3.6 s: 620,\d+,\d+ values at a time"),
        ([*STREAM, "shape"], [10, 10], r"kind is vectors, which shape \(10, 10\) cannot be"),
        ([*STREAM, "kind"], "pixels", "kind is pixels; expected spectrum"),
        ([*STREAM, "dtype"], "object", "dtype is object; expected float32 or float16 or uint8"),
        ([*STREAM, "span"], 0, "span is 0; expected 0.01 to 3,600"),
        ([*STREAM, "name"], "../../x", r"name is '../../x'; expected a name such as audio/mfcc10"),
        ([*STREAM, "name"], "audio/y", "streams.audio/mfcc10 is named audio/y"),
        ([*STREAM, "recipe"], {"hop": float("nan")}, "recipe.hop is nan"),
        ([*STREAM, "recipe"], {"weights": "../../x"}, "recipe.weights is '../../x'; expected 64"),
        ([*STREAM, "recipe"], {"weights": "ab"}, "recipe.weights is 'ab'; expected 64"),
    ],
)
def test_what_the_description_says_is_checked_field_by_field(
    whole: Path, tmp_path: Path, place: list[str], value: Any, message: str
) -> None:
    def change(told: dict[str, Any]) -> None:
        for key in place[:-1]:
            told = told[key]
        told[place[-1]] = value

    path = forged(whole, tmp_path / "forged.safetensors", change)
    with pytest.raises(BadInput, match=message) as error:
        load_model(path)
    assert "its description is damaged: " in str(error.value)
    assert "\n" not in str(error.value) and "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(options={"x": json.loads("[" * 40 + "]" * 40)}), "deeper than 16"),
        (lambda v: v.update(options={"audio": {"width": 999_999}}), "of another shape"),
        (
            lambda v: v.update(
                model="crossmodal",
                options={"layers": 900_000},
                streams=v["streams"] | {"video/x": v["streams"][MFCC.name] | {"name": "video/x"}},
            ),
            "cannot be built: it has many more layers than the file has weights",
        ),
        (lambda v: v.update(options={"audio": {"width": 0}}), "of another shape|cannot be built"),
        (lambda v: v.update(options={"audio": 3}), "cannot be built"),
        (lambda v: v.update(model="late", options={}), "cannot be built: model late needs"),
    ],
)
def test_a_description_that_asks_for_much_takes_no_memory(
    whole: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = forged(whole, tmp_path / "forged.safetensors", change)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadInput, match=message):
        load_model(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


def test_deep_json_is_refused(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "deep.safetensors"
    save_file(load_file(whole), path, {KEY: '{"format": 1, "options": ' + "[" * 100_000})
    with pytest.raises(BadInput, match="description is damaged"):
        load_model(path)


def test_weights_of_another_type_are_refused(whole: Path, tmp_path: Path) -> None:
    def whole_numbers(state: dict[str, torch.Tensor]) -> None:
        state[WEIGHT] = (state[WEIGHT] * 100).to(torch.int8)

    path = forged(whole, tmp_path / "int8.safetensors", state=whole_numbers)
    with pytest.raises(BadInput, match=rf"weights of another type: {WEIGHT} \(int8\)$"):
        load_model(path)


def test_weights_in_half_precision_say_nearly_the_same(whole: Path, tmp_path: Path) -> None:
    def halved(state: dict[str, torch.Tensor]) -> None:
        state.update({n: x.half() for n, x in state.items() if x.is_floating_point()})

    path = forged(whole, tmp_path / "half.safetensors", state=halved)
    assert all(p.dtype == torch.float32 for p in load_model(path)[0].parameters())
    torch.testing.assert_close(says(path), says(whole), rtol=0.01, atol=0.01)
    assert not says(path).equal(says(whole))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_one_weight_that_is_not_finite_is_refused(
    whole: Path, tmp_path: Path, number: float
) -> None:
    path = forged(
        whole, tmp_path / "nan.safetensors", state=lambda s: s[WEIGHT].view(-1)[3].fill_(number)
    )
    with pytest.raises(BadInput, match=f"weight {WEIGHT} holds a number that is not finite"):
        load_model(path)


def test_nothing_writes_a_weight_that_is_not_finite(tmp_path: Path) -> None:
    model = described().build()
    with torch.no_grad():
        model.get_parameter(WEIGHT)[0, 0] = float("nan")
    with pytest.raises(BadInput, match=f"not written: weight {WEIGHT} is not finite"):
        save_model(tmp_path / "model.safetensors", model, described())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("weights_int8", r"another type: audio\.frontend\.stage1\.blocks\.0\.conv\.weight \(int8"),
        ("one_weight_nan", r"weight audio\.classifier\.weight holds a number that is not finite"),
    ],
)
def test_the_files_that_were_read_wrong(name: str, message: str) -> None:
    path = FILES / f"{name}.safetensors"
    if not path.is_file():
        pytest.skip("the fault files (../shared/faults) are not here")
    with pytest.raises(BadInput, match=message):
        load_model(path)


def test_a_flipped_bit_is_noticed(whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    header = int.from_bytes(data[:8], "little")
    path = tmp_path / "flipped.safetensors"
    places = [0, 8 + header // 2, 8 + header, 8 + header + 9, len(data) - 1]
    for place in [*places, data.index(b"CC0"), data.index(b"happy"), data.index(b"3.6")]:
        flipped = bytearray(data)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(BadInput):
            load_model(path)


@pytest.mark.parametrize("verb", ["predict", "check", "convert", "evaluate", "combine"])
def test_every_verb_notices_it(
    tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run/fold0/model.safetensors"
    spec = described(streams={AUDIO.name: AUDIO}, outputs=list(CLASSES))
    save_model(path, spec.build(), spec)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    (tmp_path / "run/run.json").write_text("{}")
    (tmp_path / "x.wav").touch()
    words = {
        "predict": [str(tmp_path / "x.wav"), "--model", str(path), "--out", str(tmp_path / "o")],
        "check": ["--model", str(path)],
        "convert": ["efficientface", str(path), "--back", "--out", str(tmp_path / "o.pth")],
        "combine": ["--audio", str(tmp_path / "run"), "--video", str(tmp_path / "run"), "--out"],
    }
    if verb == "evaluate":
        toy_store(tmp_path, clips=16)
        words["evaluate"] = [str(path), "--store", str(tmp_path / "store"), "--out"]
    line = words[verb] + ([str(tmp_path / "out")] if words[verb][-1] == "--out" else [])
    assert main([verb, *line]) == 2
    assert capsys.readouterr().err.strip() == (
        f"affuse {verb}: {path}: is damaged: its content is not what its digest says"
    )


def test_files_from_before_digests_open(whole: Path, tmp_path: Path) -> None:
    state, told = content(whole)
    told.pop(DIGEST)
    path = tmp_path / "before.safetensors"
    save_file(state, path, {KEY: json.dumps(told)})
    assert read_digest(whole) and read_digest(path) is None
    assert says(path).equal(says(whole))


def test_equal_models_give_equal_bytes_that_everybody_may_read(whole: Path, tmp_path: Path) -> None:
    model, spec = load_model(whole)
    path = tmp_path / "again.safetensors"
    before = os.umask(0o022)
    try:
        save_model(path, model, spec)
    finally:
        os.umask(before)
    assert path.read_bytes() == whole.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o644


def test_check_tells_what_a_model_file_holds(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--model", str(whole), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["model"] == "audio-only" and facts["classes"] == ["calm", "happy"]
    assert facts["digest"] == content(whole)[1][DIGEST]
    assert main(["check", "--model", str(whole)]) == 0
    assert "content: as its digest says" in capsys.readouterr().out


@pytest.fixture
def holding(whole: Path, tmp_path: Path) -> tuple[Path, str]:
    """A model file that holds another one, and the digest of that one."""
    digest = hashlib.sha256(whole.read_bytes()).hexdigest()
    stream = StreamSpec(MFCC.name, MFCC.rate, MFCC.shape, recipe={"weights": digest})
    spec = described(streams={MFCC.name: stream})
    path = tmp_path / "outer.safetensors"
    save_model(path, spec.build(), spec, {digest: whole})
    return path, digest


def test_a_network_inside_is_the_one_that_its_digest_names(
    holding: tuple[Path, str], whole: Path, tmp_path: Path
) -> None:
    path, digest = holding
    (tmp_path / "out").mkdir()
    assert load_model(path)[1].streams[MFCC.name].recipe["weights"] == digest
    found = unpack_networks(path, [digest], tmp_path / "out")
    assert found[digest].read_bytes() == whole.read_bytes()

    def other(state: dict[str, torch.Tensor]) -> None:
        state[f"frozen.{digest}"][-1] ^= 1

    path = forged(path, tmp_path / "other.safetensors", state=other)
    for read in (load_model, lambda p: unpack_networks(p, [digest], tmp_path / "again")):
        with pytest.raises(BadInput, match=f"its network {digest[:16]} has other content"):
            read(path)
    assert not (tmp_path / "again").exists()
    with pytest.raises(BadInput, match="has other content"):
        save_model(path, load_model(whole)[0], described(), {"0" * 64: whole})


def test_files_with_digests_of_sixteen_digits_are_read_as_before(
    holding: tuple[Path, str], tmp_path: Path
) -> None:
    path, digest = holding

    def shortened(state: dict[str, torch.Tensor]) -> None:
        state[f"frozen.{digest[:16]}"] = state.pop(f"frozen.{digest}")

    def told(value: dict[str, Any]) -> None:
        value["streams"][MFCC.name]["recipe"]["weights"] = digest[:16]

    path = forged(path, tmp_path / "before.safetensors", told, shortened)
    trained = load_model(path)[1].streams[MFCC.name]
    assert unpack_networks(path, [digest[:16]], tmp_path)[digest[:16]].is_file()
    here = replace(trained, recipe={"weights": digest})
    check_same_stream(here, trained)
    assert same_stream(here, trained)
    for other in ({"weights": digest[::-1]}, {"weights": digest[:15] + "x"}, {}):
        assert not same_stream(replace(trained, recipe=other), trained)
        with pytest.raises(AffuseError, match="is made with weights"):
            check_same_stream(replace(trained, recipe=other), trained)


@pytest.mark.parametrize("name", ["../../../escaped", "/tmp/escaped", "..", "A" * 64])
def test_a_model_file_writes_nowhere(
    holding: tuple[Path, str], tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, digest = holding

    def renamed(state: dict[str, torch.Tensor]) -> None:
        state[f"frozen.{name}"] = state.pop(f"frozen.{digest}")

    def told(value: dict[str, Any]) -> None:
        value["streams"][MFCC.name]["recipe"]["weights"] = name

    path = forged(path, tmp_path / "evil.safetensors", told, renamed)
    before = sorted(tmp_path.rglob("*"))
    words = ["predict", str(tmp_path / "x.wav"), "--model", str(path)]
    assert main([*words, "--out", str(tmp_path / "o")]) == 2
    assert "recipe.weights is" in capsys.readouterr().err
    with pytest.raises(BadInput, match="the name of a network in it is"):
        unpack_networks(path, [name], tmp_path / "deep/in/folders")
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/escaped.safetensors").exists()


def test_a_model_that_gives_nan_says_so(tmp_path: Path) -> None:
    """Weights are finite; what they make of a sound is not."""
    spec = described(streams={MFCC.name: stream_spec(MFCC.name)}, window=1.0)
    model = spec.build()
    with torch.no_grad():
        model.get_parameter(WEIGHT).fill_(3e38)
        model.get_parameter("audio.classifier.bias").fill_(3e38)
    path = tmp_path / "huge.safetensors"
    save_model(path, model, spec)
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 48000))
    sound = write_recording(tmp_path / "noise.wav", sound=noise, audio_codec="pcm_s16le")
    with pytest.raises(BadInput, match="gives numbers that are not finite"):
        affuse.predict(sound, path)


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Bytes flipped, cut, doubled or overwritten, mostly in header and description."""
    kinds = st.sampled_from(["flip", "flip", "set", "cut", "double", "digit"])
    steps = draw(
        st.lists(
            st.tuples(kinds, st.floats(0, 1), st.integers(1, 255), st.booleans()),
            min_size=1,
            max_size=3,
        )
    )

    def mutate(data: bytes) -> bytes:
        changed = bytearray(data)
        for kind, where, value, early in steps:
            end = min(len(changed), 6000 if early else len(changed))
            place = int(where * (end - 1)) if end else 0
            if kind == "flip" and changed:
                changed[place] ^= value
            elif kind == "set" and changed:
                changed[place] = value
            elif kind == "cut":
                del changed[place : place + value]
            elif kind == "double":
                changed[place:place] = changed[place : place + value]
            elif kind == "digit":
                digits = [i for i in range(place, end) if 48 <= changed[i] <= 57]
                if digits:
                    changed[digits[0]] = 48 + value % 10
        return bytes(changed)

    return mutate


@settings(max_examples=60, deadline=None)
@given(mutate=mutations())
def test_a_mutated_file_is_refused_or_says_the_same(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, mutate: Callable[[bytes], bytes]
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.safetensors"
    path.write_bytes(mutate(whole.read_bytes()))
    try:
        scores = says(path)
    except BadInput as error:
        assert "\n" not in str(error) and str(error).isprintable()
        return
    assert scores.equal(says(whole))


#: What another program may write into any field.
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.integers(-5, 5), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in JSON values."""
    found = [at] if at else []
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    return found + [place for key, x in inner for place in places(x, (*at, key))]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), value=VALUES)
def test_any_value_in_any_field_is_taken_or_refused(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, value: Any
) -> None:
    place = data.draw(st.sampled_from(places(content(whole)[1])))

    def change(told: Any) -> None:
        for key in place[:-1]:
            told = told[key]
        told[place[-1]] = value

    path = forged(whole, tmp_path_factory.getbasetemp() / "field.safetensors", change)
    try:
        scores = says(path)
    except BadInput as error:
        assert "\n" not in str(error) and str(error).isprintable()
        return
    assert scores.isfinite().all() and scores.shape[1] == 2


def test_windows_are_bounded_in_number_and_share_memory(whole: Path, tmp_path: Path) -> None:
    spec = described(streams={MFCC.name: stream_spec(MFCC.name)}, window=1.0)
    save_model(tmp_path / "model.safetensors", spec.build(), spec)
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 96000))
    sound = write_recording(tmp_path / "noise.wav", sound=noise, audio_codec="pcm_s16le")
    with pytest.raises(BadInput, match=r"noise\.wav: is 2\.0 s long: more than 1,000,000 windows"):
        Predictor(tmp_path / "model.safetensors", hop=1e-6).predict(sound)
    stream = Stream(np.zeros((100, 10), np.float32), np.ones(100, bool))
    inside = stream.cut(MFCC, 0.5, 1.0)
    assert np.shares_memory(inside.values, stream.values) and len(inside.mask) == 43
    assert not np.shares_memory(stream.cut(MFCC, -0.5, 1.0).values, stream.values)
