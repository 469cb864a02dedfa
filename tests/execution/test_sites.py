"""Files that describe sites, and what Parsl makes of them; no scheduler is asked."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.commands import refused
from tests.faults.misbehaving import DEATHS, act, sign_and_hang

from affuse.errors import AffuseError, BadInput
from affuse.execution.sites.description import KINDS, Site, read_site

parsl = pytest.importorskip("parsl", reason='needs parsl: pip install "affuse[cluster]"')

# they import parsl themselves, so they come after the line that skips without it
from affuse.execution.sites.configuration import configuration  # noqa: E402
from affuse.execution.sites.executor import SiteExecutor  # noqa: E402

EXAMPLES = Path(__file__).parents[2] / "examples" / "sites"
SLURM = """#!/bin/bash

#SBATCH --job-name=NAME
#SBATCH --output=FOLDER/NAME.stdout
#SBATCH --error=FOLDER/NAME.stderr
#SBATCH --nodes=1
#SBATCH --time=720
#SBATCH --ntasks-per-node=1
#SBATCH --constraint=a100
#SBATCH --partition=gpu
#SBATCH --account=emotion
#SBATCH --gpus-per-node=4
#SBATCH --mem=128g
#SBATCH --cpus-per-task=32

module load python/3.11
export PARSL_MEMORY_GB=128
export PARSL_CORES=32

export JOBNAME="NAME"

WORKERS
"""
PBS = """#!/bin/bash

#PBS -S /bin/bash
#PBS -N NAME
#PBS -m n
#PBS -l walltime=06:00:00
#PBS -l select=2:ncpus=32:mem=64gb:arch=milan
#PBS -o FOLDER/NAME.stdout
#PBS -e FOLDER/NAME.stderr
#PBS -l place=scatter

module load python/3.11

export JOBNAME="NAME"
"""


def written(folder: Path, text: str) -> Site:
    path = folder / "site.yaml"
    path.write_text(text)
    return read_site(path)


def test_there_is_an_example_of_each_kind() -> None:
    sites = {path.stem: read_site(path) for path in sorted(EXAMPLES.glob("*.yaml"))}
    assert list(sites) == ["local-processes", "local-threads", "pbs-pro", "slurm"]
    assert {site.kind for site in sites.values()} == {*KINDS}
    assert sites["slurm"].most == 16 and sites["pbs-pro"].most == 256


def script(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The job script of a site with folders and names left out, and the command that submits it."""
    executor: Any = configuration(site, folder).executors[0]
    provider = executor.provider
    provider.script_dir = str(folder)
    asked: list[str] = []

    def answer(command: str, *_: object) -> tuple[int, str, str]:
        asked.append(command)
        return 0, "Submitted batch job 7", ""

    monkeypatch.setattr(provider, "execute_wait", answer)
    assert provider.submit("WORKERS", 1)
    (path,) = folder.glob("parsl.*")
    subprocess.run(["bash", "-n", path], check=True)
    text = path.read_text().replace(path.name, "NAME").replace(str(folder), "FOLDER")
    return re.sub(r"\n\n+", "\n\n", text), asked[0].replace(str(path), "SCRIPT")


def test_the_script_for_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = read_site(EXAMPLES / "slurm.yaml")
    assert script(site, tmp_path, monkeypatch) == (SLURM, "sbatch SCRIPT")


def test_the_script_for_pbs_pro(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, command = script(read_site(EXAMPLES / "pbs-pro.yaml"), tmp_path, monkeypatch)
    assert text.startswith(PBS)
    assert "WORKERS" in text and re.search(
        r"WORKERCOUNT=2\n(.*\n)*mpiexec .* -n \$WORKERCOUNT", text
    )
    assert command.split() == ["qsub", "-q", "workq", "-A", "emotion", "SCRIPT"]


def test_several_nodes_of_slurm_start_by_srun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = written(tmp_path, "kind: slurm\nworkers: 2\nnodes_per_block: 3\n")
    (folder := tmp_path / "out").mkdir()
    text, _ = script(site, folder, monkeypatch)
    assert "#SBATCH --nodes=3" in text and "WORKERS" in text
    assert re.search(r"srun --ntasks 3 .* bash .*cmd_", text)


def test_what_parsl_is_told(tmp_path: Path) -> None:
    site = written(tmp_path, "kind: processes\nworkers: 2\ncores_per_worker: 3\ngpus: [1, 3]\n")
    config = configuration(site, tmp_path)
    executor: Any = config.executors[0]
    assert executor.available_accelerators == ["1", "3"] and executor.workers_per_node == 2
    assert executor.address == "127.0.0.1" and executor.encrypted
    assert config.usage_tracking == 0 and f"exec {sys.executable} -m parsl" in executor.launch_cmd
    site = written(tmp_path, "kind: slurm\nworkers: 2\naddress: 10.0.0.5\nmin_blocks: 1\n")
    executor = configuration(site, tmp_path).executors[0]
    provider = executor.provider
    assert executor.address == "10.0.0.5" and executor.workers_per_node == 2
    assert (provider.min_blocks, provider.max_blocks, provider.init_blocks) == (1, 1, 1)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("kind: [", "is not YAML"),
        ("- threads", "a site is ['threads']; expected names with values"),
        ("workers: 2", "kind is None; expected threads or processes or slurm or pbs-pro"),
        ("kind: slrum\nworkers: 2", "kind is slrum; expected threads or"),
        ("kind: threads", "workers is missing"),
        ("kind: threads\nworkers: 0", "workers is 0; expected a whole number 1 to 1,024"),
        ("kind: threads\nworkers: yes", "workers is True; expected a whole number"),
        ("kind: threads\nworkers: 2\ngpus: 1", "gpus is no field of kind threads; another kind"),
        ("kind: pbs-pro\nworkers: 2\npartition: x", "partition is no field of kind pbs-pro"),
        ("kind: slurm\nworkers: 2\nqueu: x", "queu is no field of kind slurm; expected kind,"),
        ("kind: slurm\nworkers: 2\naccount: a; rm", "account is 'a; rm'; expected letters"),
        ("kind: slurm\nworkers: 2\nwalltime: 12:00:00", 'walltime is 43200; expected "HH:MM'),
        ("kind: slurm\nworkers: 2\nwalltime: '1 day'", "walltime is 1 day"),
        ("kind: slurm\nworkers: 4\ngpus: 2", "workers is 4; expected at most one for each of 2"),
        ("kind: slurm\nworkers: 4\ngpus: [a b]", "gpus is 'a b'; expected letters"),
        ("kind: slurm\nworkers: 4\nmin_blocks: 2", "min_blocks is 2; expected at most 1"),
        ("kind: slurm\nworkers: 1\nworker_init: x", "worker_init is x; expected a list"),
        ("kind: slurm\nworkers: 1\nscheduler_options: ['#PBS -q x']", "expected #SBATCH and"),
    ],
)
def test_wrong_files_are_one_line(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(BadInput, match=re.escape(line)) as error:
        written(tmp_path, text)
    assert "\n" not in str(error.value) and str(error.value).startswith(str(tmp_path))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3),
)
FIELDS = sorted({name for names in KINDS.values() for name in names})


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(KINDS)), st.dictionaries(st.sampled_from(FIELDS), PLAIN, max_size=4))
def test_any_file_is_a_site_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, kind: str, values: dict[str, Any]
) -> None:
    told = {"workers": 2, **values, "kind": kind}
    try:
        site = written(tmp_path_factory.getbasetemp(), yaml.safe_dump(told))
    except BadInput as error:
        assert "\n" not in str(error)
    else:
        assert site.kind == kind and site.most >= 1


def lost(item: str, reason: str, told: Sequence[str]) -> str:
    return " ".join([item, *told, reason])


def test_threads_work_as_processes_do(tmp_path: Path) -> None:
    """Deaths, delays, what was told and exceptions are those of `map_unordered`."""
    site = written(tmp_path, "kind: threads\nworkers: 2\n")
    once = f"once {tmp_path / 'marker'}"
    with SiteExecutor(site) as executor:
        inputs = ["a", "crash", once, "hang", "telling", "print"]
        done = list(executor.map(act, inputs, limit=1, lost=lost))
        assert sorted(done) == sorted(
            [
                *("A", "PRINT", once.upper()),
                f"crash {DEATHS['crash']}",
                "hang took longer than 1 s",
                "telling step 1 step 2 ended with exit code 1",
            ]
        )
        with pytest.raises(AffuseError, match="1 of 2"):
            list(executor.map(act, ["raise input"]))


@pytest.mark.slow
def test_leaving_ends_what_threads_work_on(tmp_path: Path) -> None:
    with SiteExecutor(written(tmp_path, "kind: threads\nworkers: 2\n")) as executor:
        results = executor.map(sign_or_act, [str(tmp_path), "a"])
        assert next(results) == "A"
        while not (pids := [path.name for path in tmp_path.iterdir() if path.name.isdigit()]):
            pass
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def sign_or_act(what: str) -> str:
    if "/" in what:
        sign_and_hang(what)
    return act(what)


def test_commands_that_name_a_site_wrongly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare = ["prepare", "folder", ".", "--store", "s", "--streams", "audio/mfcc10"]
    (tmp_path / "clips.csv").write_text("path,label\na.wav,joy\n")
    (tmp_path / "a.wav").touch()
    site = ["--site", str(EXAMPLES / "local-threads.yaml")]
    train = ["train", "demo", "--store", "s", "--out", "o"]
    assert "x.yaml: no such file" in refused(capsys, *prepare, "--site", "x.yaml")
    assert "--workers and --site exclude" in refused(capsys, *prepare, *site, "--workers", 2)
    assert "--site needs --grid" in refused(capsys, *train, *site)
    monkeypatch.setitem(sys.modules, "parsl", None)
    line = refused(capsys, *prepare, *site)
    assert line.endswith(
        '--site needs parsl, which is not installed: pip install "affuse[cluster]"'
    )
    assert not (tmp_path / "s").exists()
