"""Scripts for SLURM and PBS Pro: as written, as a shell reads them, and as SLURM runs them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.commands import refused, run
from tests.folders import tree
from tests.toy import toy_recipe, toy_store

from affuse.execution.job_scripts import Job, scripts

JOB = Job(
    ["affuse", "table", "my table.yaml", "--out", "t"],
    Path("/data/emotion"),
    Path("/data/emotion/jobs"),
    12,
    "fusions",
    "1-02:30:00",
    "16G",
    4,
    1,
    "long",
    "lab+7",
    ["module load cuda", "source venv/bin/activate"],
)
SLURM = """#!/bin/bash
#SBATCH --job-name=fusions
#SBATCH --array=1-12
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=1-02:30:00
#SBATCH --gpus-per-task=1
#SBATCH --partition=long
#SBATCH --account=lab+7
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=/data/emotion/jobs/shard-%a.log
set -eo pipefail
cd /data/emotion
module load cuda
source venv/bin/activate
export OMP_NUM_THREADS=4
exec affuse table 'my table.yaml' --out t --shard "$SLURM_ARRAY_TASK_ID/12"
"""
PBS = """#!/bin/bash
#PBS -N fusions
#PBS -J 1-12
#PBS -l select=1:ncpus=4:mem=16gb:ngpus=1
#PBS -l walltime=26:30:00
#PBS -q long
#PBS -P lab+7
#PBS -r y
#PBS -j oe
#PBS -o /data/emotion/jobs/
set -eo pipefail
cd /data/emotion
module load cuda
source venv/bin/activate
export OMP_NUM_THREADS=4
exec affuse table 'my table.yaml' --out t --shard "$PBS_ARRAY_INDEX/12"
"""


def test_the_scripts_are_these() -> None:
    assert scripts("slurm", JOB)["shard.sh"] == SLURM
    assert scripts("pbs", JOB)["shard.sh"] == PBS
    for scheduler, array in (("slurm", "#SBATCH --array"), ("pbs", "#PBS -J")):
        whole = scripts(scheduler, JOB)["whole.sh"]
        assert array not in whole and whole.endswith("'my table.yaml' --out t\n")


@pytest.mark.parametrize("scheduler", ["slurm", "pbs"])
def test_a_shell_reads_them_and_the_parts_get_their_numbers(
    scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["table", "a 'b'.yaml", "--store", "s", "--out", "t"]
    assert run("submit", scheduler, "--shards", 3, "--out", "jobs", "--", *command) == 0
    for script in ("shard.sh", "whole.sh", "submit.sh"):
        assert os.access(tmp_path / "jobs" / script, os.X_OK)
        subprocess.run(["bash", "-n", f"jobs/{script}"], check=True)
    # with an echo instead of the program, and an index as the scheduler gives it
    text = (tmp_path / "jobs/shard.sh").read_text().replace(f"exec {sys.executable}", "echo")
    index = {"slurm": "SLURM_ARRAY_TASK_ID", "pbs": "PBS_ARRAY_INDEX"}[scheduler]
    done = subprocess.run(
        ["bash", "-c", text], env={**os.environ, index: "2"}, capture_output=True, text=True
    )
    assert done.stdout == "-m affuse table a 'b'.yaml --store s --out t --shard 2/3\n"


@pytest.mark.parametrize("scheduler", ["slurm", "pbs"])
def test_the_whole_is_submitted_after_its_parts(scheduler: str, tmp_path: Path) -> None:
    """With a scheduler that only says what it was asked."""
    for name, text in scripts("slurm" if scheduler == "slurm" else "pbs", JOB).items():
        (tmp_path / name).write_text(text)
    program = tmp_path / {"slurm": "sbatch", "pbs": "qsub"}[scheduler]
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho 41\n')
    program.chmod(0o755)
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh", tmp_path / "submit.sh"], env=path, check=True)
    first, second = (tmp_path / "asked").read_text().splitlines()
    assert first.endswith("shard.sh") and second.endswith("afterany:41 whole.sh")


@pytest.mark.parametrize(
    ("options", "command", "line"),
    [
        (["--shards", 1], ["table", "t.yaml", "--out", "t"], "expected 2 to 100,000"),
        (["--time", "soon"], ["table", "t.yaml", "--out", "t"], "expected HH:MM:SS"),
        (["--memory", "much"], ["table", "t.yaml", "--out", "t"], "expected a number with M"),
        (["--queue", "a;b"], ["table", "t.yaml", "--out", "t"], "--queue 'a;b'"),
        ([], ["evaluate", "run"], "expected one of prepare, train, table"),
        ([], ["train", "demo", "--store", "s", "--out", "o"], "train is shared with --grid"),
        ([], ["table", "t.yaml", "--out", "t", "--shard", "1/2"], "--shard is written by submit"),
        ([], ["table", "t.yaml", "--out", "t", "--dry-run"], "--dry-run does nothing"),
        ([], ["table", "t.yaml", "--out", "t", "--site", "s.yaml"], "--site asks a scheduler"),
    ],
)
def test_what_no_scheduler_could_run_is_one_line(
    options: list[object],
    command: list[str],
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [*([] if "--shards" in options else ["--shards", 2]), *options]
    said = refused(capsys, "submit", "slurm", *given, "--out", tmp_path / "jobs", "--", *command)
    assert line in said and not (tmp_path / "jobs").exists()


# The real one, on this machine alone.


def asked(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.slow
def test_slurm_runs_twelve_parts_of_which_one_is_killed_and_one_is_requeued(
    slurm: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_store(tmp_path, clips=32)
    toy_recipe(tmp_path, selection="last", epochs=1)
    monkeypatch.chdir(tmp_path)
    train = ["train", "recipe.yaml", "--store", "store", "--device", "cpu", "--out"]
    grid = ["--grid", "model.name=late,early", "seed=1..3"]
    submit = ["submit", "slurm", "--shards", 12, "--memory", "1500M", "--time", "00:20:00"]
    assert run(*submit, "--out", "jobs", "--", *train, "many", *grid) == 0
    said = asked(slurm, "sh", "jobs/submit.sh")
    parts = said.split("parts ")[1].split(",")[0]
    ended: dict[str, bool] = {"scancel": False, "scontrol": False}
    until = time.monotonic() + 1200
    while asked(slurm, "squeue", "--noheader"):
        assert time.monotonic() < until, asked(slurm, "squeue")
        running = asked(slurm, "squeue", "--noheader", "--states=R", "--array", "--format=%i")
        for job in running.split():
            if job.startswith(f"{parts}_") and not ended["scancel"]:
                asked(slurm, "scancel", "--signal=KILL", "--full", job)
                ended["scancel"] = True
            elif job.startswith(f"{parts}_") and not ended["scontrol"]:
                asked(slurm, "scontrol", "requeue", job)
                ended["scontrol"] = True
        time.sleep(0.5)
    assert all(ended.values())
    assert run(*train, "one", *grid) == 0
    files = {
        name: {path: data for path, data in tree(tmp_path / name).items() if kept(path)}
        for name in ("one", "many")
    }
    assert len(files["one"]) == 2 * 3 * 3 and files["one"] == files["many"]


@pytest.mark.slow
def test_slurm_trains_with_two_tasks_what_torchrun_trains_with_two_processes(
    slurm: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_store(tmp_path, clips=32)
    toy_recipe(tmp_path, epochs=2)
    monkeypatch.chdir(tmp_path)
    train = ["-m", "affuse", "train", "recipe.yaml", "--store", "store", "--device", "cpu"]
    tasks = ["--ntasks=2", "--ntasks-per-node=2", "--cpus-per-task=1", "--mpi=none"]
    asked(slurm, "srun", *tasks, sys.executable, *train, "--out", "tasks", "fold=0")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    asked(slurm, *torchrun, *train, "--out", "processes", "fold=0")
    one, other = (tree(tmp_path / name) for name in ("tasks", "processes"))
    assert {n: x for n, x in one.items() if kept(n)} == {n: x for n, x in other.items() if kept(n)}
    assert b'"processes": 2' in one["run.json"]


def kept(path: str) -> bool:
    """What of a run is the same to the byte, whoever makes it: models and predictions."""
    return path.endswith(("model.safetensors", "predictions.csv"))
