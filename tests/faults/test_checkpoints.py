"""A training that is killed, or has damaged checkpoints, ends in the same model or says why."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from affuse.cli.main import main
from affuse.errors import BadInput
from affuse.execution.files import sweep
from affuse.training.checkpoints import Checkpoints, read_checkpoint, to_go_on_from
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train
from tests.toy import toy_recipe

SMALL = {
    "model": {"name": "audio-only", "audio": {"name": "mfcc-conv", "width": 4}},
    "streams": ["audio/mfcc10"],
    "epochs": 4,
    "batch_size": 4,
    "augmentation": {"gaussian_noise": 0.3, "shift": 0.1},
}
KEPT = "run/fold0/checkpoints"


def run(
    folder: Path, out: str = "run", resume: bool = False, told: list[str] | None = None, **more: Any
) -> bytes:
    recipe = load_recipe(toy_recipe(folder, **SMALL | more))
    say = (told if told is not None else []).append
    found = dict(train(recipe, folder / "store", folder / out, [0], resume, say=say))
    return found[0].read_bytes()


def unfinished(folder: Path, **more: Any) -> bytes:
    """The bytes of a finished training; its model file is then taken away."""
    whole = run(folder, **more)
    (folder / "run/fold0/model.safetensors").replace(folder / "whole")
    return whole


def killed_at(folder: Path, what: str, number: int, **more: Any) -> None:
    """Train in another process that is killed (SIGKILL) when it gets to something.

    Args:
        folder: With the store.
        what: `write`, amid the bytes of a checkpoint; `replace`, before a file takes its place;
            `best` or `last`, once that checkpoint did.
        number: How many times it passes before.
        more: Changes to the recipe.
    """

    def child() -> None:
        left = number

        def count(place: Path) -> None:
            nonlocal left
            if place.suffix in (".ckpt", ".safetensors"):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        save, replace = torch.save, Path.replace

        def written(content: Any, path: Any) -> None:
            save(content, path)
            if what == "write":
                if not left:
                    os.truncate(path, path.stat().st_size // 2)
                count(path)

        def replaced(self: Path, target: Any) -> Path:
            if what == "replace":
                count(Path(target))
            result = replace(self, target)
            if what == Path(target).stem:
                count(Path(target))
            return result

        torch.save, Path.replace = written, replaced
        run(folder, resume=True, **more)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def flipped(path: Path) -> bytes:
    """A checkpoint in which one bit of a weight is another; elsewhere there is padding."""
    weights = max(read_checkpoint(path)["state_dict"].values(), key=torch.numel)
    data = bytearray(path.read_bytes())
    data[data.index(weights.numpy().tobytes()) + 2] ^= 1
    return bytes(data)


def strays(folder: Path) -> list[str]:
    return [str(p) for p in folder.rglob(".*") if p.name != ".lock"]


def files(folder: Path) -> list[str]:
    """What a run holds, but for the logs that grow with every start."""
    found = (str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    return sorted(name for name in found if "tensorboard" not in name)


@pytest.mark.parametrize(
    ("what", "number"), [("write", 2), ("replace", 4)], ids=["amid a write", "before a rename"]
)
def test_killed_while_it_keeps_an_epoch(small: Path, what: str, number: int) -> None:
    whole = run(small, "whole")
    killed_at(small, what, number)
    assert strays(small / "run"), "the kill came amid a write"
    told: list[str] = []
    assert run(small, resume=True, told=told) == whole
    assert told and told[-1].startswith("toy fold 0: goes on after epoch ")
    assert not strays(small / "run")
    assert files(small / "run") == files(small / "whole")


def test_killed_between_the_best_and_the_last(small: Path) -> None:
    """`best.ckpt` is one epoch ahead then; a schedule that reloads it must not go back."""
    more = {
        "optimiser": {"name": "adam", "lr": 1e-3, "schedule": "plateau"},
        "plateau": {"patience": 0, "reload": True, "stop": 50, "lowest": 1e-9},
    }
    whole = run(small, "whole", **more)
    killed_at(small, "best", 1, **more)
    ahead, last = (read_checkpoint(small / KEPT / f"{n}.ckpt")["epoch"] for n in ("best", "last"))
    assert ahead == last + 1
    assert run(small, resume=True, **more) == whole


@pytest.mark.parametrize(
    ("selection", "how"), [("best", "cut"), ("last", "flipped"), ("last", "empty")]
)
def test_a_damaged_last_checkpoint_is_told_and_gone_around(
    small: Path, selection: str, how: str
) -> None:
    whole = run(small, "whole", selection=selection)
    killed_at(small, "last", 2, selection=selection)
    last = small / KEPT / "last.ckpt"
    whole_file = last.read_bytes()
    damaged = {"cut": whole_file[: len(whole_file) // 2], "flipped": flipped(last), "empty": b""}
    last.write_bytes(damaged[how])
    told: list[str] = []
    assert run(small, resume=True, told=told, selection=selection) == whole
    assert told[0].startswith(f"{last}: ") and "damaged" in told[0]
    assert told[1].startswith("toy fold 0: goes on after epoch ")


def test_where_nothing_can_be_read_it_says_how_to_begin_again(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unfinished(small)
    for name in ("best", "last"):
        (small / KEPT / f"{name}.ckpt").write_bytes(b"no longer a checkpoint")
    recipe, store = str(toy_recipe(small, **SMALL)), str(small / "store")
    words = ["train", recipe, "fold=0", "--store", store, "--out", str(small / "run"), "--resume"]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert re.fullmatch(r".*best\.ckpt: .* or damaged; remove \S+checkpoints to begin .*", line)


def test_the_best_epoch_cannot_be_replaced(small: Path) -> None:
    unfinished(small)
    best = small / KEPT / "best.ckpt"
    best.write_bytes(flipped(best))
    with pytest.raises(BadInput, match=r"best\.ckpt: .*damaged.* remove"):
        run(small, resume=True)


class Harm:
    """A pickle that writes a file when it is opened with trust."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return (os.system, (f"touch {self.place}",))


@pytest.mark.parametrize("how", ["torch", "pickle"])
@pytest.mark.parametrize("name", ["last", "best"])
def test_a_checkpoint_from_outside_executes_nothing(small: Path, how: str, name: str) -> None:
    unfinished(small)
    path, done = small / KEPT / f"{name}.ckpt", small / "done"
    harm = {"state_dict": {}, "epoch": 3, "extra": Harm(done)}
    if how == "torch":
        torch.save(harm, path)
    else:
        path.write_bytes(pickle.dumps(harm))
    whole = (small / "whole").read_bytes()
    if name == "best":
        with pytest.raises(BadInput, match=r"best\.ckpt: .*(holds code|damaged)"):
            run(small, resume=True)
    else:
        told: list[str] = []
        assert run(small, resume=True, told=told) == whole
        assert re.match(rf"{path}: .*(holds code|damaged)", told[0])
    assert not done.exists()


def test_a_checkpoint_of_another_model_is_refused(small: Path) -> None:
    unfinished(small)
    run(small, "other", model={"name": "audio-only", "pooling": "attention-max"})
    for name in ("best", "last"):
        (small / "other/fold0/checkpoints" / f"{name}.ckpt").replace(small / KEPT / f"{name}.ckpt")
    with pytest.raises(BadInput, match=r"last\.ckpt: (lacks|has unknown) weights: model\."):
        run(small, resume=True)


def test_a_checkpoint_from_before_is_gone_on_from(small: Path) -> None:
    """The first versions had no digest, and mappings of other kinds."""
    whole = run(small, "whole")
    killed_at(small, "last", 1)
    for name in ("best", "last"):
        path = small / KEPT / f"{name}.ckpt"
        content = read_checkpoint(path)
        content["state_dict"] = OrderedDict(content["state_dict"])
        torch.save(content, path)
    assert run(small, resume=True) == whole


def test_what_is_kept_is_plain_and_everybody_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "last.ckpt"
    before = os.umask(0o022)
    try:
        content = {"state_dict": {"w": torch.ones(2)}, "epoch": 0, "callbacks": {"a": (1, None)}}
        Checkpoints().save_checkpoint(content, path)
        Checkpoints().save_checkpoint(content | {"epoch": 1}, path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644
    again = torch.load(path, weights_only=True)
    assert again["callbacks"] == {"a": (1, None)} and again["state_dict"]["w"].tolist() == [1, 1]
    assert read_checkpoint(path.with_name("previous.ckpt"))["epoch"] == 0
    assert to_go_on_from(path.parent) == (path, [])
    with pytest.raises(TypeError, match="cannot hold a Linear"):
        Checkpoints().save_checkpoint(content | {"extra": nn.Linear(1, 1)}, path)
    assert read_checkpoint(path)["epoch"] == 1 and not strays(tmp_path)


def test_a_full_disk_leaves_the_epoch_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    content = {"state_dict": {"w": torch.ones(2)}, "epoch": 0}
    Checkpoints().save_checkpoint(content, path)

    def full(what: Any, place: Path) -> None:
        place.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(BadInput, match="No space"):
        Checkpoints().save_checkpoint(content | {"epoch": 1}, path)
    assert read_checkpoint(path)["epoch"] == 0 and not strays(tmp_path)


def test_only_files_of_killed_writers_are_swept(tmp_path: Path) -> None:
    kept = {".lock", ".hidden", "a.1234.ckpt", "last.ckpt", ".last.ckpt"}
    for name in kept:
        (tmp_path / name).touch()
    for name in ("last.ckpt", "model.safetensors", "run.json"):
        killed = f"""
import os, signal
from pathlib import Path
from affuse.execution.files import atomic_path
with atomic_path(Path({str(tmp_path / name)!r})) as path:
    path.touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""
        assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -9
    assert {p.name for p in tmp_path.iterdir()} > kept
    sweep(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == kept


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", [False, True], ids=["TMPDIR here", "TMPDIR elsewhere"])
def test_killed_at_random_moments(small: Path, elsewhere: bool) -> None:
    """Twenty kills, each followed by --resume; the end is that of a training left alone."""
    whole = run(small, "whole", epochs=12)
    recipe = toy_recipe(small, **SMALL | {"epochs": 12})
    words = ["train", str(recipe), "fold=0", "--store", str(small / "store"), "--resume"]
    command = [sys.executable, "-m", "affuse", *words, "--out", str(small / "run")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if elsewhere:
        if not os.access("/dev/shm", os.W_OK):
            pytest.skip("no other file system (/dev/shm) to put TMPDIR on")
        environment["TMPDIR"] = "/dev/shm"
    drawn = random.Random(14 + elsewhere)
    kills = 0
    model = small / "run/fold0/model.safetensors"
    while kills < 20:
        before = len(list((small / KEPT).glob("*.ckpt"))) if (small / KEPT).is_dir() else 0
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
            # from the first epoch kept on, or, if none was, from when it is about to begin
            deadline = time.monotonic() + 60
            started = time.time()
            while process.poll() is None and time.monotonic() < deadline:
                fresh = [p for p in (small / "run").rglob("*.ckpt") if p.stat().st_mtime > started]
                if fresh or (before == 0 and (small / "run/fold0/split.json").is_file()):
                    break
                time.sleep(0.002)
            time.sleep(drawn.uniform(0, 0.25))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            assert process.wait() in (0, -signal.SIGKILL)
        if model.is_file():  # it had come to the end: all over again
            assert model.read_bytes() == whole
            model.unlink()
            for path in (small / KEPT).glob("*.ckpt"):
                path.unlink()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert model.read_bytes() == whole
    assert not strays(small / "run")
    assert files(small / "run") == files(small / "whole")
