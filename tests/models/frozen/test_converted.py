"""Published fusions on frozen features: what they read is what affuse computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from affuse.cli.main import main
from affuse.errors import BadInput
from affuse.features.batch import Normalisation
from affuse.features.catalogue import create_extractor, stream_spec
from affuse.features.stream import StreamSpec
from affuse.models.checkpoints import convert, published_state_dict, system_module
from affuse.models.modelfile import ModelSpec, save_model
from affuse.models.registry import create_model
from affuse.models.systems.leader_follower.model import LeaderFollower, LeaderVisual
from affuse.models.systems.leader_follower.published import EMBEDDING, FOLLOWERS, PICTURES
from affuse.models.systems.rjca.model import RecursiveJointAttention
from affuse.models.systems.rjca.published import AUDIO, MAPS


def published(
    name: str, *streams: StreamSpec, outputs: int = 2, **options: Any
) -> dict[str, Tensor]:
    """Weights of chance under the published names."""
    torch.manual_seed(0)
    model = create_model(name, {s.name: s for s in streams}, outputs, **options)
    return published_state_dict(model)


def empty(path: Path, name: str, *streams: str, outputs: int, **options: Any) -> Path:
    """A model file whose weights are all zero, which is quick to make."""
    specs = {stream: stream_spec(stream) for stream in streams}
    with torch.device("meta"):
        model = create_model(name, specs, outputs, **options)
    model = model.to_empty(device="cpu")
    for x in model.state_dict().values():
        x.zero_()
    classes = [str(number) for number in range(outputs)]
    statistics = {stream: Normalisation() for stream in streams}
    save_model(path, model, ModelSpec(name, options, specs, statistics, classes, window=10.0))
    return path


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model files of the networks that features come from."""
    folder = tmp_path_factory.mktemp("networks")
    both = "audio/logmel64-tsav", "video/aligned112"
    return {
        "ir50": empty(folder / "ir50", "ir50", "video/faces40", outputs=8),
        "vggish": empty(folder / "vggish", "vggish", "audio/logmel64-vggish", outputs=128),
        "tsav": empty(folder / "tsav", "tsav", *both, outputs=7, channels=4),
    }


FUSIONS: dict[str, tuple[str, str, tuple[StreamSpec, ...], dict[str, Any]]] = {
    "rjca": ("rjca", "rjca", (AUDIO, MAPS), RecursiveJointAttention.published_options()),
    "followers": (
        "leader-follower",
        "leader-follower",
        (EMBEDDING, *FOLLOWERS),
        LeaderFollower.published_options() | {"video": "vectors"},
    ),
    "pictures": (
        "leader-follower",
        "leader-follower-visual",
        (PICTURES,),
        LeaderVisual.published_options(),
    ),
}


def described(fusion: str, **options: Any) -> ModelSpec:
    """What `convert` finds out about a published fusion, whose weights do not matter for that."""
    system, name, streams, own = FUSIONS[fusion]
    with torch.device("meta"):
        state = published(name, *streams, **own)
    module = system_module(system)
    spec: ModelSpec = module.describe(Path("x"), state, **options)
    return spec


def test_the_streams_of_a_converted_fusion_can_be_computed(networks: dict[str, Path]) -> None:
    tsav, vggish, ir50 = (networks[name] for name in ("tsav", "vggish", "ir50"))
    cases: list[tuple[str, dict[str, Any], dict[str, Path | None]]] = [
        ("rjca", {"tsav": tsav}, {AUDIO.name: tsav, MAPS.name: tsav}),
        (
            "followers",
            {"vggish": str(vggish), "backbone": ir50},
            {FOLLOWERS[0].name: vggish, EMBEDDING.name: ir50, FOLLOWERS[1].name: None},
        ),
        ("pictures", {}, {PICTURES.name: None}),
    ]
    for fusion, options, sources in cases:
        spec, alone = described(fusion, **options), described(fusion)
        assert spec.streams.keys() == alone.streams.keys() == sources.keys()
        for name, source in sources.items():
            there = create_extractor(name, source).spec
            assert spec.streams[name].to_json() == there.to_json()
            recipe = {} if source else there.recipe
            assert alone.streams[name].to_json() == {**there.to_json(), "recipe": recipe}


def test_a_step_of_joint_attention_is_a_clip_of_32_frames() -> None:
    spec = described("rjca")
    assert spec.options["stride"] == 32 and spec.window == pytest.approx(512 / 30)
    with torch.device("meta"):
        model = spec.build()
    assert isinstance(model, RecursiveJointAttention)
    assert model.sequence * model.stride == 512 and model.leader.rate == 30


def test_networks_that_have_nothing_to_do_with_the_fusion(
    tmp_path: Path, networks: dict[str, Path]
) -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("rjca", {"tsav": networks["ir50"]}, "holds the model ir50; expected tsav"),
        ("rjca", {"tsav": tmp_path / "absent"}, "absent: no such file"),
        ("followers", {"vggish": networks["tsav"]}, "expected vggish"),
        ("pictures", {"backbone": networks["ir50"]}, "has its own IR-50"),
        ("pictures", {"vggish": networks["vggish"]}, "has no followers"),
    ]
    for fusion, options, message in cases:
        with pytest.raises(BadInput, match=message) as error:
            described(fusion, **options)
        assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("fusion", list(FUSIONS))
def test_published_fusions_predict_a_recording(
    tmp_path: Path, shared_data: Path, networks: dict[str, Path], fusion: str
) -> None:
    tsav, vggish, ir50 = (networks[name] for name in ("tsav", "vggish", "ir50"))
    options: dict[str, dict[str, Any]] = {
        "rjca": {"tsav": tsav},
        "followers": {"vggish": vggish, "backbone": ir50},
        "pictures": {},
    }
    sources: dict[str, dict[str, Path]] = {
        "rjca": {AUDIO.name: tsav, MAPS.name: tsav},
        "followers": {FOLLOWERS[0].name: vggish, EMBEDDING.name: ir50},
        "pictures": {},
    }
    system, name, streams, own = FUSIONS[fusion]
    torch.save(published(name, *streams, **own), tmp_path / "published.pth")
    model = tmp_path / "model.safetensors"
    convert(system, tmp_path / "published.pth", model, **options[fusion])
    video = shared_data / "videos" / "single_face.mp4"
    arguments = ["predict", str(video), "--model", str(model), "--out", str(tmp_path / "out")]
    for stream, path in sources[fusion].items():
        arguments += ["--source", f"{stream}={path}"]
    assert main(arguments) == 0
    rows = (tmp_path / "out" / "single_face.csv").read_text().splitlines()
    assert len(rows) > 60
