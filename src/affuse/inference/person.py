"""What a model says about one of the people of a recording, from windows to prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from affuse.errors import AffuseError, BadInput
from affuse.execution.progress import progress
from affuse.features.stream import Stream
from affuse.inference.attribution.explainer import Explainer
from affuse.inference.baseline import Baseline
from affuse.inference.extraction import Extracted
from affuse.inference.sliding import Sliding
from affuse.media.probe import MediaInfo
from affuse.models.applied import Applied
from affuse.tasks.moments import Moments
from affuse.tasks.prediction import Prediction, Recording
from affuse.tasks.presence import Presence, presence_of
from affuse.tasks.quality import Measures
from affuse.tasks.task import Task
from affuse.tasks.windows import NotFinite, WindowAnswer, WindowPlan


@dataclass(frozen=True)
class PersonWork:
    """A model and a recording that has been read.

    Args:
        file: The model file.
        task: What the model predicts.
        applied: The model.
        info: The recording.
        found: What was found in it.
        moments: Of the recording.
        plan: Where the windows lie.
        stretch: Seconds that explanations withhold at a time; None without explanations.
    """

    file: Path
    task: Task
    applied: Applied
    info: MediaInfo
    found: Extracted
    moments: Moments
    plan: WindowPlan
    stretch: float | None

    def prediction(
        self, person: int, count: int, known: Baseline, answered: Callable[[int], None]
    ) -> Prediction:
        """What the model says about somebody.

        Args:
            person: Who, from 0.
            count: How many people there are predictions of.
            known: What is known of the person.
            answered: Called with the number of windows that are done, of all people.

        Raises:
            BadInput: The model or the recording gives a number that is not finite.
        """
        plan, duration = self.plan, self.moments.duration

        def fixed(name: str, number: int) -> Stream:
            start = max(float(plan.starts[number]), 0.0)
            window = self.found.window(name, number, start, self.info.duration)
            return self._moved(name, window, known)

        explainer = self._explainer(person, known)
        watch = explainer.watch if explainer else None
        sliding = Sliding(self.task, self.applied, plan, duration, fixed=fixed, watch=watch)
        work = self._answers(sliding, person, known, explainer)
        if explainer:
            work = progress(work, f"explain {self.info.path.name}", len(plan.starts))
        answers = []
        try:
            for answer in work:
                answers.append(answer)
                answered(person * len(plan.starts) + len(answers))
        except NotFinite as error:
            raise BadInput(self.file, str(error)) from error
        except BadInput:
            raise
        except AffuseError as error:  # a frame that is not finite
            raise BadInput(self.info.path, str(error)) from error
        recording = self._recording(sliding, person, count, known)
        leader = self.applied.leader

        def predicted(answers: Sequence[WindowAnswer]) -> Prediction:
            return self.task.prediction(
                recording,
                self.task.joined(plan, answers, self.applied.spec),
                plan,
                self.moments,
                self.applied.spec,
                sliding.shares,
                (leader, sliding.windows.present(leader.name)),
            )

        prediction = predicted(answers)
        if explainer is None:
            return prediction
        return replace(prediction, explanation=explainer.explanation(prediction, predicted))

    def _explainer(self, person: int, known: Baseline) -> Explainer | None:
        if self.stretch is None:
            return None
        duration = self.moments.duration
        filtered = {
            band: (
                self._moved(band.stream, part, known)
                for part in self.found.without(band, duration, person)
            )
            for band in self.found.filtered
        }
        return Explainer(self.task, self.applied, self.plan, duration, self.stretch, filtered)

    def _recording(self, sliding: Sliding, person: int, count: int, known: Baseline) -> Recording:
        """What a prediction tells of its recording."""
        found, presence = self.found, dict[str, Presence]()
        for name, spec in self.applied.spec.streams.items():
            stream = sliding.windows.present(name)
            there = presence_of(stream, spec, self.moments.duration, found.sound)
            presence.setdefault(spec.modality, there)
        face = found.people[person] if found.people else None
        baselines = self.applied.spec.baselines
        return Recording(
            source=self.info.path,
            presence=presence,
            key_frames=found.key_frames,
            tracks=self.info.tracks,
            others=0 if face is None else face.others,
            notes=list(dict.fromkeys(found.notes)),
            face=face,
            person=person + 1,
            people=count,
            measures=Measures(found.quality_of(person), found.loudness),
            baseline=known.used(baselines) if baselines else None,
        )

    def _answers(
        self, sliding: Sliding, person: int, known: Baseline, explainer: Explainer | None
    ) -> Iterator[WindowAnswer]:
        """What is said about all windows."""
        for name, part in self.found.parts(self.moments.duration, person):
            if part is None:
                yield from sliding.end(name)
                continue
            part = self._moved(name, part, known)
            if explainer:
                explainer.push(name, part)
            yield from sliding.push(name, part)
        yield from sliding.finish()

    def _moved(self, name: str, part: Stream, known: Baseline) -> Stream:
        """Frames of a person, standardised as far as they are known."""
        baselines = self.applied.spec.baselines
        return baselines.moved(name, part, known.known) if baselines else part
