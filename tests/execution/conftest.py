"""A SLURM of one machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import pytest


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a SLURM whose only machine is this one."""
    needed = ("munged", "slurmctld", "slurmd", "sbatch")
    search = f"{os.environ['PATH']}:/usr/sbin"
    if missing := [name for name in needed if shutil.which(name, path=search) is None]:
        pytest.skip(f"no {missing[0]} here (Debian: slurm-wlm)")
    if os.geteuid() != 0:
        pytest.skip("slurmd starts as root only")
    folder = tmp_path_factory.mktemp("slurm")
    for above in (folder, *folder.parents[:2]):
        above.chmod(0o755)  # munge takes no socket below a folder that others cannot enter
    host = socket.gethostname().split(".")[0]
    (folder / "slurm.conf").write_text(
        f"""ClusterName=here
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
    )
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    environment = {**os.environ, "PATH": search, "SLURM_CONF": f"{folder}/slurm.conf"}
    munge = [f"--{what}-file={folder}/munge.{what}" for what in ("key", "pid", "log", "seed")]
    started = [["munged", "--force", f"--socket={folder}/munge.socket", *munge]]
    try:
        for command in [*started, ["slurmctld", "-c"], ["slurmd", "-c"]]:
            subprocess.run(command, env=environment, check=True)
        yield environment
    finally:
        for name in ("slurmd", "slurmctld", "munge"):
            with suppress(OSError, ValueError):
                os.kill(int((folder / f"{name}.pid").read_text()), signal.SIGTERM)
