"""What every registered model keeps; inherited by one test class per model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from affuse.features.batch import Batch, Normalisation
from affuse.features.stream import StreamSpec
from affuse.models.base import Model, Output
from affuse.models.modelfile import ModelSpec, load_model, save_model
from affuse.models.registry import MODELS, create_model

CLASSES = 4
MFCC = StreamSpec("audio/mfcc10", 43.066, (10,))
OPENFACE = StreamSpec("video/openface", 25.0, (12,))
FACES224 = StreamSpec("video/faces224", 15 / 3.6, (224, 224, 3), "uint8")


def random_batch(streams: dict[str, StreamSpec], lengths: dict[str, list[int]], seed: int) -> Batch:
    """A normalised batch; row b of a stream is present up to its length."""
    generator = torch.Generator().manual_seed(seed)
    values, masks = {}, {}
    for name, spec in streams.items():
        rows = torch.tensor(lengths[name])
        mask = torch.arange(int(rows.max())) < rows.unsqueeze(1)
        shape = (3, *spec.shape[:2]) if spec.is_picture else spec.shape
        x = torch.randn(*mask.shape, *shape, generator=generator)
        values[name] = x * mask.reshape(*mask.shape, *[1] * len(shape))
        masks[name] = mask
    return Batch(values, masks)


def pick(batch: Batch, rows: list[int]) -> Batch:
    """Some rows of a batch, without the frames that are absent in all of them."""
    values, masks = {}, {}
    for name, mask in batch.masks.items():
        length = max(1, int(mask[rows].sum(1).max()))
        values[name] = batch.streams[name][rows][:, :length]
        masks[name] = mask[rows][:, :length]
    return Batch(values, masks)


def with_holes(batch: Batch, seed: int) -> Batch:
    """The batch with about a third of the frames absent."""
    generator = torch.Generator().manual_seed(seed)
    values, masks = {}, {}
    for name, mask in batch.masks.items():
        masks[name] = mask & (torch.rand(mask.shape, generator=generator) > 1 / 3)
        x = batch.streams[name]
        values[name] = x * masks[name].reshape(*mask.shape, *[1] * (x.ndim - 2))
    return Batch(values, masks)


def settle(model: Model, batch: Batch) -> Model:
    """Give batch normalisation the statistics of a batch, so that signals neither die nor grow."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(batch)
    for norm in norms:
        norm.momentum = 0.1
    return model.eval()


def tensors(output: Output) -> list[torch.Tensor]:
    """All class scores of an output."""
    return [output.logits, *output.auxiliary.values()]


def gradients_are_finite(model: Model, batch: Batch) -> bool:
    model.zero_grad()
    sum(x.float().sum() for x in tensors(model(batch))).backward()
    return all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters())


class ModelContract:
    """Subclasses name a model, and the streams it is tested on where these do not suit it."""

    name: ClassVar[str]
    streams: ClassVar[dict[str, StreamSpec]] = {s.name: s for s in (MFCC, OPENFACE)}
    options: ClassVar[dict[str, Any]] = {}
    lengths: ClassVar[dict[str, list[int]]] = {MFCC.name: [40, 31, 22], OPENFACE.name: [5, 9, 7]}
    overfits_in: ClassVar[int] = 60  # steps
    examples: ClassVar[int] = 12  # random batches
    unused: ClassVar[tuple[str, ...]] = ()  # prefixes of parameters that may have no effect
    learning_rate: ClassVar[float] = 1e-2

    def build(self, seed: int = 0) -> Model:
        torch.manual_seed(seed)
        return create_model(self.name, self.streams, CLASSES, **self.options)

    @pytest.fixture
    def model(self, batch: Batch) -> Model:
        return settle(self.build(), batch)

    @pytest.fixture
    def batch(self) -> Batch:
        return random_batch(self.streams, self.lengths, seed=1)

    def used(self, model: Model) -> dict[str, StreamSpec]:
        return {name: self.streams[name] for name in model.streams}

    def test_scores_have_one_column_per_class(self, model: Model, batch: Batch) -> None:
        for x in tensors(model(batch)):
            assert x.shape == (len(batch), CLASSES)
            assert x.isfinite().all()

    def test_scores_depend_on_every_clip(self, model: Model, batch: Batch) -> None:
        logits = model(batch).logits
        assert (logits[0] - logits[1]).abs().max() > 1e-6

    def test_permuted_batch(self, model: Model, batch: Batch) -> None:
        order = [2, 0, 1]
        permuted = model(pick(batch, order))
        for ours, theirs in zip(tensors(model(batch)), tensors(permuted), strict=True):
            torch.testing.assert_close(ours[order], theirs, rtol=1e-5, atol=1e-5)

    def test_alone_is_the_same_as_padded(self, model: Model) -> None:
        shortest = dict.fromkeys(self.streams, 1)
        longest = {name: max(rows) for name, rows in self.lengths.items()}

        @settings(max_examples=self.examples, deadline=None)
        @given(st.data())
        def check(data: st.DataObject) -> None:
            lengths = {
                name: [data.draw(st.integers(shortest[name], longest[name])) for _ in range(2)]
                for name in self.streams
            }
            batch = random_batch(self.streams, lengths, data.draw(st.integers(0, 99)))
            together = tensors(model(batch))
            for row in range(2):
                alone = tensors(model(pick(batch, [row])))
                for ours, theirs in zip(together, alone, strict=True):
                    torch.testing.assert_close(ours[row], theirs[0], rtol=1e-5, atol=1e-5)

        with torch.no_grad():
            check()

    @pytest.mark.parametrize("gone", ["audio", "video", "both", "in part"])
    def test_absence_gives_finite_scores_and_gradients(self, batch: Batch, gone: str) -> None:
        if gone == "in part":
            batch = with_holes(batch, seed=2)
        else:
            for modality in ("audio", "video") if gone == "both" else (gone,):
                batch = batch.without(modality)
        model = self.build()
        for mode in (True, False):
            model.train(mode)
            assert all(x.isfinite().all() for x in tensors(model(batch)))
            assert gradients_are_finite(model, batch)

    def test_the_modality_that_is_left_decides(self, model: Model, batch: Batch) -> None:
        modalities = {spec.modality for spec in model.streams.values()}
        for modality in modalities if len(modalities) > 1 else ():
            logits = model(batch.without(modality)).logits
            assert (logits[0] - logits[1]).abs().max() > 1e-6, modality

    def test_training_on_one_frame_of_one_clip(self) -> None:
        model = self.build().train()
        batch = random_batch(self.streams, {name: [1] for name in self.streams}, seed=3)
        assert model(batch).logits.isfinite().all()
        assert gradients_are_finite(model, batch)

    def test_same_seed_same_training_step(self, batch: Batch) -> None:
        def step() -> torch.Tensor:
            model = self.build(seed=5).train()
            optimiser = torch.optim.SGD(model.parameters(), 0.01)
            F.cross_entropy(model(batch).logits, torch.tensor([0, 1, 2])).backward()
            optimiser.step()
            return model.eval()(batch).logits

        assert torch.equal(step(), step())

    def test_saved_and_loaded(self, model: Model, batch: Batch, tmp_path: Path) -> None:
        spec = ModelSpec(
            model=self.name,
            options=self.options,
            streams=self.used(model),
            normalisation={name: Normalisation((1.0,), (2.0,)) for name in model.streams},
            classes=list("abcd"),
            window=3.6,
            training={"data": "none", "fold": 0},
        )
        first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
        save_model(first, model, spec)
        loaded, read = load_model(first)
        assert read == spec
        assert not loaded.training
        for ours, theirs in zip(tensors(model(batch)), tensors(loaded(batch)), strict=True):
            assert torch.equal(ours, theirs)
        save_model(second, loaded, read)
        assert first.read_bytes() == second.read_bytes()

    def test_every_parameter_has_an_effect(self, model: Model, batch: Batch) -> None:
        batches = [batch, *(batch.without(modality) for modality in ("audio", "video"))]
        torch.manual_seed(0)
        loss = sum((x * torch.randn_like(x)).sum() for b in batches for x in tensors(model(b)))
        loss.backward()
        dead = {
            name
            for name, p in model.named_parameters()
            if p.grad is None or not p.grad.abs().max() > 0
        }
        assert {name for name in dead if not name.startswith(self.unused or "-")} == set()
        assert not self.unused or dead, "named as unused, but everything has an effect"

    def test_bfloat16_autocast_is_close(self, model: Model, batch: Batch) -> None:
        with torch.no_grad():
            exact = model(batch).logits
            with torch.autocast("cpu", torch.bfloat16):
                rough = model(batch).logits.float()
        assert (rough - exact).abs().max() < 0.05 * max(1.0, float(exact.abs().max()))

    def test_bfloat16_autocast_trains(self, batch: Batch) -> None:
        model = self.build().train()
        with torch.autocast("cpu", torch.bfloat16):
            assert gradients_are_finite(model, with_holes(batch, seed=4))

    def test_overfits_one_batch(self, batch: Batch) -> None:
        model = self.build().train()
        optimiser = torch.optim.Adam(model.parameters(), self.learning_rate)
        targets = torch.tensor([0, 1, 2])
        for _ in range(self.overfits_in):
            optimiser.zero_grad()
            loss = F.cross_entropy(model(batch).logits, targets)
            loss.backward()
            optimiser.step()
        assert settle(model, batch)(batch).logits.argmax(1).equal(targets)


def covered(base: type[ModelContract] = ModelContract) -> set[str]:
    """Names of the models that have a test class."""
    names = {base.name} if hasattr(base, "name") else set()
    return names.union(*(covered(child) for child in base.__subclasses__()))


def uncovered() -> set[str]:
    """Registered models without a test class."""
    return set(MODELS) - covered()
