"""Joint attention: contract, what the published quirks are, checkpoints there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from affuse.errors import AffuseError, BadInput
from affuse.execution.checkpoint_files import read_checkpoint
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Head, Model
from affuse.models.checkpoints import convert, import_state, published_state_dict
from affuse.models.layers.joint_attention import SpatialAttention
from affuse.models.layers.recurrent import RecurrentBlock
from affuse.models.modelfile import load_model
from affuse.models.registry import MODELS, create_model
from affuse.models.systems.rjca.model import RecursiveJointAttention
from affuse.models.systems.rjca.paper import PaperJointAttention
from affuse.verification.contracts.model import MFCC, ModelContract, pick, random_batch
from tests.models.published import filled

SMALL: dict[str, Any] = {"width": 16, "dropout": 0.0}
SOUND = StreamSpec("audio/tsav", 2.0, (24,))
MAPS = StreamSpec("video/tsav", 2.0, (8, 3, 3))
VECTORS = StreamSpec("video/tsav", 2.0, (12,))
FRAMES: tuple[Head, ...] = ("frames", "classes")
LISTINGS = {"rjca_fusion": "rjca", "rjca_fusion_2": "rjca", "jca_fusion": "jca",
            "rjca_paper_formula": "rjca-paper"}  # fmt: skip


class JointAttentionContract(ModelContract):
    heads = FRAMES
    options: ClassVar[dict[str, Any]] = SMALL
    batch_size = 64
    overfits_in = 40
    examples = 5


class TestRecursiveJointAttention(JointAttentionContract):
    """Attention by position; several sequences, the last one not full."""

    name = "rjca"
    streams: ClassVar[dict[str, StreamSpec]] = {s.name: s for s in (SOUND, MAPS)}
    lengths: ClassVar[dict[str, list[int]]] = {SOUND.name: [9, 11, 6], MAPS.name: [7, 12, 9]}
    options: ClassVar[dict[str, Any]] = SMALL | {"sequence": 5, "audio": "vectors", "layers": 2}


class TestPaper(JointAttentionContract):
    name = "rjca-paper"


class TestJointCrossAttention(JointAttentionContract):
    name = "jca"


def build(name: str, seen: StreamSpec = MAPS, **options: Any) -> Model:
    torch.manual_seed(0)
    streams = {s.name: s for s in (SOUND, seen)}
    return create_model(name, streams, 2, **SMALL | {"audio": "vectors"} | options).eval()


def batch_of(steps: int, video: StreamSpec = MAPS) -> Batch:
    streams = {s.name: s for s in (SOUND, video)}
    return random_batch(streams, {name: [steps, steps] for name in streams}, seed=0)


@pytest.mark.parametrize(
    ("options", "rate"),
    [
        (RecursiveJointAttention.published_options(), 2.0),
        ({"sequence": 4, "absent": "published"}, 2.0),
        ({}, 0.0),
        ({"sequence": 3}, 0.0),
    ],
    ids=["published form", "no masks", "one map per clip", "one map per clip, several sequences"],
)
@pytest.mark.parametrize("gone", [None, "audio", "video"])
def test_padding_makes_no_difference(
    options: dict[str, Any], rate: float, gone: str | None
) -> None:
    video = StreamSpec("video/tsav", rate, (8, 3, 3))
    model = build("rjca", video, **options)
    streams = {s.name: s for s in (SOUND, video)}
    seen = [5, 3] if rate else [1, 1]
    batch = random_batch(streams, {SOUND.name: [7, 4], video.name: seen}, seed=0)
    batch = batch.without(gone) if gone else batch
    together = model(batch)
    for row in (0, 1):
        lone = model(pick(batch, [row]))
        torch.testing.assert_close(
            together.values[row][together.mask[row]], lone.values[0][lone.mask[0]]
        )
        assert lone.mask.any()


class TestRecurrentBlock:
    def test_unit_length_where_present(self) -> None:
        block = RecurrentBlock(6, 8).eval()
        mask = torch.tensor([[True, False, True, False], [False] * 4])
        y = block(torch.randn(2, 4, 6) * mask.unsqueeze(-1), mask)
        torch.testing.assert_close(y.norm(dim=-1), mask.float())

    def test_padding_never_enters(self) -> None:
        block = RecurrentBlock(6, 8).eval()
        x, mask = torch.randn(1, 3, 6), torch.ones(1, 3).bool()
        junk = torch.cat((x, torch.full((1, 2, 6), 7.0)), 1)
        longer = torch.cat((mask, torch.zeros(1, 2).bool()), 1)
        torch.testing.assert_close(block(junk, longer)[:, :3], block(x, mask))

    def test_initial_state_has_an_effect(self) -> None:
        block = RecurrentBlock(6, 8).eval()
        x, mask = torch.randn(1, 3, 6), torch.ones(1, 3).bool()
        before = block(x, mask)
        for row in range(8):  # hidden and cell state of both directions of both layers
            with torch.no_grad():
                block.initial[row] += 1.0
            after = block(x, mask)
            assert (after - before).abs().max() > 1e-4
            before = after

    def test_odd_width(self) -> None:
        with pytest.raises(AffuseError, match="width 7"):
            RecurrentBlock(6, 7)


class TestSpatialAttention:
    def test_reference_reads_channels_as_positions(self) -> None:
        sound, reference = (SpatialAttention(8, 9, 16, kind) for kind in ("positions", "published"))
        reference.load_state_dict(sound.state_dict())
        mask = torch.ones(1, 2).bool()
        maps, audio = torch.rand(1, 2, 8, 3, 3), torch.randn(1, 2, 16)
        assert (sound(maps, audio, mask) - reference(maps, audio, mask)).abs().max() > 1e-3

    def test_reference_is_sound_on_the_map_in_the_other_order_without_sound(self) -> None:
        sound, reference = (SpatialAttention(8, 9, 16, kind) for kind in ("positions", "published"))
        reference.load_state_dict(sound.state_dict())
        for attention in (sound, reference):
            torch.nn.init.zeros_(attention.audio_units.weight)
        mask = torch.ones(1, 2).bool()
        maps, audio = torch.rand(1, 2, 8, 9), torch.randn(1, 2, 16)
        by_position = maps.transpose(2, 3).reshape(1, 2, 8, 3, 3)
        torch.testing.assert_close(
            sound(maps.unflatten(3, (3, 3)), audio, mask), reference(by_position, audio, mask)
        )

    def test_moving_the_picture_makes_no_difference_but_for_the_reference(self) -> None:
        mask = torch.ones(1, 2).bool()
        maps, audio = torch.rand(1, 2, 8, 3, 3), torch.randn(1, 2, 16)
        moved = maps.roll((1, 1), (3, 4))
        sound, reference = (SpatialAttention(8, 9, 16, kind) for kind in ("positions", "published"))
        torch.testing.assert_close(sound(maps, audio, mask), sound(moved, audio, mask))
        change = reference(maps, audio, mask) - reference(moved, audio, mask)
        assert change.abs().max() > 1e-3


def test_steps_may_lie_frames_apart() -> None:
    near, far = build("rjca", sequence=4), build("rjca", sequence=4, stride=3)
    batch = batch_of(12)
    values = far(batch).values
    for first in range(3):  # frames 0, 3, 6, 9 are one sequence, and so on
        frames = slice(first, None, 3)
        part = Batch(
            {name: x[:, frames] for name, x in batch.streams.items()},
            {name: x[:, frames] for name, x in batch.masks.items()},
        )
        torch.testing.assert_close(values[:, frames], near(part).values)


@pytest.mark.parametrize("name", ["rjca", "jca", "rjca-paper"])
def test_sequences_do_not_see_each_other(name: str) -> None:
    paper = name == "rjca-paper"
    video = VECTORS if paper else MAPS
    model = build(name, video, sequence=4, video="vectors" if paper else None)
    batch = batch_of(10, video)
    values = model(batch).values
    changed = {n: x.clone() for n, x in batch.streams.items()}
    for x in changed.values():
        x[:, 4:8] += 1.0
    difference = (model(Batch(changed, batch.masks)).values - values).abs().amax((0, 2))
    assert difference[4:8].min() > 1e-5
    assert difference[:4].max() == 0 and difference[8:].max() == 0


def test_recursions_share_their_weights_and_layers_do_not() -> None:
    once, thrice = (build("rjca-paper", VECTORS, recursions=n) for n in (1, 3))
    assert once.state_dict().keys() == thrice.state_dict().keys()
    thrice.load_state_dict(once.state_dict())
    batch = batch_of(8, VECTORS)
    assert (once(batch).values - thrice(batch).values).abs().max() > 1e-4
    sizes = [sum(p.numel() for p in build("rjca", layers=n).parameters()) for n in (1, 2, 3)]
    assert sizes[1] > sizes[0] and sizes[2] - sizes[1] == sizes[1] - sizes[0]


def test_published_readout_knows_the_sound_through_the_joint_features_alone() -> None:
    batch = batch_of(8, VECTORS)
    options = {"recurrent": False, "recursions": 1, "readout": "published"}
    model = build("rjca-paper", VECTORS, **options)
    model.zero_grad()
    model(batch).values.sum().backward()
    unused = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert unused and all(name.startswith("attention.audio.") for name in unused)
    sound = build("rjca-paper", VECTORS, recurrent=False, recursions=1)
    sound(batch).values.sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in sound.parameters())


@pytest.mark.parametrize("name", ["rjca", "jca", "rjca-paper"])
def test_without_masks_behind_front_ends(name: str) -> None:
    streams = {s.name: s for s in (MFCC, StreamSpec("video/faces32", 5.0, (32, 32, 3), "uint8"))}
    options = SMALL | {"sequence": 4, "absent": "published"}
    batch = random_batch(streams, {name: [20, 20] for name in streams}, seed=0)
    model = create_model(name, streams, 2, **options).eval()
    for modality in ("audio", "video"):
        gone = batch.without(modality)
        before = model(gone).values
        with torch.no_grad():
            model.state_dict()[f"absent_{modality}"].fill_(1.0)
        assert (model(gone).values - before).abs().max() > 1e-4


@pytest.mark.parametrize(("head", "kind"), [("frames", 2), ("classes", 1)])
def test_classes_share_one_regressor(head: str, kind: int) -> None:
    model = build("rjca", head=head)
    assert isinstance(model, RecursiveJointAttention)
    assert len(model.regressors.nets) == kind
    forced = build("rjca", head=head, regressors="separate")
    assert isinstance(forced, RecursiveJointAttention) and len(forced.regressors.nets) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"video": "vectors"}, "feature maps video/tsav have no front-end"),
        ({"spatial": "both"}, "spatial='both'"),
        ({"regressors": "one"}, "regressors='one'"),
        ({"sequence": 0}, "sequence=0"),
        ({"stride": 0}, "stride=0"),
        ({"absent": "zero"}, "absent='zero'"),
        ({"layers": 0}, "layers=0"),
        ({"width": 15}, "width 15"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        build("rjca", **options)


def test_no_recursion() -> None:
    with pytest.raises(AffuseError, match="recursions=0"):
        build("rjca-paper", VECTORS, recursions=0)


@pytest.fixture(scope="module", params=LISTINGS, ids=str)
def published(request: pytest.FixtureRequest, parity_cases: Path) -> tuple[str, dict[str, Tensor]]:
    return LISTINGS[request.param], filled(parity_cases, request.param)


@pytest.fixture(scope="module")
def fusion(parity_cases: Path) -> dict[str, Tensor]:
    return filled(parity_cases, "rjca_fusion_2")


def test_what_the_weights_tell(published: tuple[str, dict[str, Tensor]]) -> None:
    name, state = published
    _, spec = import_state("rjca", Path("x"), state)
    assert spec.model == name
    assert spec.options["sequence"] == 16 and spec.window == pytest.approx(16 * 32 / 30)
    assert spec.outputs == ["valence", "arousal"] and spec.task == "valence-arousal"


def test_file_of_the_training_script(fusion: dict[str, Tensor], tmp_path: Path) -> None:
    path, out = tmp_path / "cam_model.pt", tmp_path / "rjca.safetensors"
    best = {"best_Val_accV": np.float64(0.5), "best_Val_accA": np.float64(0.25)}
    torch.save({"net": fusion, **best, "best_Val_acc_epoch": 5}, path)
    spec = convert("rjca", path, out)
    model, read = load_model(out)
    assert read == spec
    assert spec.options["layers"] == 2 and spec.options["spatial"] == "published"
    batch = random_batch(model.streams, {name: [17] for name in model.streams}, seed=0)
    with torch.no_grad():
        assert model(batch).values.shape == (1, 17, 2)


@pytest.mark.parametrize("kind", ["bare", "state_dict", "parallel"])
def test_other_wrappings(fusion: dict[str, Tensor], tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.pt"
    parallel = {f"module.{name}": x for name, x in fusion.items()}
    content = {"bare": fusion, "state_dict": {"state_dict": fusion}, "parallel": {"net": parallel}}
    torch.save(content[kind], path)
    assert read_checkpoint(path).keys() == fusion.keys()


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("audio_extract.", r"lacks weights: audio_extract.init_hidden, .* more"),
        ("aregressor.3.", r"lacks weights: aregressor.3.weight, aregressor.3.bias$"),
        ("coattn.dcn_layers.0.", "lacks weights: coattn.dcn_layers.0.dense_coattn.key1_linear"),
        ("video_attn.attn.affine_h.", "lacks weights: video_attn.attn.affine_h.weight$"),
    ],
)
def test_missing_pieces(fusion: dict[str, Tensor], gone: str, message: str) -> None:
    state = {name: x for name, x in fusion.items() if not name.startswith(gone)}
    with pytest.raises(BadInput, match=message):
        import_state("rjca", Path("x"), state)


def test_refused(fusion: dict[str, Tensor], parity_cases: Path) -> None:
    with pytest.raises(BadInput, match="unknown weights: extra"):
        import_state("rjca", Path("x"), fusion | {"extra": torch.ones(1)})
    with pytest.raises(BadInput, match="2 classes, but 3 names"):
        import_state("rjca", Path("x"), fusion, classes=["a", "b", "c"])
    with pytest.raises(BadInput, match="weights of rjca, not of chumachenko"):
        import_state("chumachenko", Path("x"), fusion)
    formula = filled(parity_cases, "rjca_paper_formula")
    del formula["encoder1.weight"]
    with pytest.raises(BadInput, match=r"lacks weights: encoder1.weight"):
        import_state("rjca", Path("x"), formula)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rjca", {"spatial": "positions"}),
        ("rjca", {"regressors": "shared"}),
        ("rjca", {"width": 256}),
        ("rjca", {"audio": "sequence"}),
        ("rjca-paper", {"readout": "attended"}),
        ("rjca-paper", {"recursions": 2}),
        ("rjca-paper", {"width": 512}),
    ],
)
def test_no_published_names_in_another_form(name: str, options: dict[str, Any]) -> None:
    published = MODELS[name].load()
    assert issubclass(published, RecursiveJointAttention | PaperJointAttention)
    reference = published.published_options()
    video = (512,) if name == "rjca-paper" else (512, 7, 7)
    streams = {"a": StreamSpec("audio/tsav", 1.0, (512,)), "v": StreamSpec("video/x", 1.0, video)}
    with torch.device("meta"):
        model = create_model(name, streams, 2, **reference | options)
        assert published_state_dict(create_model(name, streams, 2, **reference))
    with pytest.raises(AffuseError, match="not in the form of a published checkpoint"):
        published_state_dict(model)


def test_pictures_and_vectors_go_through_front_ends() -> None:
    streams = {s.name: s for s in (MFCC, StreamSpec("video/faces32", 5.0, (32, 32, 3), "uint8"))}
    model = create_model("rjca", streams, 4, head="classes", **SMALL)
    batch = random_batch(streams, {name: [20, 20] for name in streams}, seed=0)
    assert model(batch).logits.shape == (2, 4)
