"""The files that the published leader-follower system leaves, and the way back to it."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from affuse.cli.main import main
from affuse.errors import AffuseError, BadInput
from affuse.features.batch import normalise
from affuse.models.checkpoints import convert, convert_back, published_state_dict
from affuse.models.modelfile import ModelSpec, load_model, read_spec, save_model
from affuse.models.registry import create_model
from affuse.models.systems.leader_follower.model import LeaderFollower
from affuse.models.systems.leader_follower.published import EMBEDDING, FOLLOWERS, PICTURES
from affuse.training.recipe_files import load_recipe
from affuse.verification.contracts.model import random_batch
from tests.execution.tensorflow_writer import write_v1, write_v2

STREAMS = {spec.name: spec for spec in (EMBEDDING, *FOLLOWERS)}
VGGISH, MFCC = (spec.name for spec in FOLLOWERS)
SETS = ("Train_Set", "Validation_Set", "Target_Set")


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Published entries of a small model: on features, for valence."""
    torch.manual_seed(0)
    options = LeaderFollower.published_options() | {"video": "vectors"}
    return published_state_dict(create_model("leader-follower", STREAMS, 1, **options))


@pytest.fixture
def checkpoint(state: dict[str, Tensor], tmp_path: Path) -> Path:
    torch.save(state, tmp_path / "model_state_dict.pth")
    return tmp_path / "model_state_dict.pth"


def statistics(kind: Any = np.float64) -> dict[str, Any]:
    """Of every feature, fold and set another mean and deviation."""
    return {
        feature: {
            fold: {
                name: {"mean": kind(10 * a + fold + b / 8), "std": kind(1 + 10 * a + fold + b / 8)}
                for b, name in enumerate(SETS)
            }
            for fold in range(6)
        }
        for a, feature in enumerate(("vggish", "mfcc", "egemaps"))
    }


def pickled(path: Path, content: object) -> Path:
    path.write_bytes(pickle.dumps(content))
    return path


class TestStatistics:
    @pytest.mark.parametrize("kind", [float, np.float64, np.float32, np.array])
    def test_of_the_training_set_of_fold_0(self, checkpoint: Path, kind: Any) -> None:
        path = pickled(checkpoint.with_name("mean_std_dict.pkl"), statistics(kind))
        out = checkpoint.with_suffix(".safetensors")
        spec = convert("leader-follower", checkpoint, out, classes=["valence"], statistics=path)
        assert spec.normalisation[VGGISH].to_json() == {"mean": [0.0], "std": [1.0]}
        assert spec.normalisation[MFCC].to_json() == {"mean": [10.0], "std": [11.0]}
        assert spec.normalisation[EMBEDDING.name].to_json() == {"mean": [0.0], "std": [1.0]}
        assert spec.training["statistics"] == "mean_std_dict.pkl, fold 0, Train_Set"
        assert "normalisation" not in spec.training and read_spec(out) == spec

    def test_the_model_sees_what_the_published_one_sees(
        self, checkpoint: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = pickled(checkpoint.with_name("mean_std_dict.pkl"), statistics())
        plain, scaled = (checkpoint.with_name(f"{name}.safetensors") for name in "ab")
        words = ["convert", "leader-follower", str(checkpoint), "classes=valence"]
        assert main([*words, "--out", str(plain)]) == 0
        assert "must arrive normalised" in capsys.readouterr().err
        words += [f"statistics={path}", "fold=3", "partition=Target_Set"]
        assert main([*words, "--out", str(scaled)]) == 0
        said = capsys.readouterr().err
        assert "statistics: mean_std_dict.pkl, fold 3, Target_Set" in said
        assert "must arrive" not in said
        batch = random_batch(STREAMS, {name: [20] for name in STREAMS}, 0)
        model, spec = load_model(scaled)
        with torch.no_grad():
            ours = model(normalise(batch, spec.normalisation)).values
            for name, mean in ((VGGISH, 3.25), (MFCC, 13.25)):
                batch.streams[name] = (batch.streams[name] - mean) / (1 + mean)
            model, spec = load_model(plain)
            theirs = model(normalise(batch, spec.normalisation)).values
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)

    @pytest.mark.parametrize(
        ("content", "options", "message"),
        [
            (statistics(), {"fold": 6}, "no statistics of vggish, fold 6, Train_Set"),
            (statistics(), {"partition": "Test"}, "partition=Test: there are Train_Set, Val"),
            ({"vggish": 3}, {}, "no statistics of vggish, fold 0, Train_Set"),
            ([1, 2], {}, "no statistics of vggish"),
            ({**statistics(), "mfcc": {0: {"Train_Set": {"mean": 1.0}}}}, {}, "no mean and std"),
            (statistics(lambda x: x - 1), {}, "holds mean -1 and std 0 of vggish"),
            (statistics(lambda x: x * np.nan), {}, "holds mean nan and std nan"),
            (statistics(lambda x: np.full(3, x)), {}, "no mean and std of vggish"),
        ],
    )
    def test_refused(
        self, checkpoint: Path, content: object, options: dict[str, Any], message: str
    ) -> None:
        path = pickled(checkpoint.with_name("s.pkl"), content)
        out = checkpoint.with_suffix(".safetensors")
        told = {"classes": ["valence"], "statistics": path, **options}
        with pytest.raises(BadInput, match=message) as error:
            convert("leader-follower", checkpoint, out, **told)
        assert str(error.value).startswith(str(path)) and not out.exists()

    def test_code_is_not_opened(self, checkpoint: Path) -> None:
        path = pickled(checkpoint.with_name("s.pkl"), {"vggish": os.getenv})
        with pytest.raises(BadInput, match=r"s\.pkl: holds code \(os\.getenv\)"):
            out = checkpoint.with_suffix(".safetensors")
            convert("leader-follower", checkpoint, out, classes=["valence"], statistics=path)

    def test_where_they_have_no_meaning(self, checkpoint: Path, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="fold= chooses among statistics"):
            convert("leader-follower", checkpoint, tmp_path / "x", classes=["valence"], fold=1)
        with torch.device("cpu"):
            alone = create_model("leader-follower-visual", STREAMS, 1, video="vectors")
        torch.save(published_state_dict(alone), checkpoint)
        told = {"classes": ["valence"], "statistics": "s.pkl"}
        with pytest.raises(BadInput, match="has no followers; leave statistics= out"):
            convert("leader-follower", checkpoint, tmp_path / "x", **told)


class Trainer:
    """Like the published trainer."""


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


class TestTrainer:
    def test_its_best_weights(self, state: dict[str, Tensor], tmp_path: Path, capsys: Any) -> None:
        """With code in the file that must not run."""
        trainer: Any = Trainer()
        trainer.best_epoch_info = {"model_weights": state, "ccc": 0.4}
        trainer.evil = Evil(tmp_path / "it ran")
        path = pickled(tmp_path / "checkpoint.pkl", {"trainer": trainer, "param_control": trainer})
        out = tmp_path / "x.safetensors"
        words = ["convert", "leader-follower", str(path), "classes=valence", "--out", str(out)]
        assert main(words) == 0
        place = "trainer.best_epoch_info.model_weights"
        assert f"weights: {place}" in capsys.readouterr().err
        model, spec = load_model(out)
        assert spec.training["weights"] == place
        back = published_state_dict(model)
        assert back.keys() == state.keys() and all(back[n].equal(x) for n, x in state.items())
        assert not (tmp_path / "it ran").exists()

    def test_without_weights(self, tmp_path: Path, capsys: Any) -> None:
        path = pickled(tmp_path / "checkpoint.pkl", {"trainer": Evil(tmp_path / "it ran")})
        words = ["convert", "leader-follower", str(path), "--out", str(tmp_path / "x")]
        assert main(words) == 2
        assert capsys.readouterr().err.splitlines() == [
            f"affuse convert: {path}: holds no weights of such a model"
        ]
        assert not (tmp_path / "it ran").exists()


class TestVggish:
    """What TensorFlow writes, as far as sizes matter; with all weights it takes 300 MB."""

    @pytest.mark.parametrize("write", [write_v1, write_v2], ids=["V1", "V2"])
    def test_variables_become_entries(self, tmp_path: Path, write: Any) -> None:
        from affuse.models.systems.vggish import published as vggish

        random = np.random.default_rng(0)
        shapes = {"conv1/weights": (3, 3, 1, 4), "conv1/biases": (4,), "fc2/weights": (6, 5)}
        held = {f"vggish/{n}": random.normal(size=s).astype("f4") for n, s in shapes.items()}
        path = write(tmp_path / "vggish_model.ckpt", held | {"global_step": np.int64([1])})
        read, place = vggish.read(path)
        assert vggish.recognises(read) and read.keys() == held.keys() and not place
        entries = vggish.clean(path, read)
        kernel = held["vggish/conv1/weights"]
        assert np.array_equal(entries["features.0.weight"], kernel.transpose(3, 2, 0, 1))
        assert np.array_equal(entries["features.0.bias"], held["vggish/conv1/biases"])
        assert np.array_equal(entries["embeddings.4.weight"], held["vggish/fc2/weights"].T)
        with pytest.raises(BadInput, match=r"lacks weights: features\.3\.weight"):
            convert("vggish", path, tmp_path / "x.safetensors")

    def test_of_another_network(self, tmp_path: Path) -> None:
        path = write_v1(tmp_path / "x.ckpt", {"resnet/weights": np.zeros(3, np.float32)})
        with pytest.raises(BadInput, match="holds no variables of VGGish"):
            convert("vggish", path, tmp_path / "x.safetensors")
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(BadInput, match="is no TensorFlow checkpoint, or not all of one"):
            convert("vggish", path, tmp_path / "x.safetensors")


class TestBackAfterTheRecipe:
    """The published file has weights without effect that the recipe does not train."""

    def options(self, *changes: str) -> dict[str, Any]:
        recipe = load_recipe("leader-follower-affwild2-published", changes)
        return {key: value for key, value in recipe.model.items() if key != "name"}

    def test_there_and_back(self, tmp_path: Path, state: dict[str, Tensor]) -> None:
        torch.manual_seed(1)
        options = self.options("model.video=vectors")
        spec = ModelSpec("leader-follower", options, STREAMS, {}, ["valence"], "valence-arousal")
        spec.window = 10.0
        model = create_model("leader-follower", STREAMS, 1, **options).eval()
        trained, back, again = (tmp_path / x for x in ("a.safetensors", "b.pth", "c.safetensors"))
        save_model(trained, model, spec)
        assert convert_back("leader-follower", trained, back) == len(state)
        written = torch.load(back, weights_only=True)
        assert {n: x.shape for n, x in written.items()} == {n: x.shape for n, x in state.items()}
        assert written["gn1.weight"].eq(1).all() and written["gn2.bias"].eq(0).all()
        convert("leader-follower", back, again, classes=["valence"])
        batch = random_batch(STREAMS, {name: [20] for name in STREAMS}, 0)
        with torch.no_grad():
            assert load_model(again)[0](batch).values.equal(model(batch).values)

    def test_all_entries_of_the_published_file(self) -> None:
        streams = {spec.name: spec for spec in (PICTURES, *FOLLOWERS)}
        with torch.device("meta"):
            model = create_model("leader-follower", streams, 1, **self.options())
            assert len(published_state_dict(model)) == 525
            visual = create_model("leader-follower-visual", streams, 1, video="ir50")
            assert not any(name.startswith("gn") for name in published_state_dict(visual))

    def test_weights_without_effect_stay_what_they_were(self, state: dict[str, Tensor]) -> None:
        options = LeaderFollower.published_options() | {"video": "vectors"}
        model = create_model("leader-follower", STREAMS, 1, **options)
        torch.nn.init.normal_(model.dead["gn1"].weight)
        assert published_state_dict(model)["gn1.weight"].equal(model.dead["gn1"].weight)

    def test_a_sound_model_is_still_refused(self) -> None:
        model = create_model("leader-follower", STREAMS, 1, video="vectors")
        with pytest.raises(AffuseError, match="not in the form of a published checkpoint"):
            published_state_dict(model)
