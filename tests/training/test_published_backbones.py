"""The recipes of the published Aff-Wild2 systems, end to end on a few seconds of video."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from affuse.cli.main import main
from affuse.corpora.synthetic.affwild2 import synthesise
from affuse.features.batch import Normalisation
from affuse.features.catalogue import stream_spec
from affuse.features.stream import StreamSpec
from affuse.models.modelfile import ModelSpec, load_model, save_model
from affuse.models.registry import create_model
from affuse.models.systems.ir50 import published as ir50
from affuse.models.systems.tsav import published as tsav
from affuse.models.systems.vggish import published as vggish

pytestmark = pytest.mark.slow
SMALL = ["protocol=affwild2/official", "epochs=1", "batch_size=2"]


def weights(
    path: Path, name: str, streams: list[StreamSpec], outputs: int, **options: object
) -> Path:
    """A model file with fresh weights in the place of the published ones."""
    torch.manual_seed(0)
    specs = {spec.name: spec for spec in streams}
    model = create_model(name, specs, outputs, **options)
    statistics = dict.fromkeys(specs, Normalisation())
    statistics |= {k: v for k, v in tsav.NORMALISATION.items() if k in specs}
    if name == "ir50":
        statistics = dict.fromkeys(specs, ir50.NORMALISATION)
    classes = [str(k) for k in range(outputs)]
    training = {"licence": "none: random"}
    save_model(
        path,
        model,
        ModelSpec(name, dict(options), specs, statistics, classes, window=10.0, training=training),
    )
    return path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    synthesise(folder / "synthetic", videos=4, seconds=(2.0, 2.5))
    ir = weights(folder / "ir50.safetensors", "ir50", [ir50.FACES], 8)
    vgg = weights(folder / "vggish.safetensors", "vggish", [vggish.EXAMPLES], 128)
    sight = [stream_spec(name) for name in (tsav.AUDIO_STREAM, tsav.VIDEO_STREAM)]
    two = weights(
        folder / "tsav.safetensors", "tsav", sight, 7, auxiliary=dict(tsav.TASKS), channels=4
    )
    streams = ["video/aligned48-published", "video/ir50", "audio/mfcc39", "audio/mfcc39-published"]
    sources = [f"video/ir50={ir}"]
    for name in ("audio/vggish", "audio/vggish-published"):
        streams.append(name)
        sources.append(f"{name}={vgg}")
    for name in ("video/tsav", "audio/tsav", "video/tsav-published", "audio/tsav-published"):
        streams.append(name)
        sources.append(f"{name}={two}")
    command = ["prepare", "affwild2", str(folder / "synthetic"), "--store", str(folder / "store")]
    command += ["--streams", ",".join(streams), "--workers", "1"]
    assert main([*command, *(word for source in sources for word in ("--source", source))]) == 0
    return folder


@pytest.mark.parametrize(
    ("recipe", "changes"),
    [
        ("leader-follower-affwild2", ["window=1", "hop=1"]),
        ("leader-follower-affwild2-published", ["window=1", "hop=1", "backbone={ir}"]),
        ("rjca-affwild2", []),
        ("rjca-affwild2-published", ["precision='32'"]),
    ],
)
def test_a_published_system_trains_judges_and_fuses(
    prepared: Path, recipe: str, changes: list[str]
) -> None:
    run = prepared / recipe
    changes = [change.format(ir=prepared / "ir50.safetensors") for change in changes]
    command = ["train", recipe, *SMALL, *changes, "--store", str(prepared / "store")]
    assert main([*command, "--out", str(run)]) == 0
    (row,) = csv.DictReader((run / "fold0/log.csv").open())
    assert torch.isfinite(torch.tensor(float(row["train/loss"])))
    model, spec = load_model(run / "fold0/model.safetensors")
    assert spec.task == "valence-arousal" and model.head == "frames"
    assert "none: random" in spec.training["licence"], "terms of the weights travel with the model"
    assert main(["evaluate", str(run), "--truth", str(prepared / "synthetic/truth")]) == 0
    facts = json.loads((run / "evaluation/metrics.json").read_text())
    assert facts["role"] == "test" and facts["conditions"]["av"]["videos"] == 1
    if "reference" in recipe and recipe.startswith("leader"):
        assert spec.outputs == ["valence"]
    else:
        out = prepared / f"{recipe}-fused"
        assert (
            main(["ensemble", str(run), "--out", str(out), "--corpus", str(prepared / "synthetic")])
            == 0
        )
        assert (
            main(["check", "--submission", str(out), "affwild2", str(prepared / "synthetic")]) == 0
        )
