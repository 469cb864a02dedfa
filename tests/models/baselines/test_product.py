"""The product of experts: what streams say multiplied, scores of other models calibrated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.metrics.temperature import best_temperature
from affuse.models.baselines.product import Product
from affuse.models.modelfile import load_model
from affuse.models.registry import create_model
from affuse.verification.contracts.model import MFCC, OPENFACE, random_batch
from tests.commands import run
from tests.scored import CLASSES, logits, scored_clips, scored_store, write_scores

RECIPE = {"classes": list("abcd")}
SPECS = {
    name: StreamSpec(name, 0.0, (4,), recipe=RECIPE, kind="scores")
    for name in ("audio/scores-a", "video/scores-b", "video/scores-c")
}
STREAMS = SPECS | {spec.name: spec for spec in (MFCC, OPENFACE)}
LENGTHS = {name: [1, 1, 1] for name in SPECS} | {MFCC.name: [40, 31, 22], OPENFACE.name: [5, 9, 7]}


@pytest.fixture
def batch() -> Batch:
    return random_batch(STREAMS, LENGTHS, seed=0)


def product(**options: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    return create_model("product", STREAMS, 4, **options).eval()


def test_probabilities_are_multiplied_and_the_prior_is_counted_once(batch: Batch) -> None:
    prior = [0.4, 0.3, 0.2, 0.1]
    output = product(prior=prior)(batch)
    assert list(output.auxiliary) == list(STREAMS)
    expected = torch.stack([x.exp() for x in output.auxiliary.values()]).prod(0)
    expected = expected / torch.tensor(prior) ** (len(STREAMS) - 1)
    torch.testing.assert_close(output.logits.exp(), expected / expected.sum(1, keepdim=True))


def test_scores_begin_as_they_are(batch: Batch) -> None:
    said = product()(batch).auxiliary["video/scores-c"]
    torch.testing.assert_close(said, batch.streams["video/scores-c"][:, 0].log_softmax(1))


def test_a_modality_that_is_absent_drops_out(batch: Batch) -> None:
    model = product()
    alone = model(batch.without("video"))
    heard = [x for name, x in alone.auxiliary.items() if name.startswith("audio")]
    torch.testing.assert_close(alone.logits, sum(heard).log_softmax(1))
    nothing = product(prior=[4, 3, 2, 1])(batch.without("audio").without("video"))
    torch.testing.assert_close(nothing.logits.exp(), torch.tensor([[0.4, 0.3, 0.2, 0.1]] * 3))


def test_one_absent_stream_drops_out_for_its_clip_alone(batch: Batch) -> None:
    model, name = product(), "video/scores-b"
    before = model(batch)
    batch.masks[name][1], batch.streams[name][1] = False, 0.0
    after = model(batch)
    assert torch.equal(before.logits[[0, 2]], after.logits[[0, 2]])
    left = [x[1] for one, x in before.auxiliary.items() if one != name]
    torch.testing.assert_close(after.logits[1], sum(left).log_softmax(0))


def test_any_model_of_decisions_calibrates_scores(batch: Batch) -> None:
    model = create_model("late", {n: STREAMS[n] for n in list(SPECS)[:2]}, 4)
    assert sum(p.numel() for p in model.parameters()) == 2
    alone = create_model("audio-only", SPECS, 4)
    torch.testing.assert_close(alone(batch).logits, batch.streams["audio/scores-a"][:, 0])


@pytest.mark.parametrize(
    ("options", "outputs", "expected"),
    [
        ({"head": "frames"}, 4, "has no head 'frames'"),
        ({"prior": [1, 2]}, 4, "prior must hold 4 positive numbers"),
        ({"frontends": {"audio/mfcc": "dense"}}, 4, "no stream named 'audio/mfcc'; did you mean"),
        ({}, 5, "audio/scores-a scores 4 classes, not 5"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], outputs: int, expected: str) -> None:
    with pytest.raises(AffuseError, match=expected):
        create_model("product", STREAMS, outputs, **options)


def test_a_front_end_can_read_scores_as_features(batch: Batch) -> None:
    model = product(frontends={"video/scores-b": {"name": "dense", "width": 3}})
    assert model.experts[1].classifier.weight.shape == (4, 3)


def scores(folder: Path, *changes: str) -> dict[str, Any]:
    """Of the test clips of the generated table, by condition."""
    words = ("train", folder / "recipe.yaml", *changes, "--store", folder / "store")
    assert run(*words, "--out", folder / "run") == 0
    assert run("evaluate", folder / "run", "--conditions", "av", "audio", "video") == 0
    return json.loads((folder / "run/evaluation/metrics.json").read_text())["conditions"]


def test_the_calibrated_product_beats_either_model(tmp_path: Path) -> None:
    clips = scored_clips()
    scored_store(tmp_path, clips, write_scores(tmp_path / "t.csv", clips))
    found = scores(tmp_path)
    assert found["av"]["accuracy"] > 0.15 + max(found[k]["accuracy"] for k in ("audio", "video"))
    trained = [c for c in clips if int(str(c.speaker)[1:]) % 4 != 0]
    model, _ = load_model(tmp_path / "run/fold0/model.safetensors")
    true = np.array([CLASSES.index(str(clip.label)) for clip in trained])
    for k in (0, 1):
        given = np.array([logits(clip)[k] for clip in trained])
        best = best_temperature(given, true, lambda x: torch.from_numpy(x).log_softmax(1).numpy())
        assert best > 1.5, "too sure of itself"
        learned = model.experts[k].classifier.logarithm.exp().item()
        assert learned == pytest.approx(best, rel=0.1)


@pytest.mark.slow
def test_classes_in_another_order_are_told_by_name_and_cost_by_number(tmp_path: Path) -> None:
    clips = scored_clips()
    found = {}
    for name, columns in (
        ("right", CLASSES),
        ("numbered", tuple("0123")),
        ("permuted", tuple("1032")),
    ):
        folder = tmp_path / name
        folder.mkdir()
        scored_store(folder, clips, write_scores(folder / "t.csv", clips, columns))
        found[name] = scores(folder, "epochs=1", "fold=0")["av"]["accuracy"]
    assert found["numbered"] == found["right"] > found["permuted"] + 0.3


def test_clips_without_scores_have_the_modality_absent(tmp_path: Path) -> None:
    clips = scored_clips()
    part = write_scores(tmp_path / "t.csv", clips[:120])
    scored_store(tmp_path, clips, part)
    counted = scores(tmp_path, "epochs=1", "fold=0")["av"]["clips"]
    assert counted == sum(int(str(c.speaker)[1:]) % 4 == 0 for c in clips[:120])


LEVEL = StreamSpec("audio/level", 20.0, (1,))
WEIGHED = {MFCC.name: MFCC, OPENFACE.name: OPENFACE, LEVEL.name: LEVEL}


def weighed(**options: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    return create_model("product", WEIGHED, 4, reliability=["audio/level"], **options).eval()


def test_reliability_says_nothing_of_the_class_and_weighs_nothing_at_first() -> None:
    lengths = {MFCC.name: [40, 31], OPENFACE.name: [5, 9], LEVEL.name: [20, 20]}
    batch = random_batch(WEIGHED, lengths, seed=0)
    output = weighed()(batch)
    assert list(output.auxiliary) == [MFCC.name, OPENFACE.name]
    torch.testing.assert_close(output.logits, sum(output.auxiliary.values()).log_softmax(1))


def test_a_modality_is_weighed_by_its_own_reliability_alone() -> None:
    lengths = {MFCC.name: [40], OPENFACE.name: [9], LEVEL.name: [20]}
    batch = random_batch(WEIGHED, lengths, seed=0)
    model, level = weighed(), batch.streams[LEVEL.name].sign()
    assert isinstance(model, Product) and model.weights is not None
    voice, face = model.weights
    with torch.no_grad():
        voice.weigh.bias.fill_(-4.0)
        voice.weigh.weight[0, -1] = 8.0  # of the deviation of the level
        face.weigh.weight[0, 0] = 1.0  # of the seconds with a face
    for loudness, expected in ((0.0, 2 * torch.sigmoid(torch.tensor(-4.0))), (10.0, 2.0)):
        batch.streams[LEVEL.name] = level * loudness
        said = model(batch)
        heard, seen = said.auxiliary[MFCC.name], said.auxiliary[OPENFACE.name]
        seconds = batch.masks[OPENFACE.name].sum() / OPENFACE.rate
        joined = (expected * heard + 2 * seconds.sigmoid() * seen).log_softmax(1)
        torch.testing.assert_close(said.logits, joined, atol=0.02, rtol=0)


def test_fusion_learns_to_doubt_what_is_noisy() -> None:
    """The voice is right where its level varies and wrong where it is steady; the face is right in
    seven of ten."""
    torch.manual_seed(0)
    count, classes = 256, 4
    truth = torch.randint(classes, (count,))
    clear = torch.rand(count) < 0.5
    wrong = (truth + 1 + torch.randint(classes - 1, (count,))) % classes
    specs = {n: SPECS[n] for n in ("audio/scores-a", "video/scores-b")} | {LEVEL.name: LEVEL}
    said = torch.where(clear, truth, wrong)
    shown = torch.where(torch.rand(count) < 0.7, truth, wrong)
    level = torch.randn(count, 20, 1) * torch.where(clear, 2.0, 0.2)[:, None, None]
    streams = {
        "audio/scores-a": 4.0 * torch.nn.functional.one_hot(said, classes)[:, None].float(),
        "video/scores-b": 2.0 * torch.nn.functional.one_hot(shown, classes)[:, None].float(),
        LEVEL.name: level,
    }
    masks = {name: torch.ones(x.shape[:2], dtype=torch.bool) for name, x in streams.items()}
    batch = Batch(streams, masks, truth)
    rights = []
    for reliability in ([], [LEVEL.name]):
        chosen = specs if reliability else {n: s for n, s in specs.items() if n != LEVEL.name}
        model = create_model("product", chosen, classes, reliability=reliability)
        optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
        for _ in range(100):
            loss = torch.nn.functional.cross_entropy(model(batch).logits, truth)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        rights.append((model(batch).logits.argmax(1) == truth).float().mean().item())
    assert rights[0] < 0.8 and rights[1] > 0.83
