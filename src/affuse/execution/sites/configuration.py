"""A site as Parsl's configuration."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from parsl.addresses import address_by_hostname
from parsl.config import Config
from parsl.executors import HighThroughputExecutor, ThreadPoolExecutor
from parsl.executors.base import ParslExecutor
from parsl.executors.high_throughput.errors import (
    CommandClientBadError,
    CommandClientTimeoutError,
)
from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD
from parsl.launchers import MpiExecLauncher, SimpleLauncher, SrunLauncher
from parsl.launchers.base import Launcher
from parsl.providers import LocalProvider, PBSProProvider, SlurmProvider
from parsl.providers.base import ExecutionProvider

from affuse.execution.sites.description import Site

_LOOPBACK = "127.0.0.1"
_PACKAGE = "parsl.executors.high_throughput"
#: Parsl's broker of work, which ends with the command, and by no signal to its group.
_INTERCHANGE = (
    "import os, runpy; os.setsid(); "
    "from affuse.execution.worker import end_with_parent; end_with_parent(); "
    f"runpy.run_module('{_PACKAGE}.interchange', run_name='__main__')"
)
#: How often a piece of work is begun anew whose worker or node is gone.
RETRIES = 3
#: Seconds between signs of life of a local worker, and after which one is given up.
_HEARTBEAT, _SILENCE = 5, 120
#: Seconds in which the broker has to answer.
_ANSWER = 20


class Workers(HighThroughputExecutor):
    """Parsl's executor, which waits for no answer of a broker that has ended."""

    @property
    def brokered(self) -> bool:
        """Whether there is a broker."""
        return self.interchange_proc is not None and self.interchange_proc.poll() is None

    def connected_managers(self) -> list[dict[str, Any]]:
        """See Parsl; none where nobody answers."""
        found: list[dict[str, Any]] = self._asked("MANAGERS")
        return found

    def connected_blocks(self) -> list[str]:
        """See Parsl; none where nobody answers."""
        found: list[str] = self._asked("CONNECTED_BLOCKS")
        return found

    def _asked(self, command: str) -> Any:
        if not self.brokered:
            return []
        try:
            return self.command_client.run(command, timeout_s=_ANSWER)
        except (CommandClientTimeoutError, CommandClientBadError):
            return []


def configuration(site: Site, folder: Path) -> Config:
    """What Parsl is started with.

    Args:
        site: The site.
        folder: For scripts and logs; nodes of a scheduler see it at the same path.
    """
    return Config(
        executors=[_executor(site)],
        retries=RETRIES,
        run_dir=str(folder),
        strategy="simple",
        strategy_period=5 if site.scheduled else 1,
        usage_tracking=0,
    )


def _executor(site: Site) -> ParslExecutor:
    if site.kind == "threads":
        return ThreadPoolExecutor(label="affuse", max_threads=site.workers)
    return Workers(
        label="affuse",
        provider=_provider(site),
        launch_cmd=_launch(),
        interchange_launch_cmd=[sys.executable, "-c", _INTERCHANGE],
        address=(site.address or address_by_hostname()) if site.scheduled else _LOOPBACK,
        max_workers_per_node=site.workers,
        # its workers wait for processes that have the threads
        cores_per_worker=site.cores_per_worker if site.scheduled else 1e-6,
        available_accelerators=list(site.gpus),
        heartbeat_period=30 if site.scheduled else _HEARTBEAT,
        heartbeat_threshold=_SILENCE,
        encrypted=True,
    )


def _launch() -> str:
    """Parsl's command for the workers of a node, with the Python of this process."""
    python = shlex.quote(sys.executable).replace("{", "{{").replace("}", "}}")
    script = "process_worker_pool.py "
    assert DEFAULT_LAUNCH_CMD.startswith(script)
    return f"exec {python} -m {_PACKAGE}.process_worker_pool {DEFAULT_LAUNCH_CMD[len(script) :]}"


def _provider(site: Site) -> ExecutionProvider:
    if not site.scheduled:
        return LocalProvider(
            launcher=SimpleLauncher(), init_blocks=1, min_blocks=1, max_blocks=1, parallelism=1
        )
    cores = site.workers * site.cores_per_worker
    several = site.nodes_per_block > 1
    launcher: Launcher
    common: dict[str, Any] = {
        "account": site.account or None,
        "nodes_per_block": site.nodes_per_block,
        "init_blocks": site.min_blocks,
        "min_blocks": site.min_blocks,
        "max_blocks": site.max_blocks,
        "walltime": site.walltime,
        "scheduler_options": "\n".join(site.scheduler_options),
        "worker_init": "\n".join(site.worker_init),
    }
    if site.kind == "slurm":
        launcher = SrunLauncher() if several else SimpleLauncher()
        return SlurmProvider(
            partition=site.partition or None,
            cores_per_node=cores,
            mem_per_node=site.memory,
            gpus_per_node=len(site.gpus) or None,
            exclusive=False,
            launcher=launcher,
            **common,
        )
    launcher = MpiExecLauncher() if several else SimpleLauncher()
    selected = [
        *([f"mem={site.memory}gb"] if site.memory else []),
        *([f"ngpus={len(site.gpus)}"] if site.gpus else []),
        *([site.select_options] if site.select_options else []),
    ]
    return PBSProProvider(
        queue=site.queue or None,
        cpus_per_node=cores,
        select_options=":".join(selected),
        launcher=launcher,
        **common,
    )
