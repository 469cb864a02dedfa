"""A voice that is pooled without its pauses, combined with a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tests.evaluation.test_combine import make_runs, part, toy_batch
from tests.toy import AUDIO, CLASSES, VIDEO, Toy, toy_recipe

from affuse.corpora.clip import Corpus
from affuse.evaluation.combine import combine
from affuse.evaluation.evaluate import evaluate
from affuse.features.batch import collate, normalise
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import StreamSpec
from affuse.models.modelfile import load_model
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train

LOUD = StreamSpec("audio/loud", 20.0, (1,))


def test_the_whole_pools_sound_where_its_part_did(tmp_path: Path) -> None:
    make_runs(tmp_path)
    clips = Store(tmp_path / "store").clips
    prepare(Corpus("folder", tmp_path, clips, CLASSES, "none"), tmp_path / "store", [Toy(LOUD)])
    front = {"name": "sequence", "width": 8}
    recipe = toy_recipe(
        tmp_path,
        streams=[AUDIO.name, LOUD.name],
        model={"name": "audio-only", "audio": front, "where": LOUD.name},
        epochs=2,
    )
    list(train(load_recipe(recipe), tmp_path / "store", tmp_path / "voice"))
    evaluate(tmp_path / "voice", role="development")
    out = tmp_path / "both.safetensors"
    combine(part(tmp_path, "voice"), part(tmp_path, "video"), out)
    model, spec = load_model(out)
    assert list(spec.streams) == [AUDIO.name, LOUD.name, VIDEO.name]
    assert spec.options["where"] == LOUD.name
    voice, own = load_model(tmp_path / "voice/fold0/model.safetensors")
    data = Store(tmp_path / "store")
    samples = [{name: data.stream(name)[clip.id] for name in own.streams} for clip in clips[:12]]
    batch = normalise(collate(samples, own.streams), own.normalisation)
    faces, _ = toy_batch(tmp_path)
    with torch.no_grad():
        alone = voice(batch).logits / spec.options["audio"]["temperature"]
        whole = normalise(collate(samples, own.streams), spec.normalisation)
        rows = {name: x[:12] for name, x in faces.streams.items() if name == VIDEO.name}
        whole.streams |= {VIDEO.name: torch.zeros_like(rows[VIDEO.name])}
        whole.masks |= {VIDEO.name: torch.zeros(12, rows[VIDEO.name].shape[1], dtype=torch.bool)}
        said = model(whole).logits.softmax(-1).numpy()
    expected = alone.softmax(-1).numpy()
    neutral = expected[:, :2].sum(1, keepdims=True)  # calm is neutral there
    np.testing.assert_allclose(said, np.concatenate([neutral, expected[:, 2:]], 1), atol=1e-5)
