"""Windows of people of whom nothing is known, in the training of models that know people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation.test_known_speakers import VOICE, learn, make, speakers_of

from affuse.features.store import Store
from affuse.models.modelfile import load_model
from affuse.training.data import ClipDataset


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of people who differ, and a run `known`; not to write."""
    folder = tmp_path_factory.mktemp("people")
    make(folder)
    learn(folder, "known", epochs=1)
    return folder


def windows(people: Path, strangers: float, known: bool = True, epoch: int = 0) -> ClipDataset:
    """The training windows of the run `known`, of some of which nobody is known."""
    run, data = people / "known", Store(people / "store")
    learned = {*json.loads((run / "fold0/split.json").read_text())["train"]}
    clips = [clip for clip in data.clips if clip.id in learned]
    found = ClipDataset(data, clips, [VOICE.name], 1.0, lambda *_: np.zeros(2))
    found.speakers = speakers_of(data, run, "all") if known else None
    found.strangers, found.epoch = strangers, epoch
    return found


def values_of(dataset: ClipDataset) -> dict[str, np.ndarray]:
    samples = [dataset[k] for k in range(len(dataset))]
    return {clip: window[VOICE.name].values for window, _, clip in samples}


def test_strangers_are_windows_of_whose_speakers_nothing_is_known(people: Path) -> None:
    nobody = values_of(windows(people, 0, known=False))
    everybody = values_of(windows(people, 0))
    assert all((nobody[clip] != everybody[clip]).any() for clip in nobody)
    for share, expected in ((0.0, everybody), (1.0, nobody)):
        found = values_of(windows(people, share))
        assert all((found[clip] == expected[clip]).all() for clip in expected)
    drawn = []
    for epoch in range(8):
        found = values_of(windows(people, 0.25, epoch=epoch))
        drawn.append({clip for clip in found if (found[clip] == nobody[clip]).all()})
        assert all((found[c] == everybody[c]).all() for c in found.keys() - drawn[-1])
        again = values_of(windows(people, 0.25, epoch=epoch))
        assert all((found[clip] == again[clip]).all() for clip in found)
    assert sum(map(len, drawn)) / (8 * len(nobody)) == pytest.approx(0.25, abs=0.06)
    assert len({frozenset(clips) for clips in drawn}) == 8, "others in every epoch"


def weights(run: Path) -> dict[str, np.ndarray]:
    model, _ = load_model(run / "fold0/model.safetensors")
    return {name: x.numpy() for name, x in model.state_dict().items()}


def test_with_strangers_alone_it_does_not_matter_how_well_people_are_known(people: Path) -> None:
    def learned(name: str, **changes: Any) -> dict[str, np.ndarray]:
        return weights(learn(people, name, epochs=2, selection="last", **changes))

    usual = learned("usual")
    none = learned("none", strangers=0.0)
    alone = learned("alone", strangers=1.0)
    barely = learned("barely", strangers=1.0, shrinkage=100.0)
    some = learned("some", strangers=0.5)
    for name in usual:
        np.testing.assert_array_equal(usual[name], none[name])
        np.testing.assert_array_equal(alone[name], barely[name])
    for one, other in ((usual, alone), (usual, some), (some, alone)):
        assert any((one[name] != other[name]).any() for name in one)
