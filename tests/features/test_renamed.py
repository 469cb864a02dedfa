"""Streams, options and recipes by the names that earlier versions of affuse gave them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.toy import Toy

from affuse.corpora.clip import Clip, Corpus
from affuse.features.catalogue import Rated, create_extractor, is_stream, needs_rate, pattern_of
from affuse.features.extractor import check_same_stream
from affuse.features.prepare import prepare
from affuse.features.renamed import current_name, earlier_name
from affuse.features.store import Store
from affuse.features.stream import StreamSpec
from affuse.models.registry import create_model
from affuse.training.recipe_files import list_recipes, load_recipe

NAMES = {
    "audio/mfcc10-reference": "audio/mfcc10-published",
    "audio/mfcc10-reference-constant": "audio/mfcc10-published-constant",
    "audio/vggish-reference": "audio/vggish-published",
    "video/tsav-reference": "video/tsav-published",
    "video/aligned48-reference": "video/aligned48-published",
    "video/faces224-reference-30": "video/faces224-published-30",
    "audio/own-voice": "audio/imported-voice",
    "video/own-my-reference": "video/imported-my-reference",
}


@pytest.mark.parametrize(("earlier", "current"), NAMES.items())
def test_a_stream_is_known_by_both_names(earlier: str, current: str) -> None:
    assert current_name(earlier) == current and earlier_name(current) == earlier
    assert current_name(current) == current and earlier_name(earlier) == earlier
    assert is_stream(earlier) and pattern_of(earlier) == pattern_of(current)
    assert needs_rate(earlier) == needs_rate(current) == ("imported" in current)


@pytest.mark.parametrize("name", ["audio/mfcc10", "video/frozen-reference", "video/openface"])
def test_other_names_are_as_they_were(name: str) -> None:
    assert current_name(name) == earlier_name(name) == name


def test_what_is_asked_for_by_an_earlier_name_is_called_so(tmp_path: Path) -> None:
    earlier, current = (
        create_extractor(f"audio/mfcc39-{n}").spec for n in ("reference", "published")
    )
    assert earlier.name == "audio/mfcc39-reference" and earlier.recipe == current.recipe
    np.save(tmp_path / "a.npy", np.zeros((5, 3), np.float32))
    for asked, told in (("own", "imported"), ("imported", "own")):
        sources = {f"audio/{told}-x": Rated(tmp_path, 25.0)}
        assert create_extractor(f"audio/{asked}-x", sources).spec.name == f"audio/{asked}-x"


def test_a_spec_that_was_written_before_is_that_of_today() -> None:
    facts = create_extractor("audio/mfcc39-reference").spec.to_json()
    facts["recipe"]["placing"] = {"published": "reference"}[facts["recipe"].pop("alignment")]
    facts["recipe"]["reads"] = {
        "name": "video/aligned48-reference",
        "recipe": {"placing": "causal"},
    }
    read = StreamSpec.from_json(json.loads(json.dumps(facts)))
    assert read.recipe["alignment"] == "published" and "placing" not in read.recipe
    assert read.recipe["reads"] == {
        "name": "video/aligned48-published",
        "recipe": {"alignment": "causal"},
    }
    del facts["recipe"]["reads"]
    check_same_stream(create_extractor("audio/mfcc39-reference").spec, StreamSpec.from_json(facts))


@pytest.mark.parametrize(
    ("written", "asked"), [*NAMES.items(), *((b, a) for a, b in NAMES.items())]
)
def test_a_store_gives_a_stream_by_both_names(tmp_path: Path, written: str, asked: str) -> None:
    clips = [Clip("1", label="calm"), Clip("2", label="happy")]
    corpus = Corpus("folder", tmp_path, clips, ("calm", "happy"), "none")
    prepare(corpus, tmp_path / "store", [Toy(StreamSpec(written, 10.0, (3,)))])
    store = Store(tmp_path / "store")
    assert store.has(written) and store.has(asked)
    ours, theirs = store.stream(asked), store.stream(written)
    assert (ours.spec.name, theirs.spec.name) == (asked, written)
    assert np.array_equal(ours["1"].values, theirs["1"].values)
    assert len(store.usable([asked])) == 2


def test_a_recipe_may_use_earlier_names(tmp_path: Path) -> None:
    earlier = load_recipe("chumachenko-ia-reference", ["streams=[audio/mfcc10-reference]"])
    assert earlier.streams == ("audio/mfcc10-published",)
    assert earlier.name == "chumachenko-ia-published" in list_recipes()
    path = tmp_path / "r.yaml"
    path.write_text(earlier.to_yaml().replace("masking: published", "masking: reference"))
    assert load_recipe(path, written=True).model == earlier.model
    assert load_recipe(path, ["model.masking=sound"]).model["masking"] == "exclude"


def test_a_model_takes_earlier_values_of_its_options() -> None:
    specs = {
        s.name: s for s in (StreamSpec("audio/x", 10.0, (3,)), StreamSpec("video/x", 10.0, (3,)))
    }
    earlier = create_model("chumachenko-it", specs, 3, masking="reference", heads=1)
    assert earlier.masking == "published"
    assert create_model("chumachenko-it", specs, 3, masking="sound", heads=1).masking == "exclude"
