"""One type of registry: affuse's own names, patterns of names, and those of other packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from affuse.errors import AffuseError
from affuse.registry import Entry, Registry
from tests.toy import toy_recipe

OWN = {
    "json": Entry("json:dumps", "text"),
    "x/a<N>": Entry("json:loads", arguments={"size": int}),
    "x/b-<word>": Entry("json"),
}

PACKAGE = """
import numpy as np
from torch import cat, nn

from affuse.corpora.clip import Clip, Corpus
from affuse.features.stream import Stream, StreamSpec
from affuse.models.base import Model
from affuse.models.layers.pooling import masked_mean


class Mean(Model):
    '''The mean of each stream and a linear layer.'''

    modalities = ("audio", "video")

    def __init__(self, streams, outputs, *, head="classes"):
        super().__init__(streams, outputs, head)
        self.last = nn.Linear(sum(spec.shape[0] for spec in streams.values()), outputs)

    def forward(self, batch):
        means = [masked_mean(batch.streams[n], batch.masks[n]) for n in self.streams]
        return self.answer(self.last(cat(means, -1)), batch.masks["audio/level4"].any(1, True))


class Level:
    '''Levels of a generated sound.'''

    def __init__(self, size, name):
        self.spec = StreamSpec(name, 10.0, (size,), recipe={"extractor": "level"})

    def sources(self, clip):
        return []

    def extract(self, clip):
        values = np.random.default_rng(int(clip.id)).normal(size=(20, *self.spec.shape))
        return Stream(values.astype("f4"), np.ones(20, bool))


def read(root, speakers=8):
    clips = [
        Clip(f"{k:03d}", speaker=f"s{k % speakers}", label="neutral happy".split()[k // 8 % 2])
        for k in range(32)
    ]
    return Corpus("numbers", root, clips, ("neutral", "happy"), "none")
"""
POINTS = """
[affuse.models]
mean = emo_mine:Mean
chumachenko-ia = emo_mine:Mean
broken = emo_absent:Model

[affuse.corpora]
numbers = emo_mine

[affuse.streams]
audio/level<N> = emo_mine:Level
video/level<N> = emo_mine:Level
"""


def test_a_name_or_a_pattern_gives_its_entry() -> None:
    known = Registry("thing", OWN)
    assert known["json"].load()({"a": 1}) == '{"a": 1}' and known["x/a12"] is OWN["x/a<N>"]
    assert known.pattern_of("x/b-my_own") == "x/b-<word>" and known.pattern_of("x/b-") is None
    assert "x/a0" not in known and "x/a.1" not in known and known.get("x/a0") is None
    assert [*known] == [*OWN] and len(known) == 3
    assert known["json"].describe() == "text"
    assert known["x/a1"].describe().startswith("Deserialize ``s``")


def test_a_name_that_does_not_exist_is_one_line_with_the_closest() -> None:
    with pytest.raises(AffuseError) as error:
        Registry("thing", OWN, listed_by="affuse list things")["jsn"]
    assert str(error.value) == (
        "no thing named 'jsn'; did you mean 'json'? there are: json, x/a<N>, x/b-<word>"
    )


def affuse(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    paths = [str(Path(__file__).parents[1] / "src"), str(folder / "packages")]
    return subprocess.run(
        [sys.executable, "-m", "affuse", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_another_package_adds_a_model_streams_and_a_corpus(tmp_path: Path) -> None:
    info = tmp_path / "packages" / "emo_mine-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: emo-mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    (tmp_path / "packages" / "emo_mine.py").write_text(PACKAGE)

    models = affuse(tmp_path, "list", "models", "--json").stdout
    assert "The mean of each stream and a linear layer. (emo-mine)" in models
    assert models.count('"chumachenko-ia"') == 1, "a name of affuse's own is not another's"
    assert "emo_absent:Model of the package emo-mine cannot be imported" in models
    assert "numbers" in affuse(tmp_path, "list", "corpora").stdout

    streams = "audio/level4,video/level3"
    done = affuse(
        tmp_path, "prepare", "numbers", ".", "--streams", streams, "--store", "s", "speakers=8"
    )
    assert done.returncode == 0, done.stderr
    roles = ["train"] * 6 + ["development", "test"]
    lines = [f"{k:03d},s{k % 8},{roles[k % 8]}" for k in range(32)]
    (tmp_path / "protocol.csv").write_text("\n".join(["clip,speaker,fold0", *lines]) + "\n")
    toy_recipe(
        tmp_path, corpus="numbers", streams=streams.split(","), model={"name": "mean"}, epochs=1
    )
    train = ("train", "recipe.yaml", "--store", "s", "--out")
    done = affuse(tmp_path, *train, "run")
    assert done.returncode == 0, done.stderr
    done = affuse(tmp_path, "check", "--model", "run/fold0/model.safetensors")
    assert done.returncode == 0 and "mean on audio/level4" in done.stdout, done.stderr
    done = affuse(tmp_path, *train, "other", "model.name=broken")
    assert done.returncode == 2 and "cannot be imported" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_help_reads_no_entry_points() -> None:
    code = (
        "import sys; from affuse.cli.main import main\n"
        "try: main(['convert', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(any(m in sys.modules for m in ('importlib.metadata', 'numpy', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, stdout=-3).returncode == 0
