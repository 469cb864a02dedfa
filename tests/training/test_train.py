import csv
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from tests.toy import toy_recipe
from torch import Tensor

from affuse.errors import AffuseError, BadInput
from affuse.features.archive import read_archive, write_archive
from affuse.features.batch import Batch
from affuse.features.store import Store, stream_path
from affuse.models.modelfile import load_model
from affuse.training.callbacks import EpochLog
from affuse.training.data import ClipDataset
from affuse.training.learner import Learner
from affuse.training.recipe_files import load_recipe
from affuse.training.statistics import training_statistics
from affuse.training.targets import training_targets
from affuse.training.train import train

MODEL = "fold0/model.safetensors"
CHANGES = {
    "dropout": {"kind": "softhard"},
    "augmentation": {"gaussian_noise": 0.3, "shift": 0.1, "adjust_duration": 0.5, "mixup": 0.4},
    "ema": 0.9,
}


def run(
    toy: Path, out: str, folds: Sequence[int] = (0,), resume: bool = False, **changes: object
) -> dict[int, Path]:
    recipe = load_recipe(toy_recipe(toy, **changes))
    return dict(train(recipe, toy / "store", toy / out, list(folds), resume))


def test_the_model_file_is_all_that_prediction_needs(toy: Path) -> None:
    path = run(toy, "run")[0]
    model, spec = load_model(path)
    assert spec.outputs == ["neutral", "calm", "happy", "sad"]
    assert spec.window == 1.2 and spec.training["licence"] == "none"
    assert set(spec.streams) == {"audio/mfcc10", "video/openface"}
    assert not model.training


def test_one_seed_gives_the_same_bytes_and_another_does_not(toy: Path) -> None:
    a = run(toy, "a", **CHANGES)[0].read_bytes()
    b = run(toy, "b", **CHANGES)[0].read_bytes()
    c = run(toy, "c", seed=2, **CHANGES)[0].read_bytes()
    assert a == b and a != c


@pytest.mark.parametrize("selection", ["best", "last"])
def test_resuming_after_a_kill_gives_the_same_bytes(
    toy: Path, monkeypatch: pytest.MonkeyPatch, selection: str
) -> None:
    changes = CHANGES | {"selection": selection}
    whole = run(toy, "whole", **changes)[0]
    step = Learner.training_step

    def killed(self: Learner, batch: Batch, index: int) -> Tensor:
        if self.current_epoch == 2 and index == 1:
            raise KeyboardInterrupt
        return step(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", killed)
    with pytest.raises(KeyboardInterrupt):
        run(toy, "cut", **changes)
    assert not (toy / "cut" / MODEL).exists()
    kept = torch.load(toy / "cut/fold0/checkpoints/last.ckpt", weights_only=True)
    assert kept["epoch"] == 1  # counted from 0: two epochs need not be repeated
    monkeypatch.setattr(Learner, "training_step", step)
    with pytest.raises(BadInput, match="--resume"):
        run(toy, "cut", **changes)
    resumed = run(toy, "cut", resume=True, **changes)[0]
    assert resumed.read_bytes() == whole.read_bytes()
    logs = [list(csv.DictReader((toy / r / "fold0/log.csv").open())) for r in ("cut", "whole")]
    assert logs[0] == logs[1] and [row["epoch"] for row in logs[0]] == ["1", "2", "3", "4"]


def test_ctrl_c_that_a_library_loses_still_ends_the_training(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = []

    def swallow(self: EpochLog, trainer: lightning.Trainer, module: Any) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            lost.append(trainer.current_epoch)

    monkeypatch.setattr(EpochLog, "on_train_epoch_end", swallow)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(toy, "run")
    assert lost == [0], "it ended in the next epoch"
    assert signal.getsignal(signal.SIGINT) is before


def test_finished_folds_are_kept_when_resuming(toy: Path) -> None:
    first = run(toy, "run")[0]
    stamp = first.stat().st_mtime_ns
    both = run(toy, "run", folds=(0, 1), resume=True)
    assert set(both) == {0, 1} and first.stat().st_mtime_ns == stamp


def test_resuming_with_another_recipe_or_other_clips_is_refused(toy: Path) -> None:
    run(toy, "run")
    split = toy / "run/fold0/split.json"
    facts = json.loads(split.read_text())
    (toy / "run" / MODEL).unlink()
    split.write_text(json.dumps(facts | {"train": facts["train"][1:]}))
    with pytest.raises(BadInput, match="holds other clips"):
        run(toy, "run", resume=True)
    with pytest.raises(BadInput, match="differs"):
        run(toy, "run", resume=True, epochs=5)


def test_roles_are_speaker_disjoint_and_written_down(toy: Path) -> None:
    run(toy, "run")
    split = json.loads((toy / "run/fold0/split.json").read_text())
    speakers = {role: {int(clip) % 8 for clip in clips} for role, clips in split.items()}
    assert speakers == {"train": {2, 3, 6, 7}, "development": {1, 5}, "test": {0, 4}}


def test_statistics_come_from_training_clips_only(toy: Path) -> None:
    store = Store(toy / "store")
    names = ("audio/mfcc10", "video/openface")
    chosen = [clip for clip in store.clips if int(clip.speaker[1]) % 4 >= 2]
    learned = training_targets(load_recipe(toy_recipe(toy)), store)
    expected = training_statistics(ClipDataset(store, chosen, names, 1.2, learned.target))
    _, spec = load_model(run(toy, "run")[0])
    assert spec.normalisation == expected
    everyone = training_statistics(ClipDataset(store, store.clips, names, 1.2, learned.target))
    assert everyone != expected


def test_neither_statistics_nor_selection_see_test_clips(toy: Path) -> None:
    """Other values in the streams of the test clips leave the model the same to the last byte."""
    before = run(toy, "before")[0].read_bytes()
    test = json.loads((toy / "before/fold0/split.json").read_text())["test"]
    for name in ("audio/mfcc10", "video/openface"):
        path = stream_path(toy / "store", name)
        arrays, metadata = read_archive(path)
        arrays = {key: np.array(array) for key, array in arrays.items()}
        for row, clip in enumerate(metadata["clips"]):
            if clip in test:
                arrays["values"][arrays["offset"][row] : arrays["offset"][row + 1]] += 9.0
        write_archive(path, {k: (str(x.dtype), x.shape, [x]) for k, x in arrays.items()}, metadata)
    assert run(toy, "after")[0].read_bytes() == before


def test_it_learns_and_the_best_epoch_is_kept(toy: Path) -> None:
    run(toy, "run", epochs=8)
    rows = list(csv.DictReader((toy / "run/fold0/log.csv").open()))
    scores = [float(row["development/accuracy"]) for row in rows]
    assert max(scores) >= 0.8
    state = torch.load(toy / "run/fold0/checkpoints/best.ckpt", weights_only=True)
    assert state["epoch"] == scores.index(max(scores))


def test_what_does_not_fit_is_refused_before_anything_is_written(toy: Path) -> None:
    with pytest.raises(BadInput, match="is a store of folder"):
        run(toy, "run", corpus="ravdess")
    with pytest.raises(BadInput, match="has no stream audio/logmel64"):
        run(toy, "run", streams=["audio/logmel64"], model={"name": "audio-only"})
    with pytest.raises(AffuseError, match="hads"):
        run(toy, "run", model={"name": "chumachenko-it", "hads": 4})
    with pytest.raises(AffuseError, match="no such file"):
        run(toy, "run", backbone=str(toy / "nowhere.safetensors"))
    with pytest.raises(AffuseError, match="folds 0 to 1"):
        run(toy, "run", folds=(7,))
    text = (toy / "protocol.csv").read_text().replace("development", "train")
    (toy / "protocol.csv").write_text(text)
    with pytest.raises(AffuseError, match="selection=last"):
        run(toy, "run")
    assert not (toy / "run").exists()


def test_auxiliary_heads_can_be_trained_alone(toy: Path) -> None:
    alone = {
        "model": {"name": "concat"},
        "primary": 0,
        "auxiliary": 1,
        "optimiser": {"weight_decay": 0},
    }
    before, after = (
        load_model(run(toy, name, epochs=epochs, **alone)[0])[0].state_dict()
        for name, epochs in (("short", 1), ("long", 3))
    )
    changed = {name for name in before if not before[name].equal(after[name])}
    assert "audio.classifier.weight" in changed and "video.classifier.weight" in changed
    assert not any(name.startswith("joint.") for name in changed)
    with pytest.raises(BadInput, match="nothing to learn"):
        run(toy, "none", primary=0)


def test_labels_of_classes_do_not_train_values(toy: Path) -> None:
    with pytest.raises(AffuseError, match=r"set model\.head=classes"):
        run(toy, "values", model={"name": "late", "head": "frames"})
