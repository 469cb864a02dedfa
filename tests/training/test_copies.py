"""Training on changed copies of the recordings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.melodies import STREAM, melody_corpus, prepare_melodies, train_melodies

from affuse.execution.files import file_digest
from affuse.features.store import Store
from affuse.training.data import ClipDataset


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stores `plain`, `noisy` and `quiet` of 8 clips, and a recipe."""
    folder = melody_corpus(tmp_path_factory.mktemp("copies"))
    prepare_melodies(folder, "noisy", "white-noise=0")
    prepare_melodies(folder, "quiet", "gain=-12")
    return folder


def dataset(folder: Path, copies: Sequence[str], seed: int = 0) -> ClipDataset:
    store = Store(folder / "plain")

    def target(clip: str, start: float, seconds: float) -> np.ndarray:
        return np.array(0)

    others = [Store(folder / name) for name in copies]
    return ClipDataset(store, store.clips, [STREAM], 1.0, target, seed=seed, copies=others)


def test_every_epoch_draws_a_version_of_each_clip(stores: Path) -> None:
    data = dataset(stores, ["noisy", "quiet"])
    versions = [Store(stores / name).stream(STREAM) for name in ("plain", "noisy", "quiet")]
    counts = np.zeros(3, int)
    for epoch in range(60):
        data.epoch = epoch
        for index in range(len(data)):
            streams, _, clip = data[index]
            loud = float(streams[STREAM].values.mean())
            means = np.array([v[clip].values.mean() for v in versions])
            counts[np.abs(means - loud).argmin()] += 1
    assert counts.sum() == 480 and (np.abs(counts / 480 - 1 / 3) < 0.08).all()


def test_what_is_drawn_depends_on_seed_and_epoch_alone(stores: Path) -> None:
    one, again, other = (dataset(stores, ["noisy"], seed) for seed in (1, 1, 2))
    order = np.random.default_rng(0).permutation(len(one))
    drawn = [one[index][0][STREAM].values for index in range(len(one))]
    for index in order:
        np.testing.assert_array_equal(again[index][0][STREAM].values, drawn[index])
    assert any(not np.array_equal(other[k][0][STREAM].values, drawn[k]) for k in range(len(other)))


def test_a_run_says_what_it_learned_from(stores: Path) -> None:
    copies = ["--copies", str(stores / "noisy"), str(stores / "quiet")]
    assert train_melodies(stores, "one", *copies) == train_melodies(stores, "two", *copies) == 0
    assert train_melodies(stores, "plain-run") == 0
    digests = [file_digest(stores / f"{run}/fold0/model.safetensors") for run in ("one", "two")]
    assert digests[0] == digests[1] != file_digest(stores / "plain-run/fold0/model.safetensors")
    facts = json.loads((stores / "one/run.json").read_text())
    assert [copy["changes"] for copy in facts["copies"]] == [["white-noise=0"], ["gain=-12"]]
    assert "copies" not in json.loads((stores / "plain-run/run.json").read_text())


def test_a_run_goes_on_with_the_same_copies(
    stores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_melodies(stores, "on", "--copies", str(stores / "noisy")) == 0
    assert train_melodies(stores, "on", "--resume", "--copies", str(stores / "quiet")) == 2
    assert "was begun with other copies" in capsys.readouterr().err


def test_copies_are_changed_recordings(stores: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train_melodies(stores, "no", "--copies", str(stores / "plain")) == 2
    assert "is a store of recordings as they are" in capsys.readouterr().err
