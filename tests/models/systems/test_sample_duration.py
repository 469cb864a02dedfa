"""`--sample_duration` of published fusions, which their checkpoints do not store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from affuse.cli.main import main
from affuse.errors import BadInput
from affuse.features.catalogue import stream_spec
from affuse.models.checkpoints import (
    published_state_dict,
)
from affuse.models.modelfile import ModelSpec, load_model
from affuse.models.registry import MODELS, create_model
from affuse.models.systems.chumachenko import published as chumachenko
from affuse.models.systems.chumachenko.published import AUDIO, VIDEO
from affuse.verification.contracts.model import random_batch


@pytest.fixture(scope="module")
def shapes() -> dict[str, Tensor]:
    """Entries of a fusion without values."""
    with torch.device("meta"):
        build = MODELS["chumachenko-it"].load()
        streams = {s.name: s for s in (stream_spec(AUDIO), stream_spec(VIDEO))}
        model = create_model("chumachenko-it", streams, 8, **build.published_options())
        return published_state_dict(model)


class TestPicturesPerClip:
    """`--sample_duration`, which checkpoints do not store."""

    def describe(self, shapes: dict[str, Tensor], name: str = "x.pth", **told: Any) -> ModelSpec:
        return chumachenko.describe(Path(name), shapes, **told)

    def test_fifteen_are_taken_and_it_is_said(self, shapes: dict[str, Tensor]) -> None:
        spec = self.describe(shapes, "lt_1head_moddrop_2.pth")
        assert list(spec.streams) == [AUDIO, VIDEO]
        assert "15 images per clip" in spec.training["note"]

    @pytest.mark.parametrize(
        ("name", "told", "frames"),
        [
            ("x.pth", {"sample_duration": 30}, 30),
            ("RAVDESS_multimodalcnn_30_best0.pth", {}, 30),
            ("RAVDESS_multimodalcnn_8_checkpoint0.pth", {"sample_duration": 8}, 8),
        ],
    )
    def test_another_number_is_that_of_the_stream(
        self, shapes: dict[str, Tensor], name: str, told: dict[str, int], frames: int
    ) -> None:
        spec = self.describe(shapes, name, **told)
        video = spec.streams[f"{VIDEO}-{frames}"]
        assert video.rate == pytest.approx(frames / 3.6) and video.span == 3.6
        assert spec.normalisation[video.name].std == (255.0,) and "note" not in spec.training

    def test_a_name_with_fifteen_needs_no_note(self, shapes: dict[str, Tensor]) -> None:
        for name, told in (
            ("RAVDESS_multimodalcnn_15_best0.pth", {}),
            ("x", {"sample_duration": 15}),
        ):
            spec = self.describe(shapes, name, **told)
            assert list(spec.streams) == [AUDIO, VIDEO] and "note" not in spec.training

    def test_what_contradicts_or_cannot_be_is_refused(self, shapes: dict[str, Tensor]) -> None:
        with pytest.raises(BadInput, match=r"is named after 30 images per clip, not 15$"):
            self.describe(shapes, "RAVDESS_multimodalcnn_30_best0.pth", sample_duration=15)
        for wrong in (0, 109, "many", 7.5):
            with pytest.raises(BadInput, match=r"expected 1 to 108 images per clip"):
                self.describe(shapes, sample_duration=wrong)

    def test_the_command_says_what_it_took(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        streams = {s.name: s for s in (stream_spec(AUDIO), stream_spec(VIDEO))}
        options = MODELS["avtca"].load().published_options()
        model = create_model("avtca", streams, 8, **options)
        torch.save(published_state_dict(model), tmp_path / "model.pth")
        words = ["convert", "avtca", str(tmp_path / "model.pth"), "--out", str(tmp_path / "a")]
        assert main(words) == 0
        assert capsys.readouterr().err.count("15 images per clip") == 1
        assert main([*words, "sample_duration=24"]) == 0
        assert "images per clip" not in capsys.readouterr().err
        again, spec = load_model(tmp_path / "a")
        batch = random_batch(spec.streams, {AUDIO: [156], f"{VIDEO}-24": [24]}, 0)
        assert again(batch).logits.shape == (1, 8)
