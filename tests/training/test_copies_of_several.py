"""Training on several corpora with changed copies of the recordings of some."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.melodies import STREAM, melody_corpus

from affuse.cli.main import main
from affuse.corpora.protocols.made import LEAVE_ONE_CORPUS_OUT
from affuse.corpora.registry import read_corpus
from affuse.execution.files import file_digest
from affuse.features.arrays import corpus_extractor
from affuse.features.joined import open_stores
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.media.changes.registry import Change
from affuse.training.data import ClipDataset
from affuse.training.opening import open_copy

#: Store -> its corpus, and what was changed; corpora have clips of the same names.
STORES = {
    "emovo": ("emovo", []),
    "nemo": ("nemo", []),
    "ased": ("ased", []),
    "emovo-noisy": ("emovo", ["white-noise=0"]),
    "emovo-quiet": ("emovo", ["gain=-12"]),
    "nemo-quiet": ("nemo", ["gain=-20"]),
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stores of 8 clips each, and a recipe."""
    folder = melody_corpus(
        tmp_path_factory.mktemp("several"),
        corpus="emovo+nemo",
        protocol=LEAVE_ONE_CORPUS_OUT,
    )
    corpus = read_corpus("folder", folder / "wav")
    for store, (name, changes) in STORES.items():
        extractor = corpus_extractor(corpus, STREAM, {})
        parsed = [Change.parse(text) for text in changes]
        prepare(replace(corpus, name=name), folder / store, [extractor], changes=parsed)
    return folder


def train(folder: Path, out: str, *copies: str, more: Sequence[str] = ()) -> int:
    """Train the fold that tests nEMO; the exit code."""
    alike = ["--allow", "near-audio,same-features,same-file"]
    base = ["train", str(folder / "recipe.yaml"), "--out", str(folder / out), *alike, "fold=1"]
    data = [word for name in ("emovo", "nemo") for word in ("--store", str(folder / name))]
    given = [word for name in copies for word in ("--copies", str(folder / name))]
    return main([*base, *data, *given, *more])


def drawn(folder: Path, copies: Sequence[str], epochs: int) -> Mapping[str, list[int]]:
    """Clip -> which of its versions was read how often: the store's, and that of each copy."""
    data = open_stores([folder / "emovo", folder / "nemo"])

    def target(clip: str, start: float, seconds: float) -> np.ndarray:
        return np.array(0)

    changed = [open_copy(data, folder / name) for name in copies]
    read = ClipDataset(data, data.clips, [STREAM], 1.0, target, copies=changed)
    plain = ClipDataset(data, data.clips, [STREAM], 1.0, target)
    found = {clip.id: [0] * (1 + len(copies)) for clip in data.clips}
    for index in range(len(read)):
        known = [plain[index][0][STREAM].values.mean()]
        corpus, _, clip = plain[index][2].partition("/")
        for name in copies:
            other = Store(folder / name)
            mine = other.corpus == corpus
            known.append(other.stream(STREAM)[clip].values.mean() if mine else np.inf)
        for epoch in range(epochs):
            read.epoch = epoch
            streams, _, name = read[index]
            distances = np.abs(np.array(known) - streams[STREAM].values.mean())
            found[name][int(distances.argmin())] += 1
    return found


def test_a_clip_is_read_from_all_copies_of_its_corpus_alike_and_from_no_other(stores: Path) -> None:
    copies = ["emovo-noisy", "nemo-quiet", "emovo-quiet"]
    counts = drawn(stores, copies, 60)
    mine = {
        corpus: np.sum([n for clip, n in counts.items() if clip.startswith(corpus)], 0) / 480
        for corpus in ("emovo", "nemo")
    }
    assert np.allclose(mine["emovo"], [1 / 3, 1 / 3, 0, 1 / 3], atol=0.08)
    assert np.allclose(mine["nemo"], [1 / 2, 0, 1 / 2, 0], atol=0.08)
    assert mine["emovo"][2] == mine["nemo"][1] == mine["nemo"][3] == 0


def test_a_corpus_may_have_no_copies(stores: Path) -> None:
    counts = drawn(stores, ["emovo-noisy"], 8)
    assert {tuple(n) for clip, n in counts.items() if clip.startswith("nemo")} == {(8, 0)}
    assert sum(n[1] for n in counts.values()) > 0


def test_a_run_learns_from_copies_and_goes_on_with_the_same_ones(
    stores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = ["emovo-noisy", "nemo-quiet"]
    assert train(stores, "one", *copies) == train(stores, "two", *copies) == 0
    assert train(stores, "plain") == 0
    models = [stores / run / "fold1/model.safetensors" for run in ("one", "two", "plain")]
    digests = [file_digest(path) for path in models]
    assert digests[0] == digests[1] != digests[2]
    facts = json.loads((stores / "one/run.json").read_text())
    assert facts["copies"] == [
        {"store": str(stores / "emovo-noisy"), "changes": ["emovo: white-noise=0"]},
        {"store": str(stores / "nemo-quiet"), "changes": ["nemo: gain=-20"]},
    ]
    # The copies of the corpus that is tested changed nothing; its test clips are the store's own.
    assert train(stores, "fewer", "emovo-noisy") == 0
    assert file_digest(stores / "fewer/fold1/model.safetensors") == digests[0]

    models[1].unlink()
    assert train(stores, "two", *copies, more=["--resume"]) == 0
    assert file_digest(models[1]) == digests[0]
    assert train(stores, "two", *copies[:1], more=["--resume"]) == 2
    assert "was begun with other copies" in capsys.readouterr().err


def test_a_copy_of_another_corpus_is_refused(
    stores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(stores, "no", "emovo-noisy", "ased") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("ased: is a store of ased, not of emovo+nemo")
    assert train(stores, "no", "nemo") == 2
    assert "nemo: is a store of recordings as they are" in capsys.readouterr().err
    assert not (stores / "no/run.json").exists()
