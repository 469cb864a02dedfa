"""The three fusions: what the quirks of the published system are, and what is done without them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from affuse.features.batch import Batch
from affuse.models.registry import create_model
from affuse.models.systems.chumachenko.model import Chumachenko
from affuse.verification.contracts.model import FACES224, MFCC, OPENFACE, random_batch, settle

SMALL = {s.name: s for s in (MFCC, OPENFACE)}
VARIANTS = ("chumachenko-lt", "chumachenko-it", "chumachenko-ia")
# Published sizes with 8 classes (parity cases).
PARAMETERS = {
    "chumachenko-lt": 2_045_550,
    "chumachenko-it": 1_938_414,
    "chumachenko-ia": 1_854_766,
}


def small(name: str, batch: Batch, **options: Any) -> Chumachenko:
    torch.manual_seed(0)
    model = create_model(name, SMALL, 8, **options)
    assert isinstance(model, Chumachenko)
    settle(model, batch)
    return model


@pytest.fixture
def batch() -> Batch:
    return random_batch(SMALL, {MFCC.name: [40, 30], OPENFACE.name: [9, 5]}, seed=0)


def pad(batch: Batch, frames: int) -> Batch:
    streams = {n: torch.cat((x, x.new_zeros(2, frames, *x.shape[2:])), 1) for n, x in
               batch.streams.items()}  # fmt: skip
    masks = {n: torch.cat((m, m.new_zeros(2, frames)), 1) for n, m in batch.masks.items()}
    return Batch(streams, masks)


@pytest.mark.parametrize("name", VARIANTS)
def test_published_size(name: str) -> None:
    streams = {s.name: s for s in (MFCC, FACES224)}
    options = create_options(name)
    with torch.device("meta"):
        model = create_model(name, streams, 8, **options, heads=4)
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]


def create_options(name: str) -> dict[str, Any]:
    from affuse.models.registry import MODELS

    build = MODELS[name].load()
    assert issubclass(build, Chumachenko)
    return build.published_options()


@pytest.mark.parametrize("name", VARIANTS)
def test_reference_masking_counts_padding_as_zeros(name: str, batch: Batch) -> None:
    sound, reference = small(name, batch), small(name, batch, masking="published")
    difference = (sound(pad(batch, 7)).logits - sound(batch).logits).abs().max()
    assert difference < 1e-5
    assert (reference(pad(batch, 7)).logits - reference(batch).logits).abs().max() > 1e-3


@pytest.mark.parametrize("name", VARIANTS)
def test_masking_makes_no_difference_where_everything_is_present(name: str) -> None:
    batch = random_batch(SMALL, {MFCC.name: [40, 40], OPENFACE.name: [9, 9]}, seed=0)
    sound, reference = small(name, batch), small(name, batch, masking="published")
    torch.testing.assert_close(sound(batch).logits, reference(batch).logits)


@pytest.mark.parametrize("name", VARIANTS)
def test_without_video_the_score_is_that_of_audio_alone(name: str, batch: Batch) -> None:
    model = small(name, batch)
    seen = model(batch.without("video")).logits
    halves = model.classifier.weight[:, model.audio.channels[1] :]
    with torch.no_grad():
        halves.zero_()
    torch.testing.assert_close(model(batch.without("video")).logits, seen)


def test_published_late_transformer_says_nothing_about_a_modality_without_a_partner(
    batch: Batch,
) -> None:
    published = small("chumachenko-lt", batch, query_residual=False)
    logits = published(batch.without("video")).logits
    torch.testing.assert_close(logits[0], logits[1])
    sound = small("chumachenko-lt", batch)(batch.without("video")).logits
    assert (sound[0] - sound[1]).abs().max() > 1e-3


@pytest.mark.parametrize(("normalise", "audio", "video"), [(True, 1, 1), (False, 0.1, 10)])
def test_mean_weight_of_intermediate_attention(normalise: bool, audio: float, video: float) -> None:
    batch = random_batch(SMALL, {MFCC.name: [156, 156], OPENFACE.name: [15, 15]}, seed=0)
    model = small("chumachenko-ia", batch, normalise_weights=normalise)
    ones = (torch.ones(2, 150, 128), torch.ones(2, 150).bool())
    few = (torch.ones(2, 15, 64), torch.ones(2, 15).bool())
    model.to_audio.q.weight.data.normal_()
    heard, seen = model.fuse_between(*ones, *few)
    assert heard.mean().item() == pytest.approx(audio, rel=1e-5)
    assert seen.mean().item() == pytest.approx(video, rel=1e-5)


def test_intermediate_attention_leaves_a_lone_modality_as_it_is(batch: Batch) -> None:
    model = small("chumachenko-ia", batch)
    x, mask = torch.randn(1, 20, 128), torch.ones(1, 20).bool()
    heard, _ = model.fuse_between(x, mask, torch.zeros(1, 5, 64), torch.zeros(1, 5).bool())
    torch.testing.assert_close(heard, x)


def test_heads_change_the_result_but_no_weight(batch: Batch) -> None:
    one, four = (small("chumachenko-it", batch, heads=heads) for heads in (1, 4))
    four.load_state_dict(one.state_dict())
    assert (one(batch).logits - four(batch).logits).abs().max() > 1e-4
