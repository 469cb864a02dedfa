"""Published checkpoints that cannot be read, and what is said about each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from affuse.errors import AffuseError, BadInput
from affuse.execution.checkpoint_files import read_checkpoint
from affuse.models.checkpoints import (
    convert,
    import_state,
    load_backbone,
    published_state_dict,
)
from affuse.models.modelfile import load_model
from affuse.models.registry import create_model
from affuse.verification.contracts.model import MFCC, OPENFACE
from tests.models.published import Malicious


class TestRefusals:
    @pytest.mark.parametrize(
        "options",
        [{"heads": "abc"}, {"heads": None}, {"classes": 3}, {"classes": ["a"] * 8}, {"heads": 2.5}],
    )
    def test_values_that_an_option_cannot_have(
        self, fusion: dict[str, Tensor], options: dict[str, Any]
    ) -> None:
        with pytest.raises(BadInput):
            import_state("chumachenko", Path("x"), fusion, **options)

    def test_entries_without_axes(self, fusion: dict[str, Tensor]) -> None:
        with pytest.raises(BadInput):
            import_state(
                "chumachenko", Path("x"), fusion | {"classifier_1.0.bias": torch.tensor(1.0)}
            )

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("malicious", r"holds code \(\S*getenv\)"),
            ("module", r"holds code \(torch.nn.modules.linear.Linear\)"),
            ("list", "holds a list, not weights"),
            ("numbers", "holds no weights"),
        ],
    )
    def test_pickled(self, tmp_path: Path, content: str, message: str) -> None:
        path = tmp_path / "x.pth"
        value = {
            "malicious": {"state_dict": {}, "x": Malicious()},
            "module": torch.nn.Linear(2, 2),
            "list": [1, 2],
            "numbers": {"epoch": 1},
        }[content]
        torch.save(value, path)
        with pytest.raises(BadInput, match=message) as error:
            read_checkpoint(path)
        assert "\n" not in str(error.value) and str(path) in str(error.value)

    @pytest.mark.parametrize("content", [b"", b"text, no checkpoint", json.dumps({}).encode()])
    def test_not_a_checkpoint(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "x.pth"
        path.write_bytes(content)
        with pytest.raises(BadInput, match="not a PyTorch checkpoint"):
            read_checkpoint(path)

    def test_truncated(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pth"
        torch.save({"w": torch.zeros(1000)}, path)
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(BadInput, match="damaged"):
            read_checkpoint(path)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="no such file"):
            read_checkpoint(tmp_path / "x.pth")

    def test_unknown_system_and_option(self, tmp_path: Path) -> None:
        with pytest.raises(AffuseError, match="did you mean 'chumachenko'"):
            convert("chumachenco", tmp_path / "x", tmp_path / "y")
        with pytest.raises(AffuseError, match="no option 'heads'; there are: classes"):
            convert("efficientface", tmp_path / "x", tmp_path / "y", heads=4)

    def test_wrong_system(self, faces: dict[str, Tensor], fusion: dict[str, Tensor]) -> None:
        with pytest.raises(BadInput, match="weights of efficientface, not of chumachenko"):
            import_state("chumachenko", Path("x"), faces)
        with pytest.raises(BadInput, match="weights of chumachenko, not of efficientface"):
            import_state("efficientface", Path("x"), fusion)
        with pytest.raises(BadInput, match=r"weights such as layer\.weight"):
            import_state("efficientface", Path("x"), {"layer.weight": torch.zeros(1)})

    def test_avtca_is_not_taken_for_its_parent(self, fusion: dict[str, Tensor]) -> None:
        fork = fusion | {"finalAttention.in_proj_bias": torch.zeros(384)}
        with pytest.raises(BadInput, match="not of chumachenko"):
            import_state("chumachenko", Path("x"), fork)

    def test_missing_left_over_and_misshapen(self, fusion: dict[str, Tensor]) -> None:
        few = {n: x for n, x in fusion.items() if not n.startswith("visual_model.conv1.")}
        with pytest.raises(
            BadInput, match=r"lacks weights: visual_model.conv1.0.weight, .* 3 more"
        ):
            import_state("chumachenko", Path("x"), few)
        with pytest.raises(BadInput, match=r"unknown weights: av1.norm1_q.bias$"):
            import_state("chumachenko", Path("x"), fusion | {"av1.norm1_q.bias": torch.ones(1)})
        with pytest.raises(BadInput, match=r"another shape: av1.q.weight"):
            import_state("chumachenko", Path("x"), fusion | {"av1.q.weight": torch.ones(4, 4)})
        bare = {n: x for n, x in fusion.items() if not n.startswith("av1.")}
        with pytest.raises(BadInput, match=r"needs one of the weights av.attn.q.weight"):
            import_state("chumachenko", Path("x"), bare)

    def test_heads_that_do_not_fit(self, fusion: dict[str, Tensor]) -> None:
        with pytest.raises(BadInput, match="heads=3"):
            import_state("chumachenko", Path("x"), fusion, heads=3)

    def test_a_model_in_sound_form_has_no_published_names(self) -> None:
        model = create_model("chumachenko-ia", {s.name: s for s in (MFCC, OPENFACE)}, 8)
        with pytest.raises(AffuseError, match="not in the form of a published checkpoint"):
            published_state_dict(model)

    def test_a_fusion_is_no_backbone(self, fusion: dict[str, Tensor], tmp_path: Path) -> None:
        path, out = tmp_path / "x.pth", tmp_path / "x.safetensors"
        torch.save(fusion, path)
        convert("chumachenko", path, out)
        model, _ = load_model(out)
        with pytest.raises(BadInput, match="holds a model chumachenko-ia, not one of"):
            load_backbone(model, out)
