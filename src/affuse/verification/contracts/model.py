"""What every model keeps; inherited by one test class per model."""

from __future__ import annotations

import copy
from dataclasses import replace
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
from affuse.models.base import Head, Model, Output
from affuse.models.modelfile import ModelSpec, load_model, save_model
from affuse.models.registry import create_model

CLASSES = 4
#: Of a training step in float32, relative to the gradient in float64.
GRADIENT_ERROR = 0.02
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
    """Some rows of a batch, without the frames after the last one that is present in any."""
    values, masks = {}, {}
    for name, mask in batch.masks.items():
        present = mask[rows].any(0).nonzero()
        length = int(present.max()) + 1 if len(present) else 1
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


def without_in_row(batch: Batch, modality: str, row: int) -> Batch:
    """The batch with a modality absent in one clip."""
    gone = batch.without(modality)
    values = {name: x.clone() for name, x in batch.streams.items()}
    masks = {name: mask.clone() for name, mask in batch.masks.items()}
    for name in batch.streams:
        values[name][row], masks[name][row] = gone.streams[name][row], gone.masks[name][row]
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
    """All scores of an output."""
    return [output.scores, *output.auxiliary.values()]


def clip_rows(output: Output, row: int) -> list[torch.Tensor]:
    """All scores of one clip, of values those that rest on something."""
    if output.mask is None:
        return [x[row] for x in tensors(output)]
    return [x[row][output.mask[row]] for x in tensors(output)]


def learning_loss(output: Output) -> torch.Tensor:
    """Three classes in turn; or one of three values for each clip."""
    turn = torch.arange(len(output.scores), device=output.scores.device) % 3
    if output.mask is None:
        return F.cross_entropy(output.logits, turn)
    return (output.values - (turn - 1.0)[:, None, None])[output.mask].square().mean()


def training_gradient(model: Model, batch: Batch, dtype: torch.dtype) -> torch.Tensor:
    """The gradient of one step in training, all parameters in a row, float64.

    What dropout drops depends on the seed and not on the type.
    """
    model = copy.deepcopy(model).to(dtype).train()
    batch = replace(batch, streams={name: x.to(dtype) for name, x in batch.streams.items()})
    torch.manual_seed(7)
    learning_loss(model(batch)).backward()
    parts = [p.grad for p in model.parameters() if p.grad is not None]
    return torch.cat([part.flatten().double() for part in parts])


def learned(output: Output) -> bool:
    """Whether every clip is nearest to its own class or value."""
    if output.mask is None:
        return output.logits.argmax(1).tolist() == [0, 1, 2]
    means = [x[m].mean() for x, m in zip(output.values, output.mask, strict=True)]
    return means == sorted(means) and means[2] - means[0] > 0.5


def gradients_are_finite(model: Model, batch: Batch) -> bool:
    model.zero_grad()
    torch.stack([x.float().sum() for x in tensors(model(batch))]).sum().backward()
    return all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters())


class ModelContract:
    """Subclasses name a model, and the streams it is tested on where these do not suit it.

    Attributes:
        name: Of the model.
        streams: What it is built for.
        options: What it is built with.
        lengths: Frames of three clips, by stream.
        learned_lengths: The same where gradients need more frames.
        batch_size: Clips of a batch, as published.
        overfits_in: Steps in which it learns three clips by heart.
        examples: Random batches that are tried.
        unused: Prefixes of parameters that may have no effect.
        learning_rate: Of these steps.
        heads: What it can end in; the first is the main one.
    """

    name: ClassVar[str]
    streams: ClassVar[dict[str, StreamSpec]] = {s.name: s for s in (MFCC, OPENFACE)}
    options: ClassVar[dict[str, Any]] = {}
    lengths: ClassVar[dict[str, list[int]]] = {MFCC.name: [40, 31, 22], OPENFACE.name: [5, 9, 7]}
    learned_lengths: ClassVar[dict[str, list[int]]] = {}
    batch_size: ClassVar[int] = 8
    overfits_in: ClassVar[int] = 60
    examples: ClassVar[int] = 12
    unused: ClassVar[tuple[str, ...]] = ()
    learning_rate: ClassVar[float] = 1e-2
    heads: ClassVar[tuple[Head, ...]] = ("classes", "frames")

    def build(self, seed: int = 0, head: Head | None = None) -> Model:
        torch.manual_seed(seed)
        chosen = self.options | {"head": head or self.heads[0]}
        return create_model(self.name, self.streams, CLASSES, **chosen)

    @pytest.fixture
    def model(self, batch: Batch) -> Model:
        return settle(self.build(), batch)

    @pytest.fixture
    def batch(self) -> Batch:
        return random_batch(self.streams, self.lengths, seed=1)

    def used(self, model: Model) -> dict[str, StreamSpec]:
        return {name: self.streams[name] for name in model.streams}

    def test_shape_of_every_head(self, batch: Batch) -> None:
        for head in self.heads:
            model = settle(self.build(head=head), batch)
            output = model(batch)
            columns = output.scores.shape[-1]
            assert columns == model.outputs
            leading = batch.masks[model.leader.name].shape[1]
            rows = output.scores.shape[1]
            shapes = {
                "classes": (3, columns),
                "frames": (3, rows, columns),
            }
            assert all(x.shape == shapes[head] and x.isfinite().all() for x in tensors(output))
            if head == "classes":
                assert output.mask is None
            else:
                assert output.mask is not None and output.mask.shape == shapes[head][:2]
                assert output.mask.any(1).all()
                assert rows >= leading

    def test_scores_depend_on_every_clip(self, model: Model, batch: Batch) -> None:
        first, second = (x[:1] for x in (clip_rows(model(batch), row)[0] for row in (0, 1)))
        assert (first - second).abs().max() > 1e-6

    def test_permuted_batch(self, model: Model, batch: Batch) -> None:
        order = [2, 0, 1]
        permuted = model(pick(batch, order))
        for ours, theirs in zip(tensors(model(batch)), tensors(permuted), strict=True):
            torch.testing.assert_close(ours[order], theirs, rtol=1e-5, atol=1e-5)

    def test_alone_is_the_same_as_padded(self, batch: Batch) -> None:
        shortest = dict.fromkeys(self.streams, 1)
        longest = {name: max(rows) for name, rows in self.lengths.items()}
        models = [settle(self.build(head=head), batch) for head in self.heads]

        @settings(max_examples=self.examples, deadline=None)
        @given(st.data())
        def check(data: st.DataObject) -> None:
            lengths = {
                name: [data.draw(st.integers(shortest[name], longest[name])) for _ in range(2)]
                for name in self.streams
            }
            batch = random_batch(self.streams, lengths, data.draw(st.integers(0, 99)))
            for modality in data.draw(st.sampled_from(((), ("audio",), ("video",)))):
                batch = without_in_row(batch, modality, row=0)
            if data.draw(st.booleans()):
                batch = with_holes(batch, seed=1)
            for model in models:
                together = model(batch)
                for row in range(2):
                    alone = clip_rows(model(pick(batch, [row])), 0)
                    for ours, theirs in zip(clip_rows(together, row), alone, strict=True):
                        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)

        with torch.no_grad():
            check()

    @pytest.mark.parametrize("gone", ["audio", "video", "both", "in part"])
    def test_absence_gives_finite_scores_and_gradients(self, batch: Batch, gone: str) -> None:
        if gone == "in part":
            batch = with_holes(batch, seed=2)
        else:
            for modality in ("audio", "video") if gone == "both" else (gone,):
                batch = batch.without(modality)
        for head in self.heads:
            model = self.build(head=head)
            for mode in (True, False):
                model.train(mode)
                assert all(x.isfinite().all() for x in tensors(model(batch)))
                assert gradients_are_finite(model, batch)

    def test_the_modality_that_is_left_decides(self, model: Model, batch: Batch) -> None:
        modalities = {spec.modality for spec in model.streams.values()}
        for modality in modalities if len(modalities) > 1 else ():
            left = model(batch.without(modality))
            first, second = (clip_rows(left, row)[0][:1] for row in (0, 1))
            assert (first - second).abs().max() > 1e-6, modality

    def test_training_on_one_frame_of_one_clip(self) -> None:
        model = self.build().train()
        batch = random_batch(self.streams, {name: [1] for name in self.streams}, seed=3)
        assert model(batch).scores.isfinite().all()
        assert gradients_are_finite(model, batch)

    def test_same_seed_same_training_step(self, batch: Batch) -> None:
        def step() -> torch.Tensor:
            model = self.build(seed=5).train()
            optimiser = torch.optim.SGD(model.parameters(), 0.01)
            learning_loss(model(batch)).backward()
            optimiser.step()
            return model.eval()(batch).scores

        assert torch.equal(step(), step())

    @pytest.mark.parametrize(
        "published", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["few", "published"]
    )
    def test_training_gradient_is_that_of_64_bits(self, published: bool) -> None:
        lengths = self.lengths | self.learned_lengths
        if published:
            lengths = {name: [max(rows)] * self.batch_size for name, rows in lengths.items()}
        batch = random_batch(self.streams, lengths, seed=1)
        model = self.build()
        exact = training_gradient(model, batch, torch.float64)
        found = training_gradient(model, batch, torch.float32)
        assert (found - exact).norm() < GRADIENT_ERROR * exact.norm()

    def test_saved_and_loaded(self, model: Model, batch: Batch, tmp_path: Path) -> None:
        spec = ModelSpec(
            model=self.name,
            options=self.options | {"head": self.heads[0]},
            streams=self.used(model),
            normalisation={name: Normalisation((1.0,), (2.0,)) for name in model.streams},
            outputs=list("abcd"),
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
        parts = [(x * torch.randn_like(x)).sum() for b in batches for x in tensors(model(b))]
        torch.stack(parts).sum().backward()
        dead = {
            name
            for name, p in model.named_parameters()
            if p.grad is None or not p.grad.abs().max() > 0
        }
        assert {name for name in dead if not name.startswith(self.unused or "-")} == set()
        assert not self.unused or dead, "named as unused, but everything has an effect"

    def test_bfloat16_autocast_is_close(self, model: Model, batch: Batch) -> None:
        with torch.no_grad():
            exact = model(batch).scores
            with torch.autocast("cpu", torch.bfloat16):
                rough = model(batch).scores.float()
        assert (rough - exact).abs().max() < 0.05 * max(1.0, float(exact.abs().max()))

    def test_bfloat16_autocast_trains(self, batch: Batch) -> None:
        model = self.build().train()
        with torch.autocast("cpu", torch.bfloat16):
            assert gradients_are_finite(model, with_holes(batch, seed=4))

    def test_overfits_one_batch(self, batch: Batch) -> None:
        model = self.build().train()
        optimiser = torch.optim.Adam(model.parameters(), self.learning_rate)
        for _ in range(self.overfits_in):
            optimiser.zero_grad()
            learning_loss(model(batch)).backward()
            optimiser.step()
        assert learned(settle(model, batch)(batch))

    @pytest.mark.slow
    @pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
    def test_compiled_is_the_same(self, model: Model, batch: Batch, backend: str) -> None:
        torch.compiler.reset()
        compiled = torch.compile(model, backend=backend)
        with torch.no_grad():
            for ours, theirs in zip(tensors(model(batch)), tensors(compiled(batch)), strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
