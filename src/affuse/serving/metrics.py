"""Numbers for Prometheus about a server; nothing in them is about a recording."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from affuse.serving.jobs import Jobs

_SECONDS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


class Metrics:
    """Counts since the server started, and the jobs that are there.

    Args:
        jobs: The queue.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Waiting(jobs))
        self.received = Counter(
            "affuse_received_bytes", "Bytes of requests.", registry=self._registry
        )
        self.refused = Counter(
            "affuse_refused", "Requests that were refused.", ["status"], registry=self._registry
        )
        self.sessions = Counter(
            "affuse_live_sessions",
            "Live sessions that are over.",
            ["end"],
            registry=self._registry,
        )
        self.open_sessions = Gauge(
            "affuse_live_open", "Live sessions that are open.", registry=self._registry
        )
        self._took = Histogram(
            "affuse_job_seconds",
            "Seconds that a job took.",
            ["state"],
            buckets=_SECONDS,
            registry=self._registry,
        )

    def over(self, state: str, seconds: float) -> None:
        """A job is done or failed."""
        self._took.labels(state).observe(seconds)

    def text(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Waiting(Collector):
    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def collect(self) -> Iterator[Metric]:
        """Jobs by their state."""
        family = GaugeMetricFamily("affuse_jobs", "Jobs that are there.", labels=["state"])
        for state, count in self._jobs.counts().items():
            family.add_metric([state], count)
        yield family
