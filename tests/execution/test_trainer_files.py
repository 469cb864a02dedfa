"""Weights in the pickle of a trainer, whose classes are look-alikes that the reader never meets."""

import copy
import os
import pickle
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from affuse.errors import BadInput
from affuse.execution.trainer_files import is_trainer, read_trainer


class Trainer:
    """Like a published trainer: everything that it knows hangs on it."""

    def __init__(self, model: nn.Module, best: dict[str, torch.Tensor] | None) -> None:
        self.model = model
        self.device = torch.device("cpu")
        self.optimizer = torch.optim.Adam(model.parameters())
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer)
        self.history: dict[str, object] = {"ccc": [0.1, 0.2], "seen": {1, 2}}
        if best is not None:
            self.best_epoch_info = {"model_weights": best, "ccc": 0.2}


class Control:
    __slots__ = ("trainer",)

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer


class Evil:
    """Runs code where its pickle is opened."""

    def __init__(self, *command: object) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.command[0], self.command[1:]


def network() -> nn.Module:
    torch.manual_seed(0)
    with warnings.catch_warnings(action="ignore"):
        convolution = nn.utils.weight_norm(nn.Conv1d(3, 4, 5))
    return nn.Sequential(convolution, nn.BatchNorm1d(4), nn.Sequential(nn.Linear(4, 2)))


def write(path: Path, trainer: object, protocol: int = 4) -> Path:
    with path.open("wb") as file:
        pickle.dump({"trainer": trainer, "param_control": Control(trainer)}, file, protocol)
    return path


def wanted(state: Mapping[str, Any]) -> bool:
    return "0.weight_v" in state


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_the_best_weights(tmp_path: Path, protocol: int) -> None:
    model = network()
    best = {name: x + 1 for name, x in model.state_dict().items()}
    path = write(tmp_path / "checkpoint.pkl", Trainer(model, best), protocol)
    assert is_trainer(path)
    state, place = read_trainer(path, wanted)
    assert place == "trainer.best_epoch_info.model_weights"
    assert state.keys() == best.keys() and all(state[n].equal(x) for n, x in best.items())


def test_the_weights_of_the_module_where_no_others_are_kept(tmp_path: Path) -> None:
    model = nn.DataParallel(network())
    model.module[1].running_mean += 3
    state, place = read_trainer(write(tmp_path / "x.pkl", Trainer(model, None)), wanted)
    assert place == "trainer.model"
    own = model.module.state_dict()
    assert state.keys() == own.keys() and all(state[n].equal(x) for n, x in own.items())


def test_best_weights_come_before_others(tmp_path: Path) -> None:
    model = network()
    trainer: Any = Trainer(model, None)
    trainer.start_weights = copy.deepcopy(model.state_dict())
    trainer.best = {name: x + 1 for name, x in model.state_dict().items()}
    state, place = read_trainer(write(tmp_path / "x.pkl", trainer), wanted)
    assert place == "trainer.best" and state["0.bias"].equal(trainer.best["0.bias"])


def test_weights_of_a_gpu_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:3")
        path = write(tmp_path / "x.pkl", Trainer(model, model.state_dict()))
    assert b"cuda:3" in path.read_bytes()
    assert read_trainer(path, wanted)[0]["0.bias"].equal(model[0].bias)


def test_views_of_one_storage(tmp_path: Path) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    state = {"0.weight_v": whole[1:3, ::2], "t": whole.T, "n": torch.tensor(3)}
    read = read_trainer(write(tmp_path / "x.pkl", state), wanted)[0]
    assert all(read[name].equal(x) for name, x in state.items())


@pytest.mark.parametrize(
    "command", [(os.system, "touch {}"), (eval, "open('{}', 'w')"), (Path.touch, Path("{}"))]
)
def test_no_code_of_the_file_runs(
    tmp_path: Path, command: tuple[Callable[..., object], str | Path]
) -> None:
    mark = tmp_path / "it ran"
    words = [type(w)(str(w).format(f'"{mark}"' if command[0] is os.system else mark))
             for w in command[1:]]  # fmt: skip
    trainer: Any = Trainer(network(), None)
    trainer.evil = Evil(command[0], *words)
    path = write(tmp_path / "x.pkl", trainer)
    assert read_trainer(path, wanted)[1] == "trainer.model"
    assert not mark.exists()
    with path.open("rb") as file:
        pickle.load(file)
    assert mark.exists()  # or the test would prove nothing


def test_code_in_the_place_of_numbers_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "it ran"
    inner = tmp_path / "inner"
    torch.save(Evil(Path.touch, mark), inner, _use_new_zipfile_serialization=False)
    storage = Evil(torch.storage._load_from_bytes, inner.read_bytes())
    weights = Evil(torch._utils._rebuild_tensor_v2, storage, 0, (1,), (1,), False, {})
    path = write(tmp_path / "x.pkl", {"0.weight_v": weights})
    with pytest.raises(BadInput, match="is not a pickle of a trainer, or damaged"):
        read_trainer(path, wanted)
    assert not mark.exists()


@pytest.mark.parametrize("size", [(100,), (-1,), ("a",)])
def test_numbers_beyond_their_storage_are_refused(
    tmp_path: Path, size: tuple[int] | tuple[str]
) -> None:
    storage = torch.zeros(4).storage()
    weights = Evil(torch._utils._rebuild_tensor_v2, storage, 0, size, (1,), False, {})
    with pytest.raises(BadInput, match="or damaged"):
        read_trainer(write(tmp_path / "x.pkl", {"0.weight_v": weights}), wanted)


def test_other_content(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"x\.pkl: holds no weights of such a model"):
        read_trainer(write(tmp_path / "x.pkl", Trainer(nn.Linear(2, 2), None)), wanted)
    (tmp_path / "x.pkl").write_bytes(write(tmp_path / "y.pkl", network()).read_bytes()[:-100])
    with pytest.raises(BadInput, match="or damaged"):
        read_trainer(tmp_path / "x.pkl", wanted)
    with pytest.raises(BadInput, match="No such file"):
        read_trainer(tmp_path / "none.pkl", wanted)


@pytest.mark.parametrize("legacy", [False, True])
def test_what_torch_saved_is_no_trainer(tmp_path: Path, legacy: bool) -> None:
    torch.save(network().state_dict(), tmp_path / "x", _use_new_zipfile_serialization=not legacy)
    assert not is_trainer(tmp_path / "x") and not is_trainer(tmp_path)
