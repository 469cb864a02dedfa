"""Grids and preparations at real sites of Parsl end as without one, whatever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tests.folders import tree
from tests.toy import toy_recipe, toy_store

parsl = pytest.importorskip("parsl", reason='needs parsl: pip install "affuse[cluster]"')
psutil = pytest.importorskip("psutil")  # that parsl installs

AFFUSE = [sys.executable, "-m", "affuse"]
SITES = Path(__file__).parents[2] / "examples" / "sites"
LOCAL = ["local-threads", "local-processes"]
GRID = ["--grid", "model.name=late,early", "seed=1..2"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of two folds and a recipe of one epoch; not to be written to."""
    folder = tmp_path_factory.mktemp("site")
    toy_store(folder, clips=32)
    toy_recipe(folder, selection="last", epochs=1)
    return folder


def grid(folder: Path, out: Path, *words: str) -> list[str]:
    train = ["train", folder / "recipe.yaml", "--store", folder / "store", "--device", "cpu"]
    return [*AFFUSE, *map(str, train), "--out", str(out), *(words or GRID)]


def models(out: Path) -> dict[str, bytes]:
    """The models and results of all runs."""
    ends = (".safetensors", "predictions.csv", "log.csv")
    return {name: data for name, data in tree(out).items() if name.endswith(ends)}


@pytest.fixture(scope="module")
def made(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the grid leaves without a site; not to be written to."""
    out = tmp_path_factory.mktemp("made")
    assert subprocess.run(grid(folder, out)).returncode == 0
    return out


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A command that hears signals; nothing that it started outlives the block."""
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a test run in the background ignores Ctrl-C, and its children would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        started: list[Any] = []
        try:
            yield process
            started = descendants(process.pid)
        finally:
            for one in started:
                one.kill()
            process.kill()


def descendants(pid: int) -> list[Any]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def of_site(site: Path) -> list[Any]:
    """Processes that Parsl started for a folder of logs, wherever they hang."""
    return [one for one in psutil.process_iter() if str(site) in " ".join(words(one))]


def words(process: Any) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def wait_for(
    what: Callable[[], object], process: subprocess.Popen[str], limit: float = 240
) -> None:
    until = time.monotonic() + limit
    while not what():
        assert process.poll() is None and time.monotonic() < until, process.stderr.read()
        time.sleep(0.05)


@pytest.mark.parametrize("site", LOCAL)
def test_a_grid_at_a_site_ends_in_the_same_bytes(
    folder: Path, made: Path, tmp_path: Path, site: str
) -> None:
    command = [*grid(folder, tmp_path), "--site", str(SITES / f"{site}.yaml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "late, seed 1: fold 0 of 2 trained" in done.stderr
    assert models(tmp_path) == models(made)
    assert not (tmp_path / "parsl").exists()


@pytest.mark.parametrize("site", LOCAL)
def test_what_fails_at_a_site_is_told_as_elsewhere(folder: Path, tmp_path: Path, site: str) -> None:
    wrong = ["--grid", "optimiser.lr=1e-3,1e30", "optimiser.name=sgd"]
    told = []
    for name, words in (
        ("here", ["--jobs", "2"]),
        ("site", ["--site", str(SITES / f"{site}.yaml")]),
    ):
        command = [*grid(folder, tmp_path / name, *wrong), *words]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1, done.stderr
        failures = json.loads((tmp_path / name / "table.json").read_text())["failures"]
        assert len(failures) == 1 and "lower optimiser.lr" in str(failures)
        told.append((failures, models(tmp_path / name)))
    assert told[0] == told[1]


@pytest.mark.parametrize("site", LOCAL)
def test_prepare_at_a_site_ends_in_the_same_bytes(tmp_path: Path, site: str) -> None:
    random = np.random.default_rng(0)
    rows = ["path,label", "absent.wav,joy"]
    for k in range(6):
        soundfile.write(tmp_path / f"{k}.wav", 0.1 * random.standard_normal(32000), 16000)
        rows.append(f"{k}.wav,{['joy', 'fear'][k % 2]}")
    (tmp_path / "bad.wav").write_bytes(b"RIFF no sound")
    (tmp_path / "clips.csv").write_text("\n".join([*rows[:1], *rows[2:], "bad.wav,joy"]) + "\n")
    printed = []
    for store, words in (("here", []), ("site", ["--site", str(SITES / f"{site}.yaml")])):
        where = ["--store", str(tmp_path / store), "--streams", "audio/mfcc10"]
        command = [*AFFUSE, "prepare", "folder", str(tmp_path), *where, *words]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2, done.stderr
        printed.append(done.stderr.replace(str(tmp_path / store), "STORE"))
    assert printed[0] == printed[1]
    assert tree(tmp_path / "here") == tree(tmp_path / "site")


def processes(tmp_path: Path) -> tuple[Path, Path]:
    """A site of two processes, and its folder of logs."""
    logs = tmp_path / "logs"
    (tmp_path / "site.yaml").write_text(f"kind: processes\nworkers: 2\nlogs: {logs}\n")
    return tmp_path / "site.yaml", logs


def test_a_worker_that_is_killed_costs_nothing(folder: Path, made: Path, tmp_path: Path) -> None:
    """And nothing listens beyond this machine meanwhile."""
    site, logs = processes(tmp_path)
    out = tmp_path / "out"
    with running([*grid(folder, out), "--site", str(site)]) as process:
        wait_for(lambda: [*out.glob("runs/*/*/fold*/*")], process)
        started = of_site(logs)
        workers = [two for one in started for two in one.children() if busy(two)]
        assert workers
        for one in {*started, *descendants(process.pid), *workers}:
            for socket in one.net_connections("inet"):
                address = ip_address(socket.laddr.ip)
                assert (getattr(address, "ipv4_mapped", None) or address).is_loopback
        workers[0].kill()
        _, printed = process.communicate(timeout=300)
        assert process.returncode == 0, printed
    assert models(out) == models(made) and "failed" not in printed
    assert "has been restarted" in "".join(path.read_text() for path in logs.rglob("manager.log"))
    assert not of_site(logs)


def busy(process: Any) -> bool:
    """Whether it is a worker of Parsl that has a process at work."""
    return any("affuse.execution.worker" in " ".join(words(one)) for one in process.children())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])  # of the whole group
def test_an_interrupt_ends_the_workers_and_the_same_command_goes_on(
    folder: Path, made: Path, tmp_path: Path, how: signal.Signals
) -> None:
    site, logs = processes(tmp_path)
    out = tmp_path / "out"
    command = [*grid(folder, out), "--site", str(site)]
    with running(command) as process:
        wait_for(lambda: [*out.glob("runs/*/*/fold*/model.safetensors")], process)
        left = [*of_site(logs), *descendants(process.pid)]
        left += [two for one in left for two in one.children(recursive=True)]
        os.killpg(process.pid, how)
        _, printed = process.communicate(timeout=60)
        assert process.returncode == 128 + how, printed
    assert "what was finished is kept" in printed and "Traceback" not in printed
    _, alive = psutil.wait_procs(left, 10)
    assert not alive
    kept = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*/fold*/model.safetensors")}
    assert kept
    assert subprocess.run(command).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert models(out) == models(made)


def test_a_broker_that_is_killed_ends_the_command(folder: Path, tmp_path: Path) -> None:
    site, logs = processes(tmp_path)
    out = tmp_path / "out"
    with running([*grid(folder, out), "--site", str(site)]) as process:
        wait_for(lambda: [*out.glob("runs/*/*/fold*/*")], process)
        left = of_site(logs)
        (broker,) = [one for one in descendants(process.pid) if "interchange" in str(words(one))]
        broker.kill()
        _, printed = process.communicate(timeout=60)
    assert process.returncode == 2, printed
    assert "interchange, which gives out work, has ended" in printed.splitlines()[-1]
    assert not psutil.wait_procs(left, 10)[1]


def test_a_site_that_gives_no_workers_is_one_line(folder: Path, tmp_path: Path) -> None:
    """Without a scheduler here, `sbatch` is not there."""
    (tmp_path / "site.yaml").write_text("kind: slurm\nworkers: 1\naddress: 127.0.0.1\n")
    environment = os.environ | {"PATH": "/usr/bin:/bin"}
    command = [*grid(folder, tmp_path / "out"), "--site", str(tmp_path / "site.yaml")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr
    assert "--site" in done.stderr.splitlines()[-1]


def test_a_slurm_gives_the_nodes(
    slurm: dict[str, str], folder: Path, made: Path, tmp_path: Path
) -> None:
    """Jobs that Parsl asks a real one for do the work, and end with the command."""
    site = tmp_path / "site.yaml"
    site.write_text(
        "{kind: slurm, workers: 2, memory: 3, max_blocks: 1, walltime: '00:20:00', "
        f"address: 127.0.0.1, logs: {tmp_path / 'logs'}}}\n"
    )
    out = tmp_path / "out"
    command = grid(folder, out, *GRID, "--site", str(site))
    done = subprocess.run(command, env=slurm, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert models(out) == models(made)
    queue = ["squeue", "--noheader", "--format=%T"]
    until = time.monotonic() + 60
    while subprocess.run(queue, env=slurm, stdout=subprocess.PIPE, check=True).stdout.strip():
        assert time.monotonic() < until, "the jobs outlive the command"
        time.sleep(0.5)
    ended = subprocess.run(
        [*queue, "--states=all"], env=slurm, stdout=subprocess.PIPE, text=True, check=True
    )
    assert ended.stdout.split() == ["CANCELLED"]
