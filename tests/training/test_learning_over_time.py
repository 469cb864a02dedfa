"""Learning continuous valence and arousal: dimensions, losses, spliced windows, smoothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.toy import AUDIO, SOUND30, VIDEO, Level, curves, timed_store, toy_recipe

from affuse.errors import AffuseError, BadInput
from affuse.features.batch import Normalisation
from affuse.features.store import Store
from affuse.features.stream import Stream
from affuse.inference.sliding import slide
from affuse.metrics.concordance import ccc, ccc_loss, ccc_window_loss
from affuse.models.modelfile import ModelSpec, load_model, read_spec
from affuse.models.registry import create_model
from affuse.tasks.dimensional import Dimensional
from affuse.tasks.options import OverTime
from affuse.tasks.series import Series
from affuse.training.data import ClipDataset
from affuse.training.recipe import Recipe
from affuse.training.recipe_files import load_recipe
from affuse.training.spliced import SplicedDataset
from affuse.training.statistics import training_statistics
from affuse.training.targets import training_targets
from affuse.training.train import train

TASK = {"task": "valence-arousal", "window": 4.0, "hop": 2.0, "batch_size": 4}
MODEL = {"name": "early", "head": "frames"}


def recipe(folder: Path, **changes: object) -> Recipe:
    return load_recipe(toy_recipe(folder, **{**TASK, "model": MODEL, **changes}))


def run(folder: Path, out: Path, **changes: object) -> Path:
    return dict(train(recipe(folder, **changes), folder / "store", out, [0]))[0]


def test_one_dimension_may_be_learned_alone(timed: Path, tmp_path: Path) -> None:
    changes = {"epochs": 20, "optimiser": {"lr": 5e-3}, "over_time": {"dimensions": ["arousal"]}}
    model, spec = load_model(run(timed, tmp_path / "run", **changes))
    assert spec.outputs == ["arousal"]
    store = Store(timed / "store")
    streams = {name: store.stream(name)["7"] for name in spec.streams}
    series = slide(model, spec, streams, 8.0)
    truth = [curves(7, i / 30)[1] for i in range(240)]
    assert series.values.shape == (240, 1) and ccc(series.values[:, 0], truth) > 0.8
    with pytest.raises(BadInput, match=r"has no dimension 'joy'; there are: valence, arousal"):
        training_targets(recipe(timed, over_time={"dimensions": ["joy"]}), store)


def test_windows_end_flush_with_their_clip(timed: Path) -> None:
    store = Store(timed / "store")
    target = training_targets(recipe(timed), store).target
    data = ClipDataset(store, store.clips[:1], ["video/openface"], 3.0, target, 2.0)
    assert [start for _, start in data.windows] == pytest.approx([0, 2, 4, 5])


def test_spliced_windows_leave_out_what_nobody_annotated(timed: Path) -> None:
    store = Store(timed / "store")
    target = training_targets(recipe(timed), store).target
    names = ["video/openface", "audio/mfcc10"]
    data = SplicedDataset(store, store.clips[:2], names, 5.0, target, 4.0)
    # 225 of 240 frames are annotated: a window from 0 on, one flush with the end
    assert [start for _, start in data.windows] == [0, 75] * 2
    streams, targets, clip = data[0]
    kept = [*range(60), *range(75, 165)]
    stored = store.stream("video/openface")[clip].values
    assert np.array_equal(streams["video/openface"].values, stored[kept])
    assert targets[60] == pytest.approx(curves(0, 75 / 30), abs=1e-4), "spliced across the gap"
    short = SplicedDataset(store, store.clips[:1], names, 10.0, target, 4.0)
    streams, targets, _ = short[0]
    assert len(short) == 1 and targets.shape == (300, 2)
    assert not targets[225:].any() and streams["audio/mfcc10"].mask.all(), "zeros count as input"
    assert not streams["audio/mfcc10"].values[225:].any()


def test_splicing_needs_a_frame_per_annotated_frame(tmp_path: Path) -> None:
    timed_store(tmp_path, AUDIO, VIDEO)
    changes = {"over_time": {"spliced": True}, "epochs": 1}
    with pytest.raises(AffuseError, match=r"needs streams of 30 Hz; audio/mfcc10 has 40 Hz"):
        run(tmp_path, tmp_path / "run", **changes)


@pytest.mark.parametrize("loss", ["ccc", "ccc-windows", "ccc-batch"])
def test_every_loss_learns(timed: Path, tmp_path: Path, loss: str) -> None:
    over_time = {"loss": loss, "spliced": loss == "ccc-windows"}
    changes = {"epochs": 12, "optimiser": {"lr": 1e-2}, "over_time": over_time}
    run(timed, tmp_path / "run", **changes)
    rows = (tmp_path / "run/fold0/log.csv").read_text().splitlines()
    column = rows[0].split(",").index("development/ccc")
    assert max(float(row.split(",")[column]) for row in rows[1:]) > 0.5


def test_published_losses_are_those_of_annotated_frames() -> None:
    model = create_model("early", {s.name: s for s in (SOUND30, VIDEO)}, 2, head="frames")
    scores, targets = torch.rand(3, 50, 2), torch.rand(3, 50, 2)
    targets[0, 10:20] = torch.nan
    known = ~targets.isnan().any(-1)
    windows = [
        ccc_window_loss(x[k][None], y[k][None])
        for x, y, k in zip(scores, targets, known, strict=True)
    ]
    batch = sum(ccc_loss(scores[known][:, d], targets[known][:, d]) for d in range(2))

    def loss(variant: str) -> float:
        return float(
            Dimensional(["v", "a"], model.leader.rate, OverTime(loss=variant)).loss(
                scores, targets, 0.0
            )
        )

    assert loss("ccc-windows") == pytest.approx(float(sum(windows)) / 3, rel=1e-6)
    assert loss("ccc-batch") == pytest.approx(float(batch), rel=1e-6)


@pytest.mark.parametrize("loss", ["ccc", "ccc-windows", "ccc-batch"])
def test_a_batch_without_annotation_teaches_nothing(loss: str) -> None:
    model = create_model("early", {s.name: s for s in (SOUND30, VIDEO)}, 2, head="frames")
    scores = torch.rand(2, 20, 2, requires_grad=True)
    found = Dimensional(["v", "a"], model.leader.rate, OverTime(loss=loss)).loss(
        scores, torch.full((2, 20, 2), torch.nan), 0
    )
    found.backward()
    assert float(found) == pytest.approx(1) and not scores.grad.any()


def test_smoothing_is_chosen_on_development_clips(timed: Path, tmp_path: Path) -> None:
    def chosen(out: str, *seconds: float) -> float:
        changes = {"epochs": 2, "over_time": {"smoothing": list(seconds)}}
        return read_spec(run(timed, tmp_path / out, **changes)).smoothing

    assert chosen("one", 0.25) == 0.25
    assert chosen("two", 6.0, 0.2) == 0.2, "six seconds flatten what is to be seen"
    with pytest.raises(BadInput, match="need development clips: set selection=best"):
        recipe(timed, selection="last", over_time={"smoothing": [0, 1]})


def test_one_mean_for_all_values_of_a_stream(timed: Path) -> None:
    store = Store(timed / "store")
    target = training_targets(recipe(timed), store).target
    data = ClipDataset(store, store.clips[:5], ["video/openface"], 4.0, target)
    found = training_statistics(data, scalar=True)["video/openface"]
    assert len(set(found.mean)) == len(set(found.std)) == 1
    each = training_statistics(data)["video/openface"]
    assert found.mean[0] == pytest.approx(np.mean(each.mean))


def test_sliding_gives_back_a_series_of_any_length() -> None:
    model = Level({VIDEO.name: VIDEO}, 1, "frames")
    model.register_parameter("unused", torch.nn.Parameter(torch.zeros(1)))
    spec = ModelSpec(
        "x", {}, {VIDEO.name: VIDEO}, {VIDEO.name: Normalisation()}, ["v"], "valence-arousal", 2.0
    )
    for frames in (1, 20, 60, 61, 100, 333):
        mask = np.random.default_rng(frames).random(frames) < 0.8
        values = np.arange(frames, dtype=np.float32)[:, None] * np.ones((1, 6), np.float32)
        series = slide(model, spec, {VIDEO.name: Stream(values, mask)}, frames / 30)
        assert np.array_equal(series.mask, mask)
        assert np.allclose(series.values[mask, 0], values[mask, 0], atol=1e-3)
        assert not series.values[~mask].any()


def test_a_series_between_its_frames() -> None:
    series = Series(
        np.array([[0.0], [1.0], [9.0], [3.0]], np.float32), np.array([1, 1, 0, 1]) > 0, 10.0
    )
    found = series.at([0.0, 0.05, 0.1, 0.2, 0.3, 0.39, 0.5])[:, 0]
    assert found[[0, 1, 2, 4, 5]] == pytest.approx([0, 0.5, 1, 3, 3])
    assert np.isnan(found[[3, 6]]).all(), "not known, and beyond the end"
    smooth = series.smoothed(0.2)
    assert smooth.values[:, 0] == pytest.approx([0.5, 0.5, 0, 3]), "what is absent does not count"
    assert series.smoothed(0.0) is series
    assert series.clipped().values.max() == 1


def test_mixed_precision_leaves_the_loss_its_own(timed: Path, tmp_path: Path) -> None:
    seen: list[torch.dtype] = []
    original = Dimensional.loss

    def watched(self: Dimensional, *words: torch.Tensor) -> torch.Tensor:
        assert torch.is_autocast_enabled("cpu") and words[0].dtype == torch.bfloat16
        loss = original(self, *words)
        seen.append(loss.dtype)
        return loss

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dimensional, "loss", watched)
        changes = {"epochs": 8, "optimiser": {"lr": 1e-2}, "precision": "bf16-mixed"}
        run(timed, tmp_path / "run", **changes)
    assert set(seen) == {torch.float64}
    rows = (tmp_path / "run/fold0/log.csv").read_text().splitlines()
    column = rows[0].split(",").index("development/ccc")
    assert max(float(row.split(",")[column]) for row in rows[1:]) > 0.5
