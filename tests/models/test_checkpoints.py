"""Published checkpoints: what is accepted, what comes out, what is refused."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from affuse.errors import AffuseError, BadInput
from affuse.execution.checkpoint_files import read_checkpoint
from affuse.features.batch import Normalisation
from affuse.models.checkpoints import (
    SYSTEMS,
    convert,
    convert_back,
    import_state,
    load_backbone,
    published_state_dict,
)
from affuse.models.modelfile import load_model
from affuse.models.registry import create_model
from affuse.models.systems.chumachenko.published import AUDIO, VIDEO
from affuse.models.systems.ir50 import published as ir50
from affuse.models.systems.ir50.published import FACES
from affuse.models.systems.vggish import published as vggish
from affuse.models.systems.vggish.published import EXAMPLES
from affuse.verification.contracts.model import FACES224, MFCC, OPENFACE, random_batch
from tests.models.published import filled

LISTINGS = {
    "chumachenko": ("lt", "it", "ia"),
    "avtca": ("avtca",),
    "auxformer": ("auxformer", "auxformer_icassp"),
    "rjca": ("rjca_fusion", "rjca_fusion_2", "jca_fusion", "rjca_paper_formula"),
    "tsav": ("tsav",),
    "efficientface": ("efficientface",),
    "ir50": ("leader_follower_visual_full_1", "leader_follower_visual_full_se_1"),
    "vggish": ("vggish",),
    "leader-follower": (
        "leader_follower_av_full_1",
        "leader_follower_av_fusion_2",
        "leader_follower_visual_full_se_1",
        "leader_follower_visual_fusion_1",
    ),
}
#: Layer of VGGish -> scope of its variables for TensorFlow.
TENSORFLOW = {
    "features.0": "conv1",
    "features.3": "conv2",
    "features.6": "conv3/conv3_1",
    "features.8": "conv3/conv3_2",
    "features.11": "conv4/conv4_1",
    "features.13": "conv4/conv4_2",
    "embeddings.0": "fc1/fc1_1",
    "embeddings.2": "fc1/fc1_2",
    "embeddings.4": "fc2",
}

#: What the weights of a listing do not tell.
OPTIONS: dict[str, dict[str, Any]] = {
    "tsav": {"classes": list("abcdefg")},
    "leader_follower_av_full_1": {"classes": ["valence"]},
    "leader_follower_visual_full_se_1": {"classes": ["arousal"]},
    "leader_follower_visual_fusion_1": {"classes": ["arousal"]},
}


def ir50_alone(parity_cases: Path, listing: str = LISTINGS["ir50"][0]) -> dict[str, Tensor]:
    """Entries of the file of IR-50, from those of a model that holds it."""
    whole = filled(parity_cases, listing)
    state = {
        "backbone" + name.removeprefix("spatial"): x
        for name, x in whole.items()
        if name.startswith("spatial.")
    }
    return state | {"logits.weight": torch.randn(8, 512), "logits.bias": torch.randn(8)}


@pytest.fixture(scope="module", params=[(s, x) for s in LISTINGS for x in LISTINGS[s]], ids=str)
def published(
    request: pytest.FixtureRequest, parity_cases: Path
) -> tuple[str, dict[str, Tensor], dict[str, Any]]:
    system, listing = request.param
    if system == "ir50":
        return system, ir50_alone(parity_cases, listing), {}
    return system, filled(parity_cases, listing), OPTIONS.get(listing, {})


def test_there_and_back(published: tuple[str, dict[str, Tensor], dict[str, Any]]) -> None:
    system, state, options = published
    model, spec = import_state(system, Path("x"), state, **options)
    back = published_state_dict(model)
    assert back.keys() == state.keys()
    helpers = (".version", "_float_tensor")  # AuxFormer's, whose values mean nothing
    assert all(back[name].equal(state[name]) for name in state if not name.endswith(helpers))
    assert not model.training and len(spec.outputs) == model.outputs


def test_every_system_has_a_test() -> None:
    assert LISTINGS.keys() == SYSTEMS.keys()


class RecorderMeter:
    """Like the class of this name that EfficientFace's training saves with the weights."""

    def __init__(self) -> None:
        self.losses = np.zeros((2, 2), np.float32)
        self.best = np.float64(3.0)


def wrapped(state: dict[str, Tensor], kind: str) -> Any:
    parallel = collections.OrderedDict((f"module.{name}", x) for name, x in state.items())
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], 0.1, momentum=0.9)
    return {
        "bare": state,
        "DataParallel": {"state_dict": parallel},
        "prefix inside": {
            "state_dict": {
                n.replace("visual_model.", "visual_model.module."): x for n, x in parallel.items()
            }
        },
        "whole training": {
            "epoch": 3,
            "arch": "multimodalcnn",
            "state_dict": parallel,
            "optimizer": optimiser.state_dict(),
            "best_prec1": torch.tensor(81.0),
        },
        "numpy numbers": {"state_dict": state, "best": np.float64(1), "worst": np.float32(0)},
    }[kind]


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "kind", ["bare", "DataParallel", "prefix inside", "whole training", "numpy numbers"]
)
def test_ways_to_save(fusion: dict[str, Tensor], tmp_path: Path, kind: str, legacy: bool) -> None:
    path = tmp_path / "x.pth"
    torch.save(wrapped(fusion, kind), path, _use_new_zipfile_serialization=not legacy)
    read = read_checkpoint(path)
    assert read.keys() == fusion.keys()
    assert all(read[name].equal(fusion[name]) for name in fusion)


def test_weights_of_a_gpu_are_read_without_one(
    fusion: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.pth"
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:3")
        torch.save(fusion, path)
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(path, weights_only=True)
    assert all(x.equal(fusion[name]) for name, x in read_checkpoint(path).items())


def test_recorder_of_efficientface(
    faces: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecorderMeter, "__module__", "__main__")
    monkeypatch.setattr("__main__.RecorderMeter", RecorderMeter, raising=False)
    path = tmp_path / "EfficientFace.pth.tar"
    torch.save({"state_dict": faces, "recorder": RecorderMeter()}, path)
    assert read_checkpoint(path).keys() == faces.keys()


def test_converted_fusion(fusion: dict[str, Tensor], tmp_path: Path) -> None:
    path, out = tmp_path / "ia_4head.pth", tmp_path / "out.safetensors"
    torch.save(fusion, path)
    spec = convert("chumachenko", path, out, heads=4)
    model, read = load_model(out)
    assert read == spec
    assert spec.model == "chumachenko-ia" and spec.options["heads"] == 4
    assert spec.outputs[0] == "neutral" and spec.outputs[-1] == "surprised"
    assert list(spec.streams) == [AUDIO, VIDEO]
    assert {s.span for s in spec.streams.values()} == {3.6} and spec.window is None
    assert spec.normalisation[VIDEO].std == (255.0,)
    assert "CC BY-NC-SA" in spec.training["licence"]
    assert published_state_dict(model)["av1.proj.bias"].equal(fusion["av1.proj.bias"])


def test_converted_face_network_starts_another_model(
    faces: dict[str, Tensor], tmp_path: Path
) -> None:
    path, out = tmp_path / "faces.pth.tar", tmp_path / "faces.safetensors"
    torch.save({"state_dict": faces}, path)
    spec = convert("efficientface", path, out)
    assert spec.outputs[:2] == ["neutral", "happy"]
    pretrained, _ = load_model(out)
    streams = {s.name: s for s in (MFCC, FACES224)}
    model = create_model("chumachenko-it", streams, 5)
    temporal = model.video.stage1.temporal.blocks[0].conv.weight.clone()
    load_backbone(model, out)
    images = random_batch({FACES224.name: FACES224}, {FACES224.name: [1]}, 0).streams
    x = images[FACES224.name][0]
    with torch.no_grad():
        ours, theirs = model.eval().video.stage1.net(x), pretrained.backbone(x)
    assert torch.equal(ours, theirs)
    assert temporal.equal(model.video.stage1.temporal.blocks[0].conv.weight)
    with pytest.raises(AffuseError, match="no EfficientFace"):
        load_backbone(create_model("concat", {s.name: s for s in (MFCC, OPENFACE)}, 5), out)


@pytest.mark.slow
def test_converted_ir50_starts_another_model(parity_cases: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "res50_ir_0.887.pth", tmp_path / "ir50.safetensors"
    state = ir50_alone(parity_cases)
    torch.save(state, path)
    spec = convert("ir50", path, out)
    assert spec.outputs[0] == "neutral" and spec.outputs[-1] == "contempt"
    assert spec.normalisation == {FACES.name: Normalisation((127.5,), (127.5,))}
    video = {"name": "ir50", "frozen": True}
    model = create_model("leader-follower", {s.name: s for s in (MFCC, FACES)}, 2, video=video)
    load_backbone(model, out)
    net = model.video.frontend.stage1.net
    assert net.norm.running_var.equal(state["backbone.output_layer.4.running_var"])
    assert not any(p.requires_grad for p in net.parameters())
    gated = create_model(
        "video-only", {FACES.name: FACES}, 2, video={"name": "ir50", "squeeze_excitation": True}
    )
    with pytest.raises(BadInput, match=r"ir50 with .*'squeeze_excitation': False.*, unlike"):
        load_backbone(gated, out)
    with pytest.raises(AffuseError, match="no IR50"):
        load_backbone(create_model("concat", {s.name: s for s in (MFCC, OPENFACE)}, 5), out)


def test_order_of_the_classes_of_ir50_can_be_given() -> None:
    with torch.device("meta"):
        network = create_model("ir50", {FACES.name: FACES}, 8)
    state = published_state_dict(network)
    assert ir50.describe(Path("x"), state, classes=list("abcdefgh")).outputs == list("abcdefgh")
    with pytest.raises(BadInput, match=r"lacks weights: logits\.bias"):
        ir50.describe(Path("x"), {n: x for n, x in state.items() if n != "logits.bias"})


def test_variables_of_vggish_for_tensorflow_are_taken_too() -> None:
    with torch.device("meta"):
        entries = published_state_dict(create_model("vggish", {EXAMPLES.name: EXAMPLES}, 128))
        variables = {"global_step": torch.zeros(())}
        for layer, scope in TENSORFLOW.items():
            weights = entries[f"{layer}.weight"]
            order = (2, 3, 1, 0) if weights.ndim == 4 else (1, 0)
            variables[f"vggish/{scope}/weights"] = weights.permute(order)
            variables[f"vggish/{scope}/biases"] = entries[f"{layer}.bias"]
    assert vggish.recognises(variables)
    cleaned = vggish.clean(Path("x"), variables)
    assert {n: x.shape for n, x in cleaned.items()} == {n: x.shape for n, x in entries.items()}
    spec = vggish.describe(Path("x"), cleaned)
    assert spec.task == "embedding" and len(spec.outputs) == 128


def test_eight_faces_have_contempt(faces: dict[str, Tensor]) -> None:
    eight = faces | {"fc.weight": torch.zeros(8, 1024), "fc.bias": torch.zeros(8)}
    assert import_state("efficientface", Path("x"), eight)[1].outputs[-1] == "contempt"


def test_another_number_of_classes_needs_names(faces: dict[str, Tensor]) -> None:
    three = faces | {"fc.weight": torch.zeros(3, 1024), "fc.bias": torch.zeros(3)}
    with pytest.raises(BadInput, match="3 classes of unknown meaning"):
        import_state("efficientface", Path("x"), three)
    with pytest.raises(BadInput, match="3 classes, but 2 names"):
        import_state("efficientface", Path("x"), three, classes=["a", "b"])
    assert import_state("efficientface", Path("x"), three, classes=list("abc"))


class TestBack:
    """Model files into files that the published code loads."""

    def test_the_same_file_comes_back(self, fusion: dict[str, Tensor], tmp_path: Path) -> None:
        there, model, back = (tmp_path / name for name in ("a.pth", "a.safetensors", "b.pth"))
        torch.save(fusion, there)
        convert("chumachenko", there, model)
        assert convert_back("chumachenko", model, back) == len(fusion)
        again = torch.load(back, weights_only=True)
        assert again.keys() == fusion.keys()
        assert all(again[name].equal(fusion[name]) for name in fusion)

    def test_of_another_system(self, faces: dict[str, Tensor], tmp_path: Path) -> None:
        there, model, back = (tmp_path / name for name in ("a.pth", "a.safetensors", "b.pth"))
        torch.save(faces, there)
        convert("efficientface", there, model)
        with pytest.raises(BadInput, match="efficientface in a form that rjca does not have"):
            convert_back("rjca", model, back)
        assert not back.exists()

    @pytest.mark.parametrize(
        ("name", "options"),
        [
            ("chumachenko-lt", {"dead_weights": True}),
            ("chumachenko-ia", {"dead_weights": True, "masking": "published"}),
            ("avtca", {"dead_weights": True, "audio": "sequence"}),
            ("leader-follower", {"chained": True, "dead_weights": True}),
            (
                "leader-follower",
                {"chained": True, "dead_weights": True, "followers": "sequence", "video": "ir50"},
            ),
        ],
    )
    def test_what_the_published_code_would_compute_otherwise_is_not_written(
        self, name: str, options: dict[str, Any]
    ) -> None:
        leads = name == "leader-follower"
        streams = (FACES, MFCC) if leads else (MFCC, FACES224)
        model = create_model(name, {s.name: s for s in streams}, 2, **options)
        with pytest.raises(AffuseError, match="published checkpoint"):
            published_state_dict(model)

    def test_never_over_what_is_read(self, faces: dict[str, Tensor], tmp_path: Path) -> None:
        there = tmp_path / "a.pth"
        torch.save(faces, there)
        before = there.read_bytes()
        with pytest.raises(BadInput, match="is the file that is read"):
            convert("efficientface", there, there)
        with pytest.raises(BadInput, match="is a folder"):
            convert("efficientface", there, tmp_path)
        assert there.read_bytes() == before
