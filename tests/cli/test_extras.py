"""The base is enough to predict, and what needs an extra names it in one line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from tests.commands import refused
from tests.faults.models import tone, voice_model
from tests.inference.recordings import values_model

from affuse.cli.main import NEEDS, VERBS
from affuse.extras import EXTRAS, advice

ROOT = Path(__file__).parents[2]
PACKAGES = sorted({package for packages in EXTRAS.values() for package in packages})
#: Words of a command of each verb that needs an extra.
WORDS = {
    "train": "demo --store s --out r",
    "evaluate": "run",
    "check-model": "run",
    "calibrate": "run",
    "compare": "a b",
    "report": "run",
    "card": "run",
    "table": "t.yaml --out t",
    "power": "--speakers 24 --clips 60 --accuracy 0.7",
    "reproduce": "--list",
    "combine": "--audio a --video b --out c",
    "ensemble": "run --out o",
    "agree": "a b",
    "events": "e.csv t.json --out o",
    "demo": "",
    "bench": "store",
    "serve": "--data d",
    "export": "--out x.onnx",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process in which nothing of an extra can be imported."""
    return without(tmp_path_factory.mktemp("site"), *PACKAGES)


def without(site: Path, *packages: str) -> dict[str, str]:
    """The environment of a process in which some packages cannot be imported.

    Args:
        site: An empty folder.
        packages: Their names.
    """
    lines = ["import sys", f"sys.modules.update(dict.fromkeys({packages}))"]
    (site / "sitecustomize.py").write_text("\n".join(lines) + "\n")
    path = os.pathsep.join([str(site), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path}


def affuse(base: dict[str, str], *words: object) -> str:
    """What a command prints that is done without any extra."""
    done = subprocess.run(
        [sys.executable, "-m", "affuse", *map(str, words)], env=base, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed(requirements: list[str]) -> set[str]:
    """Names of packages as they are written in Python."""
    return {re.split(r"[>=<]", one)[0].lower().replace("-", "_") for one in requirements}


def test_extras_are_those_of_the_package() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name: listed(those) for name, those in told["optional-dependencies"].items()}
    names = {
        name: owners[0].lower().replace("-", "_")
        for name, owners in packages_distributions().items()
    }
    for extra, packages in EXTRAS.items():
        also = extras["train"] if "affuse[train]" in extras[extra] else set()
        known = {names.get(package, package) for package in packages}
        assert known == (extras[extra] - {"affuse[train]"}) | also, extra
    trained = {"lightning", "tensorboard", "pandas", "scipy", "scikit_learn"}
    assert not listed(told["dependencies"]) & trained


@pytest.mark.parametrize("verb", NEEDS)
def test_a_verb_names_the_extra_that_it_needs(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    package = EXTRAS[NEEDS[verb]][-1]
    monkeypatch.setitem(sys.modules, package, None)
    line = refused(capsys, verb, *WORDS[verb].split())
    install = f'pip install "affuse[{NEEDS[verb]}]"'
    assert line == f"affuse {verb}: needs {package}, which is not installed: {install}"
    assert not list(tmp_path.iterdir())


def test_other_verbs_name_the_extra_where_they_come_to_it(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "affuse", "synth", "ravdess", str(tmp_path / "r"), "actors=1"]
    environment = without(tmp_path, "skimage")
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert 'needs skimage, which is not installed: pip install "affuse[demo]"' in done.stderr
    assert advice("numpy.linalg") is None and "affuse[train]" in advice("scipy.special")


def test_predict_needs_no_extra(base: dict[str, str], tmp_path: Path) -> None:
    model = voice_model(tmp_path / "voice.safetensors")
    words = ("--model", model, "--formats=eaf,tidy", "--out", tmp_path / "out")
    assert "a.wav: " in affuse(base, "predict", tone(tmp_path / "a.wav"), *words)


@pytest.mark.slow
def test_what_else_the_base_does(base: dict[str, str], tmp_path: Path) -> None:
    for verb in VERBS:
        assert affuse(base, verb, "--help")
    for what in ("models", "systems", "corpora", "streams", "recipes", "protocols", "leaks"):
        assert affuse(base, "list", what)
    for what in ("conditions", "detectors", "frontends", "changes"):
        assert affuse(base, "list", what)
    tone(tmp_path / "in/joy/a.wav", 2)
    tone(tmp_path / "in/fear/b.wav", 3)
    affuse(base, "check", "folder", tmp_path / "in")
    store = ("--store", tmp_path / "s", "--streams", "audio/mfcc10,video/faces48")
    affuse(base, "prepare", "folder", tmp_path / "in", *store)
    affuse(base, "parity", ROOT / "tests" / "parity" / "cases")


@pytest.mark.slow
def test_the_base_predicts_folders_values_and_live(base: dict[str, str], tmp_path: Path) -> None:
    sound = tone(tmp_path / "in/a.wav", 2)
    voice = voice_model(tmp_path / "voice.safetensors")
    values = values_model(tmp_path / "values.safetensors", name="rjca")
    words = ("--model", voice, "--explain", "--jobs", 2, "--out", tmp_path / "o1")
    affuse(base, "predict", tmp_path / "in", *words)
    words = ("--model", values, "--smoothing", "published", "--out", tmp_path / "o2")
    affuse(base, "predict", sound, *words)
    assert "valence" in affuse(base, "live", sound, "--model", values)
