"""What preparing a large corpus takes: time, storage, network, cost; by a formula and a simulation.

    python docs/results/cluster.py VIDEOS    measures the rates on a folder of recordings first
    python docs/results/cluster.py           takes the rates that are on docs/how-to/cluster.md

Recordings are the pieces of work. Each shard has every N-th of them, as `prepare --shard I/N`, and
its workers take the next one when they are free. All machines read through one link. A worker that
is killed begins its recording again after a while.
"""

from __future__ import annotations

import argparse
import heapq
import math
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

STREAMS = "video/aligned48,audio/mfcc39"
HOUR, GIGA = 3600.0, 1e9
#: Measured on 17 recordings of 94 s: processor seconds and gigabytes of an hour of video.
SECONDS, RECORDING, STORE = 535.0, 0.56, 0.811


@dataclass(frozen=True)
class Rates:
    """Of an hour of video: processor seconds, bytes of the recording, bytes in the store."""

    seconds: float
    recording: float
    store: float


@dataclass(frozen=True)
class Plan:
    """A corpus, and what it is prepared on.

    Args:
        name: Of the corpus.
        recordings: How many.
        hours: Of all of them.
        machines: One shard each.
        workers: Of each machine, one processor each.
        link: Bytes per second that all machines read together.
        kills: Per worker and day.
        requeue: Seconds until a killed worker begins again.
        spread: Standard deviation of the logarithm of lengths.
    """

    name: str
    recordings: int
    hours: float
    machines: int
    workers: int
    link: float = 125e6  # a gigabit per second
    kills: float = 0.5
    requeue: float = 300.0
    spread: float = 0.8


#: 564 videos with 2.8 million frames at 30 Hz; and a collection of recordings of ten minutes.
PLANS = (
    Plan("Aff-Wild2, one machine", 564, 2.8e6 / 30 / HOUR, 1, 8),
    Plan("Aff-Wild2, eight machines", 564, 2.8e6 / 30 / HOUR, 8, 8),
    Plan("ten thousand hours, 32 machines", 60_000, 10_000, 32, 32),
    Plan("the same, a link of ten gigabits", 60_000, 10_000, 32, 32, 1250e6),
)
#: Assumed prices, in one currency: a processor hour, and a gigabyte that is kept for a month.
PROCESSOR, MONTH = 0.04, 0.023


def estimate(plan: Plan, rates: Rates) -> float:
    """Seconds: the largest shard, or what the link lets through, and the last recordings.

    Sums of `share` lengths differ by their deviation; the largest of so many lies about
    `sqrt(2 log machines)` deviations above the mean. At the end each worker has a recording left
    to finish, half of one as it is met (longer ones are met more often), and the longest of these
    about `log` of their number times as long.
    """
    variance = math.exp(plan.spread**2) - 1  # of lengths, relative to their mean
    share, processors = plan.recordings / plan.machines, plan.machines * plan.workers
    each = repeated(plan.hours * rates.seconds / plan.recordings, plan)
    largest = 1 + math.sqrt(variance / share * 2 * math.log(plan.machines))
    computed = each * share / plan.workers * largest
    left = each * (1 + variance) / 2 * math.log(processors)
    return max(computed, plan.hours * rates.recording / plan.link) + left


def repeated(seconds: float, plan: Plan) -> float:
    """What so many seconds of work take on average where workers are killed."""
    rate = plan.kills / (24 * HOUR)
    return (math.exp(rate * seconds) - 1) * (1 / rate + plan.requeue) if rate else seconds


def simulate(plan: Plan, rates: Rates, seed: int = 0) -> float:
    """Seconds until the last recording is done."""
    random = Random(seed)
    drawn = [random.lognormvariate(0, plan.spread) for _ in range(plan.recordings)]
    hours = [x * plan.hours / sum(drawn) for x in drawn]
    queues = [iter(hours[k :: plan.machines]) for k in range(plan.machines)]
    free = [(0.0, machine) for machine in range(plan.machines) for _ in range(plan.workers)]
    heapq.heapify(free)
    link = last = 0.0
    while free:
        now, machine = heapq.heappop(free)
        if (length := next(queues[machine], None)) is None:
            continue
        link = max(link, now) + length * rates.recording / plan.link
        begun, work = now, length * rates.seconds
        while plan.kills and (lived := random.expovariate(plan.kills / (24 * HOUR))) < work:
            begun += lived + plan.requeue
        done = max(begun + work, link)
        last = max(last, done)
        heapq.heappush(free, (done, machine))
    return last


def measured(videos: Path) -> Rates:
    """The rates of `affuse prepare` here; processor time, so that neighbours do not count."""
    with tempfile.TemporaryDirectory() as folder:
        corpus, store = Path(folder, "corpus"), Path(folder, "store")
        (corpus / "any").mkdir(parents=True)
        files = [path for path in sorted(videos.iterdir()) if path.is_file()]
        for path in files:
            (corpus / "any" / path.name).symlink_to(path.resolve())
        words = ["prepare", "folder", str(corpus), "--store", str(store), "--workers", "1"]
        command = [sys.executable, "-m", "affuse", *words, "--streams", STREAMS]
        times = [0.0]
        for _ in range(2):  # the second has nothing to compute: it is what starting takes
            subprocess.run(command, check=False, capture_output=True)
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(usage.ru_utime + usage.ru_stime)
        from affuse.features.store import Store

        data = Store(store)
        seconds = data.stream(STREAMS.split(",")[0]).seconds
        hours = sum(seconds.values()) / HOUR
        sizes = {path.name: path.stat().st_size for path in files}
        recordings = sum(sizes[c.video.name] for c in data.clips if c.video and c.id in seconds)
        stored = sum(path.stat().st_size for path in store.rglob("*.safetensors"))
        print(f"{len(seconds)} recordings, {hours * HOUR:.0f} s\n")
        return Rates((2 * times[1] - times[2]) / hours, recordings / hours, stored / hours)


def main() -> None:
    """Print the tables of docs/how-to/cluster.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="?", type=Path, help="recordings to measure the rates on")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a processor per hour")
    parser.add_argument("--recording", type=float, default=RECORDING, help="GB per hour")
    parser.add_argument("--store", type=float, default=STORE, help="GB per hour")
    options = parser.parse_args()
    rates = Rates(options.seconds, options.recording * GIGA, options.store * GIGA)
    if options.videos:
        rates = measured(options.videos)
    print(
        f"One hour of video: {rates.seconds:,.0f} s of one processor, recording "
        f"{rates.recording / GIGA:.2f} GB, store {rates.store / GIGA:.3f} GB.\n"
    )
    print(
        "| corpus | hours | processors | formula, h | simulation, h | read, GB | store, GB | cost |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for plan in PLANS:
        runs = sorted(simulate(plan, rates, seed) for seed in range(5))
        read, stored = (plan.hours * x / GIGA for x in (rates.recording, rates.store))
        paid = plan.machines * plan.workers * runs[2] / HOUR * PROCESSOR
        print(
            f"| {plan.name} | {plan.hours:,.0f} | {plan.machines} x {plan.workers} "
            f"| {estimate(plan, rates) / HOUR:.2f} | {runs[2] / HOUR:.2f} "
            f"({runs[0] / HOUR:.2f} to {runs[-1] / HOUR:.2f}) | {read:,.0f} | {stored:,.1f} "
            f"| {paid + (read + stored) * MONTH:,.0f} |"
        )
    print(f"\nCost: {PROCESSOR} per processor hour, {MONTH} per GB of recordings and store.")


if __name__ == "__main__":
    main()
