"""A model applied to a source while it is read."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from affuse.errors import AffuseError, BadInput
from affuse.features.arriving import Arriving
from affuse.features.extractor import SHORTEST
from affuse.features.live import live_stream
from affuse.features.recomputed import Whole
from affuse.features.stream import Stream
from affuse.inference.past import Past
from affuse.inference.predictor import Predictor
from affuse.inference.recent import RecentRows, continued
from affuse.inference.sliding import answers_of
from affuse.inference.windows import NamedSample, Window
from affuse.media.live import BEHIND, Live
from affuse.media.source import open_source
from affuse.models.applied import LEAST_VOICE
from affuse.models.spec import ModelSpec
from affuse.tasks.presence import Presence
from affuse.tasks.registry import TASKS
from affuse.tasks.uncertainty import classes_left
from affuse.tasks.weighing import LEAST, counting
from affuse.tasks.windows import NotFinite, WindowPlan

#: Extractors of features that belong to recordings by their names.
_BY_NAME = ("own", "openface", "emoca")
#: Seconds that are remembered beside the last window.
KEPT = 3.0


@dataclass(frozen=True)
class Line:
    """What is said about one moment.

    Args:
        time: Seconds from the beginning of the source.
        values: (D,) values or (C,) probabilities; None where nothing is known.
        present: `video` and `audio` -> whether face and sound are there, for those the model reads.
        silent: Whether the sound is there, but silent; None for models that do not read it.
        modalities: Those that count in the window that the line rests on.
        latency: Seconds after which a moment is spoken about at the latest.
        dropped: Frames that were dropped up to here.
        baseline: Modality -> seconds that are known of the person, of models that can use it.
    """

    time: float
    values: np.ndarray | None
    present: dict[str, bool]
    silent: bool | None
    modalities: frozenset[str]
    latency: float
    dropped: int = 0
    baseline: dict[str, float] | None = None

    def to_json(self, spec: ModelSpec) -> dict[str, Any]:
        """The line as JSON values, with the names of a model's classes or dimensions."""
        values: dict[str, Any] = dict.fromkeys(spec.outputs)
        if self.values is not None:
            values = {n: round(float(x), 4) for n, x in zip(spec.outputs, self.values, strict=True)}
        if not TASKS[spec.task].over_time:
            values = {"probabilities": None if self.values is None else values}
            values |= self._left(spec)
        there = {
            "face": self.present.get("video"),
            "sound": self.present.get("audio"),
            "silent": self.silent,
        }
        return {
            "time": round(self.time, 3),
            **values,
            **there,
            "latency": round(self.latency, 3),
            "dropped": self.dropped,
            **({} if self.baseline is None else {"baseline": _rounded(self.baseline)}),
        }

    def _left(self, spec: ModelSpec) -> dict[str, Any]:
        """The classes that a calibrated model does not rule out."""
        if spec.calibration is None:
            return {}
        if self.values is None:
            return {"not_ruled_out": None}
        left = classes_left(spec.calibration, spec.outputs, self.values, self.modalities)
        return {"not_ruled_out": left}


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in seconds.items()}


class LiveWindows:
    """The last window of a source, at any moment, as `predict` reads a recording of its length.

    Args:
        predictor: The model.
        live: The source, of which nothing was read yet.
        past: Whether a model that can know people learns from what lies before each window.

    Attributes:
        past: What is known of the person; None where the model has no use for it.

    Raises:
        AffuseError: The model reads a stream that cannot be made of a live source.
    """

    def __init__(self, predictor: Predictor, live: Live, past: bool = True) -> None:
        self._predictor, self._live = predictor, live
        self._task, self.spec = predictor.task, predictor.spec
        self._applied = predictor.applied
        known, baselines = predictor.baseline.known, predictor.baselines
        self.past = None if baselines is None else Past(baselines, known, past)
        self._rows: dict[str, RecentRows] = {}
        self._whole: dict[str, Whole] = {}
        for name, spec in self.spec.streams.items():
            if spec.recipe.get("extractor") in _BY_NAME:
                raise AffuseError(f"the model reads {name}, which a live source does not have")
            with predictor.streams.computed():
                stream = live_stream(predictor.streams.extractor(name), live, predictor.window)
            if isinstance(stream, Arriving):
                self._rows[name] = RecentRows(stream, self._applied, live.packets.source)
            else:
                self._whole[name] = stream
        self._warm_up()

    def collect(self, until: float, ended: bool) -> None:
        """Take what has come; see `Arriving.take`."""
        for rows in self._rows.values():
            rows.collect(until, ended)
        for stream in self._whole.values():
            stream.collect(until, ended)

    def complete(self, until: float) -> bool:
        """Whether all that a window up to a second rests on is here."""
        return all(rows.complete(until) for rows in self._rows.values()) and (
            self._live.ended or all(stream.reaches(until) for stream in self._whole.values())
        )

    def say(
        self, until: float, time: float
    ) -> tuple[np.ndarray | None, dict[str, bool], bool | None, frozenset[str]]:
        """What is said about a moment.

        Args:
            until: Seconds at which the window ends.
            time: Seconds, at most `until`.

        Returns:
            (D,) values or (C,) probabilities, or None; what is present then, if it is silent,
            and the modalities that count in the window.
        """
        begin, plan = self._plan(until)
        window, presence = self._window(begin, until, plan)
        self._forget(until)
        present = {name: bool(x.at(np.array([time]))[0]) for name, x in presence.items()}
        sound = presence.get("audio")
        silent = None if sound is None else bool(sound.silent_at(np.array([time]))[0])
        if not any(stream.mask.any() for stream in window.sample.values()):
            return None, present, silent, frozenset()
        try:
            answers = answers_of(self._task, self._applied, [window])
        except NotFinite as error:
            raise BadInput(self._predictor.file, str(error)) from error
        if window.shares.get("video", 0.0) < LEAST and answers[-1].voice < LEAST_VOICE:
            return None, present, silent, frozenset()
        said = self._task.joined(plan, answers, self.spec)
        leader = self._predictor.applied.leader
        there = window.sample[leader.name]
        there = Stream(there.values, there.mask, there.start - begin)
        row = self._task.latest(said, self.spec, np.array([time, until]) - begin, (leader, there))
        known = None if np.isnan(row).any() else row
        return known, present, silent, counting(window.shares)

    def _plan(self, until: float) -> tuple[float, WindowPlan]:
        """The last window up to a second: where it begins, and the plan of a recording of it."""
        leader, seconds = self._predictor.applied.leader, self._predictor.window
        begin = max(0.0, round(until - seconds, 9))
        if self._task.over_time and leader.rate:  # frames lie as in a prediction of the whole
            length = max(1, round(seconds * leader.rate))
            frames = math.ceil(until * leader.rate - 1e-6)
            begin, seconds = max(0, frames - length) / leader.rate, length / leader.rate
        return begin, self._task.plan(self.spec, leader, min(until - begin, seconds))

    def _window(
        self, begin: float, until: float, plan: WindowPlan
    ) -> tuple[Window, dict[str, Presence]]:
        """The streams of a window, and when they are there in the source."""
        sample, start = NamedSample(), begin + float(plan.starts[0])
        sample.name = sample.recording = self._live.packets.source
        presence: dict[str, Presence] = {}
        for name, spec in self.spec.streams.items():
            if name in self._rows:
                if self.past:
                    self.past.rows(name, self._rows[name], start)
                sample[name] = self._rows[name].before(until, start, plan.seconds)
                there = self._rows[name].there(until)
            else:
                there = self._whole[name].window(max(start, 0.0), until)
                if self.past:
                    self.past.window(name, there, max(start, 0.0), until)
                sample[name] = self._cut(there, name, start, plan.seconds)
                there = continued(there, spec.rate, until)
            sample[name] = self.past.moved(name, sample[name]) if self.past else sample[name]
            if spec.modality not in presence:
                presence[spec.modality] = self._presence(there, spec.rate, spec.modality, until)
        shares = {name: x.within(max(start, 0.0), until) for name, x in presence.items()}
        return Window(0, sample, shares), presence

    def _cut(self, stream: Stream, name: str, start: float, seconds: float) -> Stream:
        """A window of a stream that was computed for it."""
        spec = self.spec.streams[name]
        if not len(stream.mask):
            return Stream.absent(self._applied.specs[name], seconds)
        part = self._applied.embed(name, stream, slice(None), self._live.packets.source)
        return part.cut(spec, start, seconds)

    def _presence(self, there: Stream, rate: float, modality: str, until: float) -> Presence:
        """When a stream is there; it ends at the window only where the source does."""
        duration = until if self._live.ended else until + 1.0
        presence = Presence(there.start, rate, there.mask, duration)
        if modality != "audio" or self._live.sound is None:
            return presence
        return replace(presence, silences=self._live.sound.silences)

    def _forget(self, until: float) -> None:
        for rows in self._rows.values():
            rows.forget(until - self._predictor.window - KEPT)

    def _warm_up(self) -> None:
        """Let the model speak about nothing, for the first time takes long."""
        plan = self._task.plan(self.spec, self._predictor.applied.leader, self._predictor.window)
        sample = NamedSample()
        for name, spec in self.spec.streams.items():
            stream = Stream.absent(spec, plan.seconds)
            stream.mask[:] = True
            sample[name] = self._applied.embed(name, stream, slice(None))
        shares = {spec.modality: 1.0 for spec in self.spec.streams.values()}
        answers_of(self._task, self._applied, [Window(0, sample, shares)])


def lines_of(
    predictor: Predictor,
    source: str,
    hop: float = 1.0,
    delay: float = 0.0,
    driver: str | None = None,
    realtime: bool = False,
) -> Iterator[dict[str, Any]]:
    """The lines of a source as JSON values; see `follow` and `affuse.live`."""
    if not 0 < hop < math.inf or not 0 <= delay <= predictor.window:
        raise AffuseError(
            f"hop must be positive and delay 0 to {predictor.window:g} s, the window of the model; "
            f"they are {hop:g} and {delay:g}"
        )
    kinds = {spec.modality for spec in predictor.spec.streams.values()}
    with open_source(source, kinds, driver) as packets:
        read = Live(packets, predictor.window + KEPT, realtime=realtime)
        for line in follow(predictor, read, hop, delay):
            yield line.to_json(predictor.spec)


def follow(
    predictor: Predictor,
    live: Live,
    hop: float,
    delay: float,
    counts: dict[str, int] | None = None,
    past: bool = True,
) -> Iterator[Line]:
    """Speak about one moment after the other.

    A line about time t rests on the last window up to t + delay and on nothing after. Where
    computing falls behind a source that goes by the clock, lines are left out.

    Args:
        predictor: The model.
        live: The source, of which nothing was read yet.
        hop: Seconds from line to line.
        delay: Seconds that a line waits for what follows its moment.
        counts: Gets the lines that were `left_out`.
        past: As in `LiveWindows`: that line knows what lies before its window, and nothing after.

    Raises:
        AffuseError: The model reads a stream that cannot be made of a live source.
    """
    windows, number, left_out = LiveWindows(predictor, live, past), 1, 0
    running = True
    while True:
        running = running and live.step()
        windows.collect(number * hop, ended=not running)
        while not running or windows.complete(number * hop):
            time = number * hop - delay
            if not running and time > live.end:
                return
            until = number * hop if running else min(number * hop, live.end)
            number += 1
            if time < 0 or until < SHORTEST:
                continue
            late = live.clocked and live.waited > BEHIND and running
            if late and windows.complete(number * hop):
                left_out += 1
                if counts is not None:
                    counts["left_out"] = left_out
                continue
            started = clock.monotonic()
            said = windows.say(until, time)
            taken = live.behind(until) if live.clocked else clock.monotonic() - started
            known = windows.past.seconds if windows.past else None
            yield Line(time, *said, delay + hop + taken, live.dropped, known)
