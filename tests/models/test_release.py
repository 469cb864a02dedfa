"""Which weights of IR-50 are released one group after the other."""

import pytest
import torch

from affuse.features.stream import StreamSpec
from affuse.models.backbones.ir50 import IR50, release_groups
from affuse.models.systems.leader_follower.model import LeaderFollower, LeaderVisual

FACES = StreamSpec("video/faces40", 30.0, (40, 40, 3), "uint8")
SOUND = StreamSpec("audio/vggish", 30.0, (128,))
SPECS = {spec.name: spec for spec in (FACES, SOUND)}


@pytest.mark.parametrize("gates", [False, True])
@pytest.mark.parametrize("system", [LeaderVisual, LeaderFollower])
def test_a_model_has_the_groups_of_its_backbone(
    system: type[LeaderVisual] | type[LeaderFollower], gates: bool
) -> None:
    with torch.device("meta"):
        model = system(SPECS, 1, video={"name": "ir50", "squeeze_excitation": gates})
        alone = release_groups(IR50(gates))
    groups = release_groups(model)
    prefix = "video.frontend.stage1.net."
    assert groups == [[prefix + name for name in group] for group in alone]
    names = [name for group in groups for name in group]
    assert len(set(names)) == len(names) and set(names) < dict(model.named_parameters()).keys()
    units = [sorted({int(n.split(".")[1]) for n in group}) for group in alone[1:]]
    assert units == [[21, 22, 23], [19, 20] if gates else [18, 19, 20]]
    assert {name.split(".")[0] for name in alone[0]} == {"head", "norm"}


def test_a_model_on_features_has_no_groups() -> None:
    spec = StreamSpec("video/ir50", 30.0, (512,))
    assert release_groups(LeaderVisual({spec.name: spec}, 1)) == []
