"""Training on stretches of windows."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.test_known_speakers import learn, make
from tests.toy import AUDIO, CLASSES, VIDEO, toy_recipe, toy_store
from torch import Tensor

from affuse.corpora.clip import Clip, Corpus
from affuse.evaluation.evaluate import evaluate
from affuse.features.batch import Batch
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec
from affuse.models.modelfile import read_spec
from affuse.training.data import ClipDataset
from affuse.training.learner import Learner
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train

ROW = StreamSpec("video/imported-row", 0.0, (2,))
SPAN = StreamSpec("audio/imported-span", 10.0, (2,), span=1.0)
LATE = StreamSpec("video/imported-late", 25.0, (2,))
STREAMS = {spec.name: spec for spec in (AUDIO, VIDEO, LATE, ROW, SPAN)}
TIMED = (AUDIO.name, VIDEO.name, LATE.name)
LENGTHS = (0.6, 0.8, 1.7, 3.0, 5.0)
SHORTEST = 0.5
seeds = st.integers(0, 9999)


class Times:
    """The first two values of every frame are the number of the clip and the second."""

    def __init__(self, spec: StreamSpec) -> None:
        self.spec = spec

    def sources(self, clip: Clip) -> list[Path]:
        return []

    def extract(self, clip: Clip) -> Stream:
        start = 0.2 if self.spec.name == LATE.name else 0.0
        seconds = self.spec.span or LENGTHS[int(clip.id)] - start
        length = round(seconds * self.spec.rate) or 1
        values = np.zeros((length, *self.spec.shape), np.float32)
        values[:, 0] = int(clip.id)
        values[:, 1] = start + np.arange(length) / (self.spec.rate or 1)
        return Stream(values, np.ones(length, bool), start)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A clip of each of the `LENGTHS`."""
    folder = tmp_path_factory.mktemp("times")
    rows = [Clip(str(k), label=CLASSES[0]) for k in range(len(LENGTHS))]
    extractors = [Times(spec) for spec in STREAMS.values()]
    prepare(Corpus("folder", folder, rows, CLASSES, "none"), folder / "store", extractors)
    return Store(folder / "store")


def dataset(store: Store, probability: float, seed: int, window: float = 2.5) -> ClipDataset:
    def target(clip: str, start: float, seconds: float) -> np.ndarray:
        return np.array(int(clip))

    changes = {"shift": 0.3, "seed": seed, "adjust_duration": probability}
    return ClipDataset(store, store.clips, [*STREAMS], window, target, **changes)


def times(stream: Stream) -> np.ndarray:
    """The seconds of the frames that are present."""
    found: np.ndarray = stream.values[stream.mask][:, 1]
    return found


def alike(one: dict[str, Stream], other: dict[str, Stream]) -> bool:
    return all(
        np.array_equal(x.values, other[name].values) and np.array_equal(x.mask, other[name].mask)
        for name, x in one.items()
    )


@given(seeds, st.integers(0, 99), st.floats(0.6, 4.0))
@settings(max_examples=25, deadline=None)
def test_a_stretch_lies_in_the_window_of_its_clip(
    store: Store, seed: int, epoch: int, window: float
) -> None:
    whole, cut = (dataset(store, probability, seed, window) for probability in (0.0, 1.0))
    whole.epoch = cut.epoch = epoch
    for index in range(len(cut)):
        (before, _, clip), (after, label, same) = whole[index], cut[index]
        assert clip == same == str(label)
        assert alike({n: before[n] for n in (ROW.name, SPAN.name)}, after)
        frame = 1 / STREAMS[AUDIO.name].rate
        outer, inner = times(before[AUDIO.name]), times(after[AUDIO.name])
        there = outer[-1] - outer[0] + frame
        left = inner[-1] - inner[0] + frame
        assert min(SHORTEST, there) - 1.5 * frame <= left <= there + 1.5 * frame
        ends = []
        for name in TIMED:
            frame = 1 / STREAMS[name].rate
            inner = times(after[name])
            assert (after[name].values[after[name].mask][:, 0] == int(clip)).all()
            if there > SHORTEST + 2 * frame:
                assert len(after[name].mask) * frame <= there + 2 * frame, "nothing around it"
            if len(inner) and name != LATE.name:
                assert inner[0] >= outer[0] - frame and inner[-1] <= outer[-1] + frame
                ends.append((inner[0], inner[-1] + frame))
        assert np.ptp(np.array(ends), axis=0).max() <= 1 / 40 + 1 / 30, "the streams agree"
        gap = after[LATE.name].start - after[AUDIO.name].start
        assert abs(gap) <= (1 / 25 + 1 / 40) / 2 + 1e-6


def test_how_many_are_cut_and_how_long_they_are(store: Store) -> None:
    whole, cut = dataset(store, 0.0, 1), dataset(store, 0.3, 1)
    lengths, starts, windows = [], [], 0
    for epoch in range(400):
        whole.epoch = cut.epoch = epoch
        before, after = whole[4][0], cut[4][0]  # 5 s: the window is full
        windows += alike(before, after)
        if not alike(before, after):
            lengths.append(len(after[AUDIO.name].mask) / AUDIO.rate)
            free = max(2.5 - lengths[-1], 1 / AUDIO.rate)
            starts.append((times(after[AUDIO.name])[0] - times(before[AUDIO.name])[0]) / free)
    assert windows / 400 == pytest.approx(0.7, abs=0.06)
    for found, low, high in ((lengths, 0.5, 2.5), (starts, 0, 1)):
        quartiles = (np.quantile(found, [0.25, 0.5, 0.75]) - low) / (high - low)
        assert quartiles == pytest.approx([0.25, 0.5, 0.75], abs=0.13)
    assert abs(np.corrcoef(lengths, starts)[0, 1]) < 0.3


def test_a_draw_depends_on_seed_epoch_and_clip_alone(store: Store) -> None:
    one, again, other = (dataset(store, 1.0, seed) for seed in (1, 1, 2))
    drawn = [one[k][0] for k in range(len(one))]
    for k in reversed(range(len(one))):
        assert alike(again[k][0], drawn[k])
    again.epoch = 1
    for k in range(1, len(one)):
        assert not alike(again[k][0], drawn[k]), "another stretch in the next epoch"
        assert not alike(other[k][0], drawn[k])
    later = dataset(store, 1.0, 1)
    later.epoch = 1
    assert all(alike(later[k][0], again[k][0]) for k in range(len(one)))


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toys")
    toy_store(folder, clips=32)
    return folder


@pytest.mark.parametrize(
    "model",
    [
        {"name": "audio-only"},
        {"name": "early"},
        {"name": "late"},
        {"name": "crossmodal"},
        {"name": "product"},
        {"name": "chumachenko-it"},
        {"name": "chumachenko-lt"},
        {"name": "avtca"},
        {"name": "auxformer", "width": 20, "layers": 1},
        {"name": "leader-follower", "head": "classes"},
        {"name": "rjca", "head": "classes", "width": 32},
    ],
    ids=lambda model: str(model["name"]),
)
def test_models_learn_from_short_windows_alone(toys: Path, model: dict[str, object]) -> None:
    changes = {"model": model, "epochs": 1, "augmentation": {"adjust_duration": 1.0}}
    recipe = load_recipe(toy_recipe(toys, **changes))
    out = toys / str(model["name"])
    list(train(recipe, toys / "store", out, [0]))
    (row,) = csv.DictReader((out / "fold0/log.csv").open())
    assert np.isfinite(float(row["train/loss"]))
    assert set(evaluate(out)["conditions"]) >= {"audio"}


def test_training_windows_alone_are_cut(toys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learned, judged = Learner.training_step, Learner.validation_step
    seen: dict[str, list[Tensor]] = {}

    def learn(self: Learner, batch: Batch, index: int) -> Tensor:
        seen["train"].append(batch.masks[AUDIO.name].sum(1))
        return learned(self, batch, index)

    def judge(self: Learner, batch: Batch, index: int) -> None:
        seen["development"].append(batch.masks[AUDIO.name].sum(1))
        judged(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", learn)
    monkeypatch.setattr(Learner, "validation_step", judge)
    frames, statistics = [], []
    for probability in (0.0, 1.0):
        seen |= {"train": [], "development": []}
        changes = {"epochs": 1, "augmentation": {"adjust_duration": probability}}
        out = toys / f"run-{probability}"
        ((_, path),) = train(load_recipe(toy_recipe(toys, **changes)), toys / "store", out, [0])
        frames.append({role: torch.cat(parts).tolist() for role, parts in seen.items()})
        statistics.append(read_spec(path).normalisation)
    whole, cut = frames
    assert len(whole["train"]) == len(cut["train"]) == 16
    assert all(20 <= b < a for a, b in zip(whole["train"], cut["train"], strict=True))
    assert whole["development"] == cut["development"]
    assert statistics[0] == statistics[1]


def test_what_is_known_of_speakers_is_of_their_whole_clips(tmp_path: Path) -> None:
    make(tmp_path)
    whole = read_spec(learn(tmp_path, "whole", epochs=1) / "fold0/model.safetensors")
    change = {"adjust_duration": 1.0}
    cut = learn(tmp_path, "cut", epochs=1, augmentation=change) / "fold0/model.safetensors"
    assert whole.normalisation == read_spec(cut).normalisation
