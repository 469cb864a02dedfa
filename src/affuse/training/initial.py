"""The trained model that a training starts from, and what is told about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from affuse.audit.leaks import Leak
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.protocols.protocol import Protocol
from affuse.corpora.together import TOGETHER
from affuse.errors import AffuseError, BadInput
from affuse.execution.files import file_digest
from affuse.features.batch import Normalisation
from affuse.features.extractor import check_same_stream
from affuse.features.renamed import current_name
from affuse.features.store import Store
from affuse.features.stream import StreamSpec
from affuse.models.base import Model
from affuse.models.entries import check_entries
from affuse.models.modelfile import ModelSpec, load_model
from affuse.models.options import current_options, defaults
from affuse.models.registry import MODELS
from affuse.models.trained_on import is_corpus, source_of, trainings
from affuse.models.transfer import Taken, take_weights
from affuse.training.recipe import Recipe
from affuse.training.statistics import published_normalisation


@dataclass(frozen=True)
class Initial:
    """Weights to start from.

    Args:
        path: Their file.
        spec: Everything about their model.
        state: Entry -> value.
        epochs: Passes over the training clips that they have behind them, where their training is
            continued.
        momentum: Parameter -> momentum, where their training is continued.
    """

    path: Path
    spec: ModelSpec
    state: dict[str, Tensor]
    epochs: int = 0
    momentum: dict[str, Tensor] = field(default_factory=dict)

    def give(self, model: Model, recipe: Recipe, names: Sequence[str]) -> Taken:
        """Give a fresh model of the recipe these weights.

        Raises:
            BadInput: None of them fits, or, where their training is continued, not all do.
            AffuseError: `init_parts` names a part that the model does not have.
        """
        if recipe.resume_path:
            check_entries(self.path, model.state_dict(), self.state)
        options = {key: value for key, value in recipe.model.items() if key != "name"}
        taken = take_weights(
            model,
            recipe.model["name"],
            options,
            names,
            self.state,
            self.spec.outputs,
            recipe.init_parts,
        )
        if not taken.tensors:
            where = f" in {', '.join(recipe.init_parts)}" if recipe.init_parts else ""
            raise BadInput(
                self.path,
                f"has no weights that fit{where}: it holds {self.spec.model} on "
                f"{' and '.join(self.spec.streams)}",
            )
        return taken

    def statistics(self, specs: Mapping[str, StreamSpec]) -> dict[str, Normalisation]:
        """The normalisation of the streams that these weights were trained with.

        Raises:
            BadInput: There is none of a stream, or one for other frames; or people were
                standardised by what is known of them.
        """
        found = {}
        if self.spec.shrinkage is not None:
            raise BadInput(
                self.path, "was trained with normalisation=speaker: set that, and not init"
            )
        for name, spec in specs.items():
            known = self.spec.normalisation.get(name)
            if known is None or not {len(known.mean), len(known.std)} <= {1, spec.shape[-1]}:
                raise BadInput(self.path, f"has no normalisation that fits {name}")
            found[name] = known
        return found

    def facts(self, recipe: Recipe, taken: Taken) -> dict[str, Any]:
        """What a run and its model files say about these weights, as JSON values."""
        parts = {"parts": list(recipe.init_parts)} if recipe.init_parts else {}
        epochs = {"epochs": self.epochs} if self.epochs else {}
        return {
            "file": self.path.name,
            "sha256": file_digest(self.path),
            "model": self.spec.model,
            **parts,
            **epochs,
            "taken": str(taken),
            "training": self.spec.training,
        }

    def differences(self, recipe: Recipe, specs: Mapping[str, StreamSpec]) -> Iterator[str]:
        """What is not as when these weights were trained and their shapes do not tell, by line."""
        theirs, ours = self.spec, recipe.model
        if theirs.model == ours["name"] and not recipe.resume_path:
            for key, default in defaults(MODELS[theirs.model].load()).items():
                before, now = theirs.options.get(key, default), ours.get(key, default)
                frontends = isinstance(before, Mapping) or isinstance(now, Mapping)
                if not frontends and json.dumps(before) != json.dumps(now):
                    yield f"option {key} is {now}, and was {before}"
        for name, spec in specs.items():
            if name not in theirs.streams:
                yield f"reads {name}, and read {', '.join(theirs.streams)}"
                continue
            try:
                check_same_stream(spec, theirs.streams[name])
            except AffuseError as error:
                yield str(error)
        if recipe.normalisation == "init":
            return
        kept = recipe.normalisation == "published" and all(
            theirs.normalisation.get(name) == x
            for name, x in published_normalisation(specs).items()
        )
        if not kept:
            yield (
                f"streams are normalised anew ({recipe.normalisation}); normalisation=init would "
                "keep its statistics"
            )


def _current(spec: ModelSpec) -> ModelSpec:
    """A spec with the names of today."""
    streams = [replace(stream, name=current_name(name)) for name, stream in spec.streams.items()]
    return replace(
        spec,
        options=current_options(spec.options),
        streams={stream.name: stream for stream in streams},
        normalisation={current_name(name): x for name, x in spec.normalisation.items()},
    )


def read_initial(recipe: Recipe) -> Initial:
    """The weights of the recipe's `init`.

    Raises:
        BadInput: The file cannot be used, or is of another model.
    """
    path = Path(recipe.init)
    model, earlier = load_model(path)
    spec = _current(earlier)
    if spec.model != recipe.model["name"] and not recipe.init_parts:
        raise BadInput(
            path,
            f"holds a model {spec.model}, not {recipe.model['name']}; to take parts of it, name "
            "them with init_parts",
        )
    return Initial(path, spec, model.state_dict())


def initial_leaks(
    initial: Initial, protocol: Protocol, folds: Sequence[int], data: Store
) -> list[Leak] | None:
    """Test and development clips from which the initial weights have learned.

    Args:
        initial: The weights; they say by which fold of which protocol they were trained.
        protocol: That of the training to come.
        folds: Of this protocol.
        data: The store.

    Returns:
        A leak for each fold that has one; None where this cannot be told, because the weights were
        trained on the same corpus by a split that is not known, or on several.
    """
    leaks = []
    for facts in trainings(initial.spec.training):
        if not is_corpus(source_of(facts), data.corpus):
            continue
        if TOGETHER in data.corpus or TOGETHER in source_of(facts):
            return None
        try:
            name = facts["protocol"]
            before = protocol if name == protocol.name else load_protocol(name, data.clips)
            roles = before.roles(facts["fold"], data.clips)
        except (AffuseError, KeyError, TypeError, OSError):
            return None
        speakers = [clip.speaker or protocol.speakers.get(clip.id) for clip in data.clips]
        groups = [
            f"speaker {speaker}" if speaker else f"clip {clip.id}"
            for speaker, clip in zip(speakers, data.clips, strict=True)
        ]
        before_in = {
            name: {g for g, role in zip(groups, roles, strict=True) if name in role}
            for name in ("train", "development")
        }
        seen = {
            "test": before_in["train"] | before_in["development"],
            "development": before_in["train"],
        }
        for fold in folds:
            now = list(zip(groups, protocol.roles(fold, data.clips), strict=True))
            found = [
                (g, name) for name in seen for g, role in now if name in role and g in seen[name]
            ]
            if found:
                (group, name), count = found[0], len(dict.fromkeys(found))
                example = f"{group} is in {name}, and {initial.path.name} has learned from it"
                leaks.append(Leak("init", fold, count, example))
    return leaks
