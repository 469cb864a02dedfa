"""Numbers that are not finite end a training where they appear, and say whose they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from affuse.cli.main import main
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.combine import Part, combine
from affuse.features.archive import read_archive, write_archive
from affuse.features.batch import Normalisation, collate, normalise
from affuse.features.store import stream_path
from affuse.features.stream import Stream, StreamSpec
from affuse.models.base import Model
from affuse.models.modelfile import load_model, save_model
from affuse.training.averaging import AveragedWeights
from affuse.training.checkpoints import read_checkpoint
from affuse.training.learner import Learner
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train
from tests.toy import toy_recipe

SMALL = {"model": {"name": "concat", "hidden": 8}, "epochs": 2}


def run(folder: Path, out: str = "run", resume: bool = False, **changes: Any) -> Path:
    recipe = load_recipe(toy_recipe(folder, **SMALL | changes))
    return dict(train(recipe, folder / "store", folder / out, [0], resume))[0]


def spoil(folder: Path, clip: str, value: float, name: str = "audio/mfcc10") -> None:
    """Put a number into the middle of a clip of a store, as stores from before may have it."""
    path = stream_path(folder / "store", name)
    arrays, metadata = read_archive(path)
    copies = {key: np.array(array) for key, array in arrays.items()}
    row = metadata["clips"].index(clip)
    copies["values"][copies["offset"][row : row + 2].sum() // 2, 2] = value
    write_archive(path, {k: (str(x.dtype), x.shape, [x]) for k, x in copies.items()}, metadata)


@pytest.mark.parametrize(
    ("value", "normalisation"),
    [(float("nan"), "standard"), (float("inf"), "scalar"), (-float("inf"), "published")],
)
def test_a_clip_with_a_number_that_is_not_finite_is_named(
    small: Path, value: float, normalisation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the statistics, or by the batch where there are none."""
    spoil(small, "010", value)  # speaker s2 trains
    recipe = toy_recipe(small, **SMALL, normalisation=normalisation)
    words = ["train", str(recipe), "--store", str(small / "store"), "--out", str(small / "run")]
    assert main([*words, "fold=0"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(
        "affuse train: clip 010: stream audio/mfcc10 holds a number that is not finite (nan or "
        "inf) at 0."
    )
    assert not (small / "run/fold0/model.safetensors").exists()


@pytest.mark.parametrize("clip", ["001", "000"], ids=["development", "test"])
def test_clips_that_are_judged_are_named_too(small: Path, clip: str) -> None:
    if clip == "000":  # a test clip: training does not read it, evaluation does
        run(small)
    spoil(small, clip, float("nan"))
    if clip == "001":
        with pytest.raises(AffuseError, match=f"clip {clip}: stream audio/mfcc10 holds a number"):
            run(small)
    else:
        from affuse.evaluation.evaluate import evaluate

        with pytest.raises(AffuseError, match=f"clip {clip}: stream audio/mfcc10 holds a number"):
            evaluate(small / "run")


def test_a_number_in_an_absent_frame_has_no_effect() -> None:
    spec = StreamSpec("audio/x", 10.0, (2,))
    values, mask = np.ones((3, 2), np.float32), np.array([True, False, True])
    clean = collate([{"audio/x": Stream(values, mask)}], {"audio/x": spec})
    values = values.copy()
    values[1] = np.nan
    spoiled = collate([{"audio/x": Stream(values, mask)}], {"audio/x": spec})
    known = {"audio/x": Normalisation((0.5, 0.5), (2.0, 2.0))}
    ours, theirs = (normalise(x, known).streams["audio/x"] for x in (spoiled, clean))
    assert ours.equal(theirs) and ours[0, 1].eq(0).all()


Spoiled = Callable[[torch.Tensor], torch.Tensor]


def breaking(
    monkeypatch: pytest.MonkeyPatch, change: Spoiled, epoch: int = 1, step: int = 1
) -> list[list[str]]:
    """What the model says at one step goes through a function; returns the batches' clips."""
    seen: list[list[str]] = []
    original = Learner.training_step

    def at(self: Learner, batch: Any, index: int) -> torch.Tensor:
        if (self.current_epoch, index) != (epoch, step):
            return original(self, batch, index)
        seen.append(list(batch.ids))
        forward = Model.__call__

        def call(model: Model, *args: Any) -> Any:
            output = forward(model, *args)
            output.scores = change(output.scores)
            return output

        with monkeypatch.context() as patch:
            patch.setattr(type(self.model), "__call__", call)
            return original(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", at)
    return seen


class Blown(torch.autograd.Function):
    """The same numbers forwards; a gradient that is not finite backwards."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * float("inf")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda x: x * float("nan"), "the loss is nan"),
        (lambda x: Blown.apply(x), r"the gradient of \S+ is not finite"),
    ],
    ids=["loss", "gradient"],
)
def test_training_ends_at_the_first_step_that_is_not_finite(
    small: Path, monkeypatch: pytest.MonkeyPatch, change: Spoiled, what: str
) -> None:
    changes = {"optimiser": {"clip": 1.0}}
    with monkeypatch.context() as patch:
        seen = breaking(patch, change)
        with pytest.raises(AffuseError, match=what) as error:
            run(small, **changes)
        with pytest.raises(AffuseError, match=what):
            run(small, resume=True, **changes)
    assert seen[0] == seen[1], "resuming meets the same batch"
    message = str(error.value)
    assert message.startswith("toy fold 0, epoch 2, step 2: ")
    assert f"clips in the batch: {', '.join(seen[0])};" in message
    assert "epochs 1 to 1 are kept, --resume ends here again" in message and "\n" not in message
    kept = read_checkpoint(small / "run/fold0/checkpoints/last.ckpt")
    assert kept["epoch"] == 0
    assert not (small / "run/fold0/model.safetensors").exists()
    assert (
        run(small, resume=True, **changes).read_bytes() == run(small, "b", **changes).read_bytes()
    )


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_no_checkpoint_holds_a_weight_that_is_not_finite(
    small: Path, monkeypatch: pytest.MonkeyPatch, ema: float
) -> None:
    """The last step of an epoch can leave what no loss has seen; so can an average."""
    last = Learner.on_train_batch_end

    def overflow(self: Learner, outputs: Any, batch: Any, batch_idx: int) -> None:
        last(self, outputs, batch, batch_idx)
        if self.current_epoch == 1 and self.trainer.is_last_batch and not ema:
            with torch.no_grad():
                next(self.model.parameters()).view(-1)[0] = float("inf")

    def average(self: AveragedWeights, trainer: Any, *rest: Any, **named: Any) -> None:
        if trainer.current_epoch == 1 and self._average_model is not None:
            next(self._average_model.parameters()).data.view(-1)[0] = float("nan")

    monkeypatch.setattr(Learner, "on_train_batch_end", overflow)
    if ema:
        monkeypatch.setattr(AveragedWeights, "on_train_batch_end", average)
    with pytest.raises(AffuseError, match=r"toy fold 0, epoch 2: .*not finite"):
        run(small, ema=ema)
    kept = read_checkpoint(small / "run/fold0/checkpoints/last.ckpt")
    assert kept["epoch"] == 0 and all(
        x.isfinite().all() for x in kept["state_dict"].values() if x.is_floating_point()
    )


def test_a_finite_loss_with_a_gradient_that_is_not(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """AuxFormer has no gradient where a modality is zero throughout and counts as input."""
    dropout = {"kind": "batch", "masks": False, "probability": 1.0}
    recipe = toy_recipe(small, model={"name": "auxformer"}, epochs=1, dropout=dropout)
    words = ["train", str(recipe), "--store", str(small / "store"), "--out", str(small / "run")]
    assert main([*words, "fold=0"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("affuse train: toy fold 0, epoch 1, step 1: the gradient of project_")
    assert not list((small / "run").rglob("*.safetensors"))


def test_a_model_that_gives_nan_is_not_scored(small: Path) -> None:
    from affuse.evaluation.evaluate import evaluate

    path = run(small, **{"epochs": 1})
    model, spec = load_model(path)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("weight", "bias")) and parameter.shape[0] == len(spec.outputs):
                parameter.fill_(3e38)
    save_model(path, model, spec)
    with pytest.raises(BadInput, match="gives numbers that are not finite for clip"):
        evaluate(small / "run")


def test_predictions_that_are_not_finite_are_not_calibrated_on(small: Path) -> None:
    names = ["neutral", "calm", "happy", "sad"]
    parts = {}
    for name, stream in (("audio", "audio/mfcc10"), ("video", "video/openface")):
        run(small, name, model={"name": f"{name}-only"}, streams=[stream], epochs=1)
        table = pd.DataFrame(
            {
                "condition": "av",
                "clip": [f"x{k}" for k in range(8)],
                "speaker": [f"p{k}" for k in range(8)],
                "label": names * 2,
                **{f"p_{c}": 0.25 for c in names},
            }
        )
        table.loc[5, "p_calm"] = np.nan if name == "video" else 0.25
        table.to_csv(small / f"{name}.csv", index=False)
        parts[name] = Part(small / name, [small / f"{name}.csv"])
    with pytest.raises(BadInput, match=r"line 7: p_calm of clip x5 is no finite number"):
        combine(parts["audio"], parts["video"], small / "both.safetensors")
    assert not (small / "both.safetensors").exists()


def test_training_from_a_damaged_model_file_is_refused(small: Path) -> None:
    path = run(small, "first", epochs=1)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadInput, match="is damaged: its content is not what its digest says"):
        run(small, "second", init=str(path))
    assert not (small / "second").exists()


@pytest.mark.parametrize("window", [1e-9, 1e6, float("nan"), float("inf")])
def test_a_window_that_no_model_file_could_hold_is_refused_at_once(
    small: Path, window: float
) -> None:
    with pytest.raises(BadInput, match=r"window is .*; expected 0\.01 to|window must be"):
        run(small, window=window)
    assert not (small / "run").exists()
