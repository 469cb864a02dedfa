"""Work at a site, through Parsl, which is started with the first piece of work."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from affuse.errors import AffuseError, line_of
from affuse.execution.crew import Done, Lost
from affuse.execution.executors import map_with
from affuse.execution.sites import remote
from affuse.execution.sites.description import Site
from affuse.execution.worker import Place, here
from affuse.extras import need

if TYPE_CHECKING:
    from parsl import DataFlowKernel

T = TypeVar("T")
R = TypeVar("R")

#: Settings of affuse go to the site; its other variables are its own.
_OURS = "AFFUSE_"
#: Seconds after which it is looked whether results can still come.
_WATCH = 5.0


class SiteExecutor:
    """Works at a site; leaving its block ends what is there.

    Args:
        site: The site.

    Raises:
        AffuseError: Parsl is not installed.
    """

    def __init__(self, site: Site) -> None:
        need("cluster", "--site")
        self.site = site
        self._stack = ExitStack()
        self._kernel: DataFlowKernel | None = None
        self._folder = Path()
        self._functions = 0

    def __enter__(self) -> SiteExecutor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        self._kernel = None

    def map(
        self,
        function: Callable[[T], R],
        inputs: Iterable[T],
        *,
        limit: float | None = None,
        lost: Callable[[T, str, Sequence[Any]], R] | None = None,
    ) -> Iterator[R]:
        """See `affuse.execution.executors.Executor`.

        An input whose worker or node is gone is begun anew there, three times at most.

        Raises:
            AffuseError: The site gives no workers, or as `map_unordered`.
        """

        def workers(data: bytes) -> _SiteWorkers[T, R]:
            return _SiteWorkers(self, data, limit)

        return map_with(workers, function, inputs, self.site.most, lost)

    def submitted(self, work: remote.Work, item: bytes) -> Future[remote.Outcome]:
        """Have an input worked on."""
        from parsl import python_app

        future: Future[remote.Outcome] = python_app(remote.do, data_flow_kernel=self._started())(
            work, item
        )
        return future

    def check(self) -> None:
        """Refuse to wait for a site that gives no results any more.

        Raises:
            AffuseError: Parsl's broker of work has ended.
        """
        assert self._kernel is not None
        for executor in self._kernel.executors.values():
            if not getattr(executor, "brokered", True):
                raise AffuseError("--site: Parsl's interchange, which gives out work, has ended")

    def placed(self, function: bytes) -> Path:
        """The file of a pickled function that the site sees."""
        self._started()
        self._functions += 1
        path = self._folder / f"function-{self._functions}.pickle"
        path.write_bytes(function)
        return path

    def _started(self) -> DataFlowKernel:
        if self._kernel is None:
            from parsl import DataFlowKernel

            from affuse.execution.sites.configuration import configuration

            folder = self._logs()
            try:
                self._kernel = DataFlowKernel(configuration(self.site, folder))
            except Exception as error:
                raise AffuseError(f"--site: Parsl cannot start ({line_of(error)})") from error
            self._stack.callback(self._end, self._kernel)
            self._folder = Path(self._kernel.run_dir).resolve()
        return self._kernel

    def _logs(self) -> Path:
        if self.site.logs or self.site.scheduled:
            return Path(self.site.logs or "parsl").resolve()
        own = TemporaryDirectory(prefix="affuse-site-", ignore_cleanup_errors=True)
        return Path(self._stack.enter_context(own))

    def _end(self, kernel: DataFlowKernel) -> None:
        for path in self._folder.glob("function-*.pickle"):
            path.unlink(missing_ok=True)
        remote.stop()
        kernel.cleanup()


class _SiteWorkers(Generic[T, R]):
    """Workers of a site for one function, as `affuse.execution.executors.Workers`."""

    def __init__(self, executor: SiteExecutor, function: bytes, limit: float | None) -> None:
        self.executor, self.function, self.limit = executor, function, limit
        self.work_at_site: remote.Work | None = None

    def work(self, items: Iterator[T], count: int) -> Iterator[Done[R] | Lost[T]]:
        """See `affuse.execution.executors.Workers`."""
        busy: dict[Future[remote.Outcome], T] = {}
        more = True
        while True:
            while more and len(busy) < count:
                try:
                    item = next(items)
                except StopIteration:
                    more = False
                else:
                    busy[self._begun(item)] = item
            if not busy:
                return
            done = wait(busy, _WATCH, FIRST_COMPLETED).done
            if not done:
                self.executor.check()
            for future in done:
                yield _outcome(busy.pop(future), future)

    def dismiss(self) -> None:
        """The site's workers end with it."""

    def _begun(self, item: T) -> Future[remote.Outcome]:
        if self.work_at_site is None:
            place = here()
            ours = {name: value for name, value in os.environ.items() if name.startswith(_OURS)}
            self.work_at_site = remote.Work(
                self.executor.placed(remote.packed(self.function)),
                Place(place.path, place.folder, ours),
                self.limit,
                self.executor.site.cores_per_worker,
            )
        return self.executor.submitted(self.work_at_site, pickle.dumps(item))


def _outcome(item: T, future: Future[remote.Outcome]) -> Done[Any] | Lost[T]:
    from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

    try:
        outcome = future.result()
    except (WorkerLost, ManagerLost) as error:
        where = getattr(error, "hostname", "a node")
        return Lost(item, f"was lost again and again, at last on {where}", ())
    except Exception as error:
        raise AffuseError(f"--site: {line_of(error)}") from error
    match outcome:
        case ("done", result):
            return Done(pickle.loads(result))
        case ("lost", reason, told):
            return Lost(item, reason, told)
        case _:
            raise outcome[1]
