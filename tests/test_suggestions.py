"""Names that do not exist: the closest one is suggested, and what there is, in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from affuse.cli.main import VERBS, main
from affuse.corpora.registry import CORPORA
from affuse.evaluation.conditions import CONDITIONS
from affuse.features.catalogue import STREAMS
from affuse.models.registry import MODELS
from affuse.models.systems import SYSTEMS
from affuse.suggestions import closest, hint
from affuse.training.recipe_files import check_keys, list_recipes, load_recipe, recipe_keys

NAMES = {
    "verbs": [*VERBS],
    "models": [*MODELS],
    "corpora": [*CORPORA],
    "conditions": [*CONDITIONS],
    "systems": [*SYSTEMS],
    "recipes": [*list_recipes()],
    "keys": recipe_keys(),
    "streams": [name for name in STREAMS if "<" not in name],
}
chosen = st.sampled_from([(kind, name) for kind, names in NAMES.items() for name in names])


@given(chosen, st.data())
def test_a_slip_of_the_keyboard_is_recognised(where: tuple[str, str], data: st.DataObject) -> None:
    kind, name = where
    if len(name) < 5:
        return
    k = data.draw(st.integers(1, len(name) - 2))
    slip = data.draw(st.sampled_from(["swap", "drop", "double", "other"]))
    typed = {
        "swap": name[:k] + name[k + 1] + name[k] + name[k + 2 :],
        "drop": name[:k] + name[k + 1 :],
        "double": name[:k] + name[k] + name[k:],
        "other": name[:k] + "x" + name[k + 1 :],
    }[slip]
    if typed in NAMES[kind]:
        return
    found = closest(typed, NAMES[kind])
    assert found is not None
    # several names may be one letter away from what was typed; it is one of those
    assert found == name or abs(len(found) - len(typed)) <= 2


@given(chosen)
def test_capitals_and_separators_do_not_count(where: tuple[str, str]) -> None:
    kind, name = where
    assert closest(name.upper(), NAMES[kind]) == name
    assert closest(name.replace("-", "_"), NAMES[kind]) == name


@pytest.mark.parametrize(
    ("typed", "kind", "meant"),
    [
        ("predct", "verbs", "predict"),
        ("chumachenko-ai", "models", "chumachenko-ia"),
        ("chumachenko_ia", "models", "chumachenko-ia"),
        ("optimizer.lr", "keys", "optimiser.lr"),
        ("optimiser.learning_rate", "keys", "optimiser.lr"),
        ("lbaels.smoothing", "keys", "labels.smoothing"),
        ("overtime.smoothing", "keys", "over_time.smoothing"),
        ("epoch", "keys", "epochs"),
        ("normalization", "keys", "normalisation"),
        ("label.rule", "keys", "labels.rule"),
        ("batchsize", "keys", "batch_size"),
        ("weight_decay", "keys", "optimiser.weight_decay"),
        ("qqq", "keys", None),
    ],
)
def test_what_was_meant(typed: str, kind: str, meant: str | None) -> None:
    assert closest(typed, NAMES[kind]) == meant


def test_a_long_list_says_what_lists_the_rest() -> None:
    said = hint("xyzzy", MODELS, "affuse list models")
    assert said.startswith("there are: audio-only, ") and said.endswith("(all: affuse list models)")
    assert hint("a", []) == "there are none"


@pytest.mark.parametrize("name", [*list_recipes()])
def test_every_key_that_a_recipe_writes_is_known(name: str) -> None:
    check_keys(yaml.safe_load(load_recipe(name).to_yaml()))


MISTAKES = {
    "predct x": "did you mean 'predict'",
    "list modles": "did you mean 'models'",
    "train chumachenko-ai --store s --out r": "did you mean 'chumachenko-ia'",
    "train chumachenko-ia optimizer.lr=1 --store s --out r": "did you mean 'optimiser.lr'",
    "train chumachenko-ia epoch=3 --store s --out r": "did you mean 'epochs'",
    "train chumachenko-ia optimiser.lrr=3 --store s --out r": "did you mean 'optimiser.lr'",
    "train chumachenko-ia labels.rules=given --store s --out r": "did you mean 'labels.rule'",
    "train demo --alow speaker --store s --out r": "did you mean --allow",
    "convert chumachenco x --out y": "did you mean 'chumachenko'",
    "prepare ravdes x --streams audio/mfcc10 --store s": "did you mean 'ravdess'",
    "prepare ravdess x chanel=song --streams audio/mfcc10 --store s": "did you mean 'channel'",
    "synth cremed o": "did you mean 'cremad'",
    "synth ravdess o actor=3": "did you mean 'actors'",
    "fetch ravdes o": "did you mean 'ravdess'",
    "predict x --out o --hopp 3": "did you mean --hop",
    "predict x --source video/emoca5=3 --out o": "did you mean 'video/emoca50'",
    "evaluate x --role tst": "did you mean 'test'",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistyped_name_is_one_line_that_names_the_right_one(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = main(command.split())
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr().err.rstrip("\n")
    assert code == 2 and MISTAKES[command] in said
    assert "\n" not in said and len(re.sub(r"\S*/\S*/\S*", "", said)) <= 240
    assert not any(tmp_path.iterdir())
