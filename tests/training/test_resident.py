"""Windows that stay on the device that learns from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.toy import AUDIO, CLASSES, VIDEO, Toy, toy_recipe, toy_store

from affuse.corpora.clip import Clip, Corpus
from affuse.features.batch import Batch
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import StreamSpec
from affuse.features.stream_file import StreamFile
from affuse.models.modelfile import load_model
from affuse.training.batches import loader
from affuse.training.data import ClipDataset
from affuse.training.recipe_files import load_recipe
from affuse.training.resident import keep_on, room_on
from affuse.training.train import train

CPU, ROOM = torch.device("cpu"), 1 << 30


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy store, and its protocol beside it."""
    return toy_store(tmp_path_factory.mktemp("resident"))


def dataset(store: Path, window: float = 1.2, hop: float = 0.0, shift: float = 0.0) -> ClipDataset:
    data = Store(store)

    def target(clip: str, start: float, seconds: float) -> np.ndarray:
        return np.array([int(clip), start, seconds], np.float32)

    names = [AUDIO.name, VIDEO.name]
    return ClipDataset(data, data.clips, names, window, target, hop, shift=shift)


def passes(data: ClipDataset, batch_size: int) -> list[Batch]:
    """The batches of three epochs in random order."""
    batches = loader(data, batch_size, "random", seed=3)
    found = []
    for epoch in range(3):
        data.epoch = epoch
        found += list(batches)
    return found


@settings(deadline=None)
@given(window=st.floats(0.2, 2.0), hop=st.sampled_from([0.0, 0.3, 1.0]), size=st.integers(1, 70))
def test_batches_are_those_of_the_store(store: Path, window: float, hop: float, size: int) -> None:
    read, kept = dataset(store, window, hop), dataset(store, window, hop)
    keep_on(CPU, kept, ROOM)
    assert kept.resident is not None and len(kept.resident) == len(read)
    for one, other in zip(passes(read, size), passes(kept, size), strict=True):
        assert (one.ids, one.kinds) == (other.ids, other.kinds)
        assert one.targets is not None and other.targets is not None
        torch.testing.assert_close(one.targets, other.targets, rtol=0, atol=0)
        for name in one.streams:
            torch.testing.assert_close(one.streams[name], other.streams[name], rtol=0, atol=0)
            torch.testing.assert_close(one.masks[name], other.masks[name], rtol=0, atol=0)


def test_windows_that_are_drawn_anew_are_read(store: Path) -> None:
    shifted, strange = dataset(store, shift=0.1), dataset(store)
    strange.speakers, strange.strangers = object(), 0.5
    for data in (shifted, strange):
        keep_on(CPU, data, ROOM)
        assert not data.constant and data.resident is None


def test_what_does_not_fit_is_read(store: Path) -> None:
    data = dataset(store)
    numbers = {"values": 48 * 10 + 36 * 6, "targets": 3}
    needed = len(data) * (4 * sum(numbers.values()) + 48 + 36)
    keep_on(CPU, data, needed - 1)
    assert data.resident is None
    keep_on(CPU, data, needed)
    assert data.resident is not None
    assert room_on(CPU) == 0


def test_streams_that_have_a_length_of_their_own_are_read(tmp_path: Path) -> None:
    spec = StreamSpec("audio/imported-spans", 30.0, (2,), span=1.0)  # cut nowhere, 30 to 44 frames
    clips = [Clip(str(k), label=CLASSES[0]) for k in range(9)]
    prepare(Corpus("folder", tmp_path, clips, CLASSES, "none"), tmp_path / "store", [Toy(spec)])
    data = ClipDataset(
        Store(tmp_path / "store"), clips, [spec.name], 1.0, lambda *_: np.array(0), 0.0
    )
    keep_on(CPU, data, ROOM)
    assert data.constant and data.resident is None
    assert data.__getitems__(range(9)).streams[spec.name].shape[1] > 30


def test_nothing_is_kept_of_nothing(store: Path) -> None:
    data = dataset(store)
    data.windows = []
    keep_on(CPU, data, ROOM)
    assert data.resident is None


def test_a_training_learns_the_same_and_reads_each_window_once(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    plain = StreamFile.__getitem__

    def counted(file: StreamFile, clip: str) -> object:
        read.append(clip)
        return plain(file, clip)

    monkeypatch.setattr(StreamFile, "__getitem__", counted)
    recipe = toy_recipe(store.parent, dropout={"kind": "softhard"})
    weights, logs, counts = [], [], []
    for name, room in (("read", 0), ("kept", ROOM)):
        monkeypatch.setattr("affuse.training.fitting.room_on", lambda device, room=room: room)
        read.clear()
        list(train(load_recipe(str(recipe)), store, tmp_path / name, folds=[0], device="cpu"))
        counts.append(len(read))
        folder = tmp_path / name / "fold0"
        weights.append(load_model(folder / "model.safetensors")[0].state_dict())
        logs.append((folder / "log.csv").read_text())
    for key, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][key], rtol=0, atol=0)
    assert logs[0] == logs[1]
    windows = 32 + 16  # of training and of development, two streams each, four epochs
    assert counts[0] - counts[1] == 2 * windows * 3 - 2 * 2
