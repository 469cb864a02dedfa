"""Recipes trained to their published quality, as far as their time allows, where the data is."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.device.setting import Figures, Setting

AFFUSE = [sys.executable, "-m", "affuse"]
#: Seconds that are kept to evaluate, and to end a training that is stopped.
_EVALUATION, _ENDING = 25.0, 15.0


@dataclass(frozen=True)
class Training:
    """A recipe, its data, and what it reached elsewhere.

    Args:
        recipe: Its name.
        needs: Files and folders of the data sets.
        prepare: Words of `affuse prepare` but the store; `{data}` stands for the data sets.
        changes: Of the recipe, and options of `train`.
        folds: That are trained at once.
        published: Accuracy of all test clips, and where it is from.
        data: Folder of the data sets.
    """

    recipe: str
    needs: tuple[str, ...]
    prepare: tuple[str, ...]
    changes: tuple[str, ...]
    folds: int
    published: dict[str, Any]
    data: Path


def ferplus(setting: Setting) -> Figures:
    """The small face network on FER+; quickly, for an epoch on a few generated images."""
    data, changes = setting.data, ()
    if setting.quick:
        from tests.ferplus import draw, write_archive

        data, changes = setting.work, ("epochs=1", "batch_size=16")
        write_archive(data / "ferplus", draw(60))
        yield "data", "generated"
    yield from _trained(
        setting,
        Training(
            "ferplus-small",
            ("ferplus/ferplus.npz",),
            ("ferplus", "{data}/ferplus", "--streams", "video/aligned48"),
            changes,
            1,
            {"accuracy": 0.807, "page": "docs/results/backbones.md"},
            data,
        ),
    )


def whisper(setting: Setting) -> Figures:
    """The voice of RAVDESS by the first layers of Whisper base, five folds; not quickly."""
    if setting.quick:
        yield "data", "left out: --quick"
        return
    weights = "whisper/whisper-base-encoder.safetensors"
    stream = "audio/whisper-base-layers4"
    yield from _trained(
        setting,
        Training(
            "ravdess-whisper",
            ("ravdess_speech", weights),
            (
                *("ravdess", "{data}/ravdess_speech", "--streams", stream),
                *("--source", f"{stream}={{data}}/{weights}"),
            ),
            ("--allow", "missing"),
            5,
            {"accuracy": 0.774, "page": "docs/results/ravdess-whisper.md"},
            setting.data,
        ),
    )


def _trained(setting: Setting, training: Training) -> Figures:
    if missing := [name for name in training.needs if not (training.data / name).exists()]:
        yield "data", f"absent: {missing[0]}"
        return
    yield "published", training.published
    store, run = setting.work / "store", setting.work / "run"
    words = [word.format(data=training.data) for word in training.prepare]
    workers = str(os.cpu_count() or 1)
    yield from _done("prepare", setting, [*words, "--store", str(store), "--workers", workers])
    words = [training.recipe, *training.changes, "--store", str(store), "--out", str(run)]
    if training.folds > 1:
        words += ["--grid", "seed=1", "--jobs", str(training.folds)]
        run = run / "runs" / "recipe" / "seed1"
    yield from _done("train", setting, [*words, "--device", setting.device])
    yield "epochs", {path.parent.name: _last(path) for path in sorted(run.glob("fold*/log.csv"))}
    yield from _done("evaluate", setting, [str(run), "--json"], _EVALUATION)


def _done(verb: str, setting: Setting, words: list[str], kept: float = 0.0) -> Figures:
    """Run a verb in what is left of the time; how long it took, and what went wrong."""
    left = setting.left - (0 if kept else _EVALUATION) - _ENDING
    began = time.monotonic()
    with subprocess.Popen(
        [*AFFUSE, verb, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"AFFUSE_NO_BARS": "1"},
    ) as process:
        try:
            printed, said = process.communicate(timeout=max(left, 1))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # what was finished is kept
            try:
                printed, said = process.communicate(timeout=_ENDING)
            except subprocess.TimeoutExpired:
                process.kill()
                printed, said = process.communicate()
            yield f"{verb}_stopped_after", round(left, 1)
    yield f"{verb}_seconds", round(time.monotonic() - began, 1)
    if process.returncode not in (0, 130):
        yield f"{verb}_error", said.strip().splitlines()[-1:] or f"exit code {process.returncode}"
    if verb == "evaluate" and process.returncode == 0:
        yield "evaluation", json.loads(printed)


def _last(log: Path) -> dict[str, str]:
    """The last epoch of a training."""
    with log.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row]
    return rows[-1] if rows else {}
