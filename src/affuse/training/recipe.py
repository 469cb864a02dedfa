"""A recipe: everything about a training run in one YAML file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import yaml

from affuse.corpora.labels import Labels
from affuse.execution.fields import check_number
from affuse.features.baseline import SHRINKAGE
from affuse.features.extractor import SHORTEST
from affuse.features.stream import SECONDS
from affuse.tasks.options import OverTime
from affuse.tasks.registry import TASKS
from affuse.training.recipe_parts import (
    Augmentation,
    Dropout,
    Optimiser,
    Plateau,
)
from affuse.training.sampling import Factor

TaskName = Literal["classification", "distribution", "valence-arousal"]


@dataclass(frozen=True)
class Recipe:
    """A training run.

    Args:
        name: What the run is called.
        corpus: Corpus that the store must hold; of several stores all, such as `emovo+nemo`.
        protocol: Name or file of the protocol.
        streams: Streams that the model reads.
        model: `name` in the registry, and the options of the model.
        task: `classification` (one class per clip), `distribution` (the shares of the raters'
            votes) or `valence-arousal` (continuous valence and arousal).
        labels: How clips get their classes.
        window: Seconds of each clip that the model sees.
        hop: Greatest distance in seconds between the windows of a training clip; 0 for one window
            in its middle.
        over_time: What only continuous valence and arousal need.
        normalisation: `standard` (mean and deviation of the training clips), `video` (the same,
            sound as it is), `scalar` (one mean and one deviation for all values of a stream;
            images from -1 to 1), `speaker` (`standard`, and each person by what is known of
            them), `published` (images divided by 255, everything else as it is), or `init` (that
            of the model of `init`).
        shrinkage: Windows of a person that count as much as the corpus, with
            `normalisation: speaker`.
        strangers: With `normalisation: speaker`, share of the training windows, drawn in every
            epoch, of whose speaker nothing is taken to be known.
        dropout: Modality dropout.
        augmentation: Random changes.
        optimiser: How weights move.
        plateau: How they move with `optimiser.schedule: plateau`.
        epochs: Passes over the training clips.
        batch_size: Clips per step.
        balance: What occurs equally often in an epoch: `corpus`, `speaker`, `class`, or several of
            them, the first one before the second, such as `[corpus, class]`; by default every
            training window occurs once.
        label_smoothing: Share of the target spread over all classes.
        primary: Weight of the loss of the decision; 0 trains the auxiliary heads alone, where the
            decision is made of them.
        auxiliary: Weight of the loss of each auxiliary head.
        ema: Decay per step of the averaged weights that are kept (`moving_mean`); 0 keeps the
            weights themselves.
        selection: `best` keeps the epoch with the best development score (the first of equals);
            `last` keeps the last one and needs no development clips.
        selects: The development score that is meant, such as `loss` (of the decision, without
            label smoothing); by default accuracy, for distributions the cross-entropy, for values
            the mean CCC.
        precision: `32`, `bf16-mixed`, `16-mixed`, or `auto` (see `precision_here`).
        backbone: Model file of a backbone, converted or trained; of a front-end with `tuned` layers
            the weights that the stream was prepared with; empty for none.
        init: Model file, converted or trained, whose weights training starts from; empty for
            fresh ones.
        init_parts: Parts of the model that take them, such as `audio`; empty for all.
        resume_path: Published checkpoint whose training is continued: its weights, the momentum of
            its optimiser and its epoch; empty for none.
        seed: Of everything random.
        limit: Clips of each role that are used, spread evenly over all of them, to try things out;
            0 for all.
    """

    name: str
    corpus: str
    protocol: str
    streams: tuple[str, ...]
    model: dict[str, Any]
    task: TaskName = "classification"
    labels: Labels = field(default_factory=Labels)
    window: float = 3.6
    hop: float = 0.0
    over_time: OverTime = field(default_factory=OverTime)
    normalisation: Literal["standard", "video", "scalar", "speaker", "published", "init"] = (
        "standard"
    )
    shrinkage: float = 3.0
    strangers: float = 0.0
    dropout: Dropout = field(default_factory=Dropout)
    augmentation: Augmentation = field(default_factory=Augmentation)
    optimiser: Optimiser = field(default_factory=Optimiser)
    plateau: Plateau = field(default_factory=Plateau)
    epochs: int = 50
    batch_size: int = 16
    balance: tuple[Factor, ...] = ()
    label_smoothing: float = 0.0
    primary: float = 1.0
    auxiliary: float = 0.0
    ema: float = 0.0
    selection: Literal["best", "last"] = "best"
    selects: str = ""
    precision: Literal["32", "bf16-mixed", "16-mixed", "auto"] = "32"
    backbone: str = ""
    init: str = ""
    init_parts: tuple[str, ...] = ()
    resume_path: str = ""
    seed: int = 1
    limit: int = 0

    def __post_init__(self) -> None:
        for key in ("epochs", "batch_size", "window"):
            if getattr(self, key) <= 0:
                raise ValueError(f"{key} must be positive, not {getattr(self, key)}")
        check_number("window", self.window, *SECONDS)
        check_number("shrinkage", self.shrinkage, *SHRINKAGE)
        check_number("strangers", self.strangers, 0, 1)
        if self.strangers and self.normalisation != "speaker":
            raise ValueError("strangers is for normalisation=speaker")
        if not self.streams:
            raise ValueError("streams must name at least one stream")
        if "name" not in self.model:
            raise ValueError("model.name is missing")
        for key in ("hop", "limit"):
            if getattr(self, key) < 0:
                raise ValueError(f"{key} must not be negative, and is {getattr(self, key)}")
        over_time = TASKS[self.task].over_time
        if not self.over_time.smoothing or min(self.over_time.smoothing) < 0:
            raise ValueError("over_time.smoothing must list seconds, none below zero")
        if self.over_time.delay < 0 or min(self.over_time.weights.values(), default=0) < 0:
            raise ValueError("over_time.delay and over_time.weights must not be negative")
        if self.over_time.spliced and self.normalisation == "speaker":
            raise ValueError("over_time.spliced does not go together with normalisation=speaker")
        if self.over_time.delay and not over_time:
            raise ValueError("over_time.delay needs task=valence-arousal")
        if self.selection == "last" and (
            len(self.over_time.smoothing) > 1 or self.optimiser.schedule == "plateau"
        ):
            raise ValueError(
                "several values of over_time.smoothing, or optimiser.schedule=plateau, need "
                "development clips: set selection=best"
            )
        shortened = self.augmentation.adjust_duration
        check_number("augmentation.adjust_duration", shortened, 0, 1)
        if shortened and self.window <= SHORTEST:
            raise ValueError(f"augmentation.adjust_duration needs a window of over {SHORTEST} s")
        of_classes = ("adjust_duration", "outlier_exposure", "mixup")
        changed = [key for key in of_classes if getattr(self.augmentation, key)]
        if over_time and changed:
            raise ValueError(f"augmentation.{changed[0]} needs a task of classes")
        if over_time and "class" in self.balance:
            raise ValueError("balance: class needs a task of classes")
        if len({*self.balance}) < len(self.balance):
            raise ValueError("balance names one thing twice")
        if over_time and self.labels.file:
            raise ValueError("labels.file names classes, not continuous valence and arousal")
        if self.selects and self.selection == "last":
            raise ValueError("selects has no meaning with selection=last")
        if TASKS[self.task].votes and self.labels.rule == "given":
            raise ValueError(
                f"task={self.task} needs votes: set labels.rule to distribution, plurality or "
                "majority"
            )
        if self.primary <= 0 and self.auxiliary <= 0:
            raise ValueError("primary and auxiliary are both 0: there is nothing to learn")
        self._check_start()

    def _check_start(self) -> None:
        """Refuse what contradicts itself about the weights that training starts from."""
        own = self.optimiser.backbone_lr
        if own is not None and own < 0:
            raise ValueError(f"optimiser.backbone_lr must not be negative, and is {own}")
        if own is not None and (self.resume_path or self.optimiser.schedule == "plateau"):
            raise ValueError(
                "optimiser.backbone_lr goes together with neither resume_path nor "
                "optimiser.schedule=plateau"
            )
        if not self.init and self.init_parts:
            raise ValueError("init_parts needs a model file: set init")
        if not self.init and self.normalisation == "init":
            raise ValueError("normalisation=init needs a model file: set init")
        if not self.resume_path:
            return
        if self.init or self.backbone:
            raise ValueError("resume_path holds all weights: set neither init nor backbone")
        moved = self.optimiser
        if moved.name != "sgd" or not moved.momentum or moved.schedule == "plateau":
            raise ValueError(
                "resume_path continues SGD with momentum: set optimiser.name=sgd, "
                "optimiser.momentum, and another optimiser.schedule than plateau"
            )

    def to_yaml(self) -> str:
        """The recipe with every default written out."""
        plain = _plain(asdict(self))
        return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


def _plain(value: Any) -> Any:
    """Tuples as lists, for YAML."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


#: The parts of a recipe that have keys of their own.
PARTS: dict[str, type] = {
    "labels": Labels,
    "over_time": OverTime,
    "dropout": Dropout,
    "augmentation": Augmentation,
    "optimiser": Optimiser,
    "plateau": Plateau,
}
