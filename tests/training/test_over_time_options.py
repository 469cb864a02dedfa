"""Options of the published trainer of leader-follower fusion: delay, weights, what is logged."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.toy import SOUND30, VIDEO, Level, curves, toy_recipe

from affuse.errors import AffuseError, BadInput
from affuse.evaluation.evaluate import evaluate
from affuse.features.batch import Normalisation
from affuse.features.store import Store
from affuse.features.stream import Stream
from affuse.inference.sliding import slide
from affuse.metrics.concordance import ccc_loss, ccc_window_loss, masked_ccc_loss
from affuse.models.modelfile import ModelSpec, read_spec
from affuse.models.registry import create_model
from affuse.tasks.annotated_targets import delayed
from affuse.tasks.dimensional import Dimensional
from affuse.tasks.options import OverTime
from affuse.tasks.series import Series
from affuse.tasks.targets import TrainingTargets
from affuse.training.recipe import Recipe
from affuse.training.recipe_files import load_recipe
from affuse.training.spliced import SplicedDataset
from affuse.training.targets import training_targets
from affuse.training.train import train

TASK = {
    "task": "valence-arousal",
    "window": 4.0,
    "hop": 2.0,
    "batch_size": 4,
    "model": {"name": "early", "head": "frames"},
}


def recipe(folder: Path, *changes: str) -> Recipe:
    return load_recipe(toy_recipe(folder, **TASK), changes)


class TestDelay:
    def test_a_frame_learns_what_is_said_later_and_at_the_end_what_was_said_last(
        self, timed: Path
    ) -> None:
        """As published: labels shifted by n frames, the last one repeated n times."""
        store = Store(timed / "store")
        target = training_targets(recipe(timed), store).target
        moved = delayed(target, store, 0.5)
        plain, late = target("3", 0.0, 8.0), moved("3", 0.0, 8.0)
        assert plain.shape == late.shape == (240, 2) and np.isnan(plain[60:75, 0]).all()
        np.testing.assert_array_equal(late, np.concatenate([plain[15:], [plain[-1]] * 15]))
        window = moved("3", 6.0, 3.0)
        np.testing.assert_array_equal(window[:60], late[180:])
        assert np.isnan(window[60:]).all(), "beyond the clip nothing is known"

    def test_spliced_windows_count_the_frames_that_are_left(self, timed: Path) -> None:
        store = Store(timed / "store")
        target = training_targets(recipe(timed), store).target
        streams = ["video/openface", "audio/mfcc10"]
        plain = SplicedDataset(store, store.clips[:1], streams, 7.5, target, 4.0)
        late = SplicedDataset(store, store.clips[:1], streams, 7.5, target, 4.0, delay=1 / 3)
        assert len(plain) == len(late) == 1
        (inputs, before, _), (same, after, _) = plain[0], late[0]
        np.testing.assert_array_equal(after, np.concatenate([before[10:], [before[-1]] * 10]))
        for name in streams:
            np.testing.assert_array_equal(inputs[name].values, same[name].values)
        assert after[55] == pytest.approx(curves(0, 80 / 30), abs=1e-4), "across the cut"

    @pytest.mark.parametrize("seconds", [0.0, 0.5, 99.0])
    def test_predictions_lie_where_annotations_lie(self, seconds: float) -> None:
        model = Level({VIDEO.name: VIDEO}, 1, "frames")
        model.register_parameter("unused", torch.nn.Parameter(torch.zeros(1)))
        statistics = {VIDEO.name: Normalisation()}
        spec = ModelSpec(
            "x", {}, {VIDEO.name: VIDEO}, statistics, ["v"], "valence-arousal", 2.0, delay=seconds
        )
        values = np.linspace(-1, 1, 240, dtype=np.float32)[:, None] * np.ones((1, 6), np.float32)
        series = slide(model, spec, {VIDEO.name: Stream(values, np.ones(240, bool))}, 8.0)
        frames = min(round(seconds * 30), 240)
        assert series.values.shape == (240, 1)
        assert not series.mask[:frames].any() and series.mask[frames:].all()
        assert np.allclose(series.values[frames:, 0], values[: 240 - frames, 0], atol=1e-6)

    def test_a_run_knows_its_delay_and_files_from_before_have_none(
        self, timed: Path, tmp_path: Path
    ) -> None:
        chosen = recipe(timed, "epochs=1", "over_time.delay=0.5", "over_time.smoothing=[0,1]")
        ((_, path),) = train(chosen, timed / "store", tmp_path / "run", [0])
        spec = read_spec(path)
        assert spec.delay == 0.5
        old = {key: value for key, value in spec.to_json().items() if key != "delay"}
        assert ModelSpec.from_json(old).delay == 0
        evaluate(tmp_path / "run")
        table = tmp_path / "run/evaluation/predictions/av/fold0/7.csv"
        known = [row["known"] for row in csv.DictReader(table.open())]
        assert known == ["0"] * 15 + ["1"] * 225

    def test_smoothing_is_chosen_where_annotations_lie(self, timed: Path, tmp_path: Path) -> None:
        """Moved predictions beside annotations as they are, not beside delayed targets."""
        seen: list[np.ndarray] = []
        starts: list[np.ndarray] = []

        def moved(
            self: Series, seconds: float, original: Callable[[Series, float], Series] = Series.later
        ) -> Series:
            seen.append(original(self, seconds).mask)
            return original(self, seconds)

        def watched(chosen: Recipe, data: Store) -> TrainingTargets:
            found = training_targets(chosen, data)
            starts.append(found.target("5", 0.0, 1.0)[0])
            return found

        chosen = recipe(timed, "epochs=1", "over_time.delay=1", "over_time.smoothing=[0,2]")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Series, "later", moved)
            patch.setattr("affuse.training.smoothing.training_targets", watched)
            list(train(chosen, timed / "store", tmp_path / "run", [0]))
        (start,) = starts
        assert start == pytest.approx(curves(5, 0.0), abs=1e-4) and len(seen) == 2
        assert all(not m[:30].any() and m[30:].all() for m in seen)


class TestWeights:
    NAMES = ("valence", "arousal")

    def goal(self, variant: str, **weights: float) -> Dimensional:
        model = create_model("early", {s.name: s for s in (SOUND30, VIDEO)}, 2, head="frames")
        return Dimensional(self.NAMES, model.leader.rate, OverTime(loss=variant, weights=weights))

    @pytest.mark.parametrize("variant", ["ccc", "ccc-windows", "ccc-batch"])
    def test_a_dimension_counts_as_often_as_its_weight(self, variant: str) -> None:
        torch.manual_seed(0)
        scores, targets = torch.rand(3, 50, 2), torch.rand(3, 50, 2)
        known = torch.ones(3, 50, dtype=torch.bool)
        valence, arousal = (
            {
                "ccc": lambda x, y: masked_ccc_loss(x, y, known),
                "ccc-windows": ccc_window_loss,
                "ccc-batch": ccc_loss,
            }[variant](scores[..., [d]], targets[..., [d]])
            for d in range(2)
        )
        # as published, the mean of the weighted losses, not their weighted mean
        expected = float(10 * valence + arousal) / (1 if variant == "ccc-batch" else 2)
        for weights in ({"valence": 10.0, "arousal": 1.0}, {"valence": 10.0}):
            found = float(self.goal(variant, **weights).loss(scores, targets, 0.0))
            assert found == pytest.approx(expected, rel=1e-5)

    def test_a_recipe_gives_them_by_name(self, timed: Path, tmp_path: Path) -> None:
        weights = "over_time.weights={valence: 10, arousal: 1}"
        assert recipe(timed, weights).over_time.weights == {"valence": 10, "arousal": 1}
        assert recipe(timed, "over_time.weights.valence=10").over_time.weights == {"valence": 10}
        with pytest.raises(BadInput, match=r"over_time.weights must not be negative"):
            recipe(timed, "over_time.weights.valence=-1")
        with pytest.raises(AffuseError, match=r"over_time.weights: 'joy' is not learned"):
            chosen = recipe(timed, "over_time.weights.joy=1")
            list(train(chosen, timed / "store", tmp_path / "run", [0]))
        assert not (tmp_path / "run").exists()


def test_the_log_tells_how_training_and_development_agree(timed: Path, tmp_path: Path) -> None:
    chosen = recipe(timed, "epochs=6", "optimiser.lr=1e-2")
    list(train(chosen, timed / "store", tmp_path / "run", [0]))
    rows = list(csv.DictReader((tmp_path / "run/fold0/log.csv").open()))
    for row in rows:
        for role in ("train", "development"):
            for metric in ("ccc", "pcc", "rmse"):
                each = [float(row[f"{role}/{metric}_{name}"]) for name in ("valence", "arousal")]
                assert float(row[f"{role}/{metric}"]) == pytest.approx(np.mean(each), abs=1e-6)
    assert float(rows[-1]["train/ccc"]) > 0.5 > float(rows[0]["train/ccc"])
    assert float(rows[-1]["train/rmse"]) < float(rows[0]["train/rmse"])
    # the loss is 1 - CCC of every batch, the score that of all batches of the epoch together
    assert float(rows[-1]["train/ccc"]) == pytest.approx(
        1 - float(rows[-1]["train/loss"]), abs=0.15
    )
