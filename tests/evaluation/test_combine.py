"""Two models of one modality each as one: what it makes of either, of both, and of bad input."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tests.toy import AUDIO, CLASSES, VIDEO, Toy, toy_recipe, toy_store

from affuse.cli.main import main
from affuse.corpora.clip import Clip, Corpus
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.combine import Combination, Part, combine
from affuse.evaluation.evaluate import evaluate
from affuse.execution.files import file_digest
from affuse.features.batch import Batch, collate, normalise
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.models.baselines.combined import Combined
from affuse.models.embedded import unpack_networks
from affuse.models.modelfile import load_model, save_model
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train

STREAMS = {"audio": "audio/mfcc10", "video": "video/openface"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, and a run of each modality that is evaluated on development clips; not to write."""
    return make_runs(tmp_path_factory.mktemp("combine"))


def make_runs(folder: Path) -> Path:
    """The same in a folder."""
    toy_store(folder, clips=96)
    for modality, stream in STREAMS.items():
        model = {"name": f"{modality}-only", modality: {"name": "sequence", "width": 8}}
        rate = {"lr": 1e-2}
        path = toy_recipe(folder, streams=[stream], model=model, epochs=12, optimiser=rate)
        list(train(load_recipe(path), folder / "store", folder / modality))
        evaluate(folder / modality, role="development")
    return folder


def part(runs: Path, modality: str, role: str = "evaluation-development") -> Part:
    return Part(runs / modality, [runs / modality / role / "predictions.csv"])


def combined(runs: Path, out: Path, rated: Path | None = None) -> Combination:
    return combine(part(runs, "audio"), part(runs, "video"), out, rated)


def toy_batch(runs: Path, role: str = "test") -> tuple[Batch, np.ndarray]:
    """Raw clips of a role of the first fold, and their classes as the combined model has them."""
    import json

    split = json.loads((runs / "audio/fold0/split.json").read_text())
    data = Store(runs / "store")
    clips = {clip.id: clip for clip in data.clips}
    samples = [{n: data.stream(n)[k] for n in STREAMS.values()} for k in split[role]]
    names = ["neutral", "neutral", "happy", "sad"]
    order = ["neutral", "happy", "sad"]
    true = [order.index(names[CLASSES.index(str(clips[k].label))]) for k in split[role]]
    return collate(samples, {s.name: s for s in (AUDIO, VIDEO)}), np.array(true)


@pytest.fixture(scope="module")
def model(runs: Path) -> Combined:
    combined(runs, runs / "both.safetensors")
    made = load_model(runs / "both.safetensors")[0]
    assert isinstance(made, Combined)
    return made


def says(runs: Path, model: Combined, batch: Batch) -> torch.Tensor:
    statistics = load_model(runs / "both.safetensors")[1].normalisation
    with torch.no_grad():
        return model(normalise(batch, statistics)).logits.softmax(-1)


def test_both_tell_what_neither_does(runs: Path, model: Combined) -> None:
    batch, true = toy_batch(runs)
    scores = {
        name: float((says(runs, model, x).argmax(1).numpy() == true).mean())
        for name, x in {
            "both": batch,
            "audio": batch.without("video"),
            "video": batch.without("audio"),
        }.items()
    }
    assert scores["both"] >= 0.9 and max(scores["audio"], scores["video"]) <= 0.8


def test_calm_counts_as_neutral_and_one_modality_decides_as_its_own_model(
    runs: Path, model: Combined
) -> None:
    batch, _ = toy_batch(runs)
    found = says(runs, model, batch.without("video"))
    own, spec = load_model(runs / "audio/fold0/model.safetensors")
    with torch.no_grad():
        logits = own(normalise(batch, spec.normalisation)).logits
    expected = (logits / model.audio.temperature).softmax(-1)
    torch.testing.assert_close(found[:, 0], expected[:, 0] + expected[:, 1])
    torch.testing.assert_close(found[:, 1:], expected[:, 2:])


def test_a_voice_that_says_nothing_new_leaves_what_the_face_says(
    runs: Path, model: Combined
) -> None:
    batch, _ = toy_batch(runs)
    plain = Combined(
        model.streams,
        3,
        audio={"frontend": {"name": "sequence", "width": 8}},
        video={"frontend": {"name": "sequence", "width": 8}, "classes": 4},
        prior=[0.5, 0.2, 0.3],
    ).eval()
    with torch.no_grad():
        plain.audio.classifier.weight.zero_()
        plain.audio.classifier.bias.copy_(torch.tensor([0.5, 0.2, 0.3]).log())
    torch.testing.assert_close(
        says(runs, plain, batch), says(runs, plain, batch.without("audio")), rtol=1e-4, atol=1e-5
    )


def test_nothing_present_makes_all_classes_alike(runs: Path, model: Combined) -> None:
    batch, _ = toy_batch(runs)
    nothing = says(runs, model, batch.without("audio").without("video"))
    torch.testing.assert_close(nothing, torch.full_like(nothing, 1 / 3))


def test_confidences_are_those_of_held_back_clips(runs: Path) -> None:
    found = combined(runs, runs / "again.safetensors")
    assert found.classes == ["neutral", "happy", "sad"]
    assert all(1 <= t <= 8 for t in found.temperatures.values())
    for scores in found.calibration.values():
        assert scores.nll < np.log(3) and scores.ece < 0.2
    assert (runs / "again.safetensors").read_bytes() == (runs / "both.safetensors").read_bytes()


def test_people_whom_the_model_is_judged_on_calibrate_nothing(runs: Path, tmp_path: Path) -> None:
    evaluate(runs / "audio")
    table = pd.read_csv(
        runs / "audio/evaluation/predictions.csv", dtype={"clip": str, "speaker": str}
    )
    tested = table["speaker"].isin(["s0", "s4"])  # of fold 0, whose model is taken
    assert tested.any() and not tested.all()
    changed = table.assign(label=table["label"].where(~tested, "sad"))
    files = []
    for name, rows in (("plain", table), ("changed", changed)):
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
        out = tmp_path / f"{name}.safetensors"
        combine(Part(runs / "audio", [tmp_path / f"{name}.csv"]), part(runs, "video"), out)
        files.append(out.read_bytes())
    assert files[0] == files[1]


def test_ratings_are_learned_from_the_face(runs: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = []
    for k in range(60):
        label = CLASSES[k % 4]
        valence = (1.0 if label in ("happy", "sad") else -1.0) * 0.5 + 0.05 * random.normal()
        rated = {"valence": valence, "arousal": 0.1 * random.normal()}
        rows.append(Clip(f"{k:03d}", speaker=f"p{k}", label=label, attributes=rated))
    corpus = Corpus("folder", tmp_path, rows, CLASSES, "rated, CC0")
    prepare(corpus, tmp_path / "rated", [Toy(VIDEO)])
    found = combined(runs, tmp_path / "rated.safetensors", tmp_path / "rated")
    assert found.ratings["valence"] > 0.9 and abs(found.ratings["arousal"]) < 0.4
    made, spec = load_model(tmp_path / "rated.safetensors")
    batch, _ = toy_batch(runs)
    with torch.no_grad():
        values = made(normalise(batch, spec.normalisation)).ratings
        unseen = made(normalise(batch.without("video"), spec.normalisation)).ratings
    assert values["valence"].std() > 0.3 and unseen["valence"].isnan().all()
    assert "rated, CC0" in spec.training["licence"]


def test_ratings_that_only_some_clips_have_are_left_out(runs: Path, tmp_path: Path) -> None:
    rows = [
        Clip(f"{k:03d}", speaker=f"p{k}", label=CLASSES[k % 4], attributes={"valence": k / 20})
        for k in range(20)
    ]
    rows[3] = replace(rows[3], attributes={"valence": 0.1, "arousal": 0.2})
    prepare(Corpus("folder", tmp_path, rows, CLASSES, "x"), tmp_path / "rated", [Toy(VIDEO)])
    assert list(combined(runs, tmp_path / "x.safetensors", tmp_path / "rated").ratings) == [
        "valence"
    ]
    rows = [replace(row, attributes={f"by-{row.id}": 0.5}) for row in rows]
    prepare(Corpus("folder", tmp_path, rows, CLASSES, "x"), tmp_path / "own", [Toy(VIDEO)])
    with pytest.raises(BadInput, match="too few to learn"):
        combined(runs, tmp_path / "y.safetensors", tmp_path / "own")


def test_ratings_of_streams_made_in_another_way_are_refused(runs: Path, tmp_path: Path) -> None:
    rows = [Clip(f"{k:03d}", label=CLASSES[k % 4], attributes={"valence": 0.1}) for k in range(12)]
    corpus = Corpus("folder", tmp_path, rows, CLASSES, "x")
    prepare(corpus, tmp_path / "rated", [Toy(replace(VIDEO, recipe={"crop": "wider"}))])
    with pytest.raises(AffuseError, match="video/openface"):
        combined(runs, tmp_path / "x.safetensors", tmp_path / "rated")


def test_small_frozen_networks_of_the_parts_travel_along(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "video", tmp_path / "video")
    file = tmp_path / "video/fold0/model.safetensors"
    network, (model, spec) = file.with_name("network"), load_model(file)
    network.write_bytes(b"any small file")
    digest = file_digest(network)
    streams = {name: replace(x, recipe={"weights": digest}) for name, x in spec.streams.items()}
    save_model(file, model, replace(spec, streams=streams), {digest: network})
    out = tmp_path / "both.safetensors"
    combine(part(runs, "audio"), part(tmp_path, "video"), out)
    assert unpack_networks(out, {digest}, tmp_path)[digest].read_bytes() == network.read_bytes()


def test_what_cannot_be_combined_is_refused(runs: Path, tmp_path: Path) -> None:
    audio, video = part(runs, "audio"), part(runs, "video")
    with pytest.raises(BadInput, match="video-only of classes is meant"):
        combine(audio, replace(video, run=runs / "audio"), tmp_path / "x.safetensors")
    with pytest.raises(BadInput, match="no such file; make it: affuse evaluate"):
        none = replace(audio, predictions=[tmp_path / "no.csv"])
        combine(none, video, tmp_path / "x.safetensors")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match="no table of predictions"):
        other = replace(audio, predictions=[tmp_path / "other.csv"])
        combine(other, video, tmp_path / "x.safetensors")
    with pytest.raises(BadInput, match="ratings of 0 clips"):
        combined(runs, tmp_path / "x.safetensors", runs / "store")
    table = pd.read_csv(audio.predictions[0])
    table[table["label"] != "sad"].to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(BadInput, match="no clip of sad"):
        combine(
            replace(audio, predictions=[tmp_path / "few.csv"]), video, tmp_path / "x.safetensors"
        )
    assert not (tmp_path / "x.safetensors").exists()


def test_branches_that_do_not_fit_are_refused() -> None:
    streams = {s.name: s for s in (AUDIO, VIDEO)}
    for wrong in (
        {"prior": [1.0, 0.0]},
        {"prior": [1.0]},
        {"audio": {"joins": [[0], []]}},
        {"audio": {"joins": [[0], [2]]}},
        {"head": "frames"},
    ):
        with pytest.raises(AffuseError):
            Combined(streams, 2, **wrong)


def test_by_command(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["combine", "--audio", str(runs / "audio"), "--video", str(runs / "video")]
    out = tmp_path / "both.safetensors"
    assert main([*words, "--out", str(out)]) == 0 and out.is_file()
    assert "neutral, happy, sad" in capsys.readouterr().out
    assert main([*words, "--video-held-back", str(tmp_path), "--out", str(out)]) == 2
    assert "no such file" in capsys.readouterr().err


def test_models_that_know_people_go_together_if_both_do_in_the_same_way(
    runs: Path, tmp_path: Path
) -> None:
    for modality, stream in STREAMS.items():
        model = {"name": f"{modality}-only", modality: {"name": "sequence", "width": 8}}
        path = toy_recipe(
            tmp_path, streams=[stream], model=model, epochs=1, normalisation="speaker"
        )
        recipe = replace(load_recipe(path), protocol=str(runs / "protocol.csv"))
        list(train(recipe, runs / "store", tmp_path / modality))
        for baseline in ("none", "past"):
            evaluate(tmp_path / modality, role="development", baseline=baseline)
    combined(tmp_path, tmp_path / "both.safetensors")
    assert load_model(tmp_path / "both.safetensors")[1].shrinkage == 3.0
    out = tmp_path / "refused.safetensors"
    with pytest.raises(AffuseError, match=r"in different ways \(shrinkage of audio: 3.0 and vid"):
        combine(part(tmp_path, "audio"), part(runs, "video"), out)
    past = part(tmp_path, "audio", "evaluation-development-past")
    with pytest.raises(AffuseError, match=r"different baselines \(audio: past and video: none\)"):
        combine(past, part(tmp_path, "video"), out)
    assert not out.exists()


def test_tables_of_held_back_clips_count_alike_however_long_they_are(
    runs: Path, tmp_path: Path
) -> None:
    own = runs / "audio/evaluation-development/predictions.csv"
    columns = [name for name in pd.read_csv(own).columns if str(name).startswith("p_")]
    wrong = pd.read_csv(own)
    wrong[columns] = np.roll(wrong[columns], 1, axis=1)
    once, often = tmp_path / "once.csv", tmp_path / "often.csv"
    wrong.to_csv(once, index=False)
    copies = [wrong.assign(clip=[f"{clip}-{k}" for clip in wrong["clip"]]) for k in range(3)]
    pd.concat(copies).to_csv(often, index=False)

    def temperature(*tables: Path) -> float:
        heard = Part(runs / "audio", tables)
        found = combine(heard, part(runs, "video"), tmp_path / "m.safetensors")
        return found.temperatures["audio"]

    assert temperature(own, often) == pytest.approx(temperature(own, once))
    assert temperature(own) < temperature(own, once)


def test_a_part_that_is_calibrated_is_refused(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "audio", tmp_path / "audio")
    assert main(["calibrate", str(tmp_path / "audio")]) == 0
    calibrated = Part(tmp_path / "audio", part(runs, "audio").predictions)
    with pytest.raises(BadInput, match="is calibrated already; combine calibrates its parts"):
        combine(calibrated, part(runs, "video"), tmp_path / "both.safetensors")
