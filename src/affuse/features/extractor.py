"""The contract of everything that turns a clip into a stream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, TooShort
from affuse.features.stream import Stream, StreamSpec

if TYPE_CHECKING:
    from affuse.media.probe import MediaInfo

#: Seconds of a recording below which nothing can be said about an emotion.
SHORTEST = 0.5


class Extractor(Protocol):
    """Makes one kind of stream from clips; picklable, so that worker processes can use it."""

    spec: StreamSpec

    def sources(self, clip: Clip) -> list[Path]:
        """The files that the stream of a clip is made from."""
        ...

    def extract(self, clip: Clip) -> Stream | None:
        """The stream of a clip, or None where the clip lacks the modality.

        Raises:
            BadInput: A file of the clip cannot be used.
        """
        ...


@runtime_checkable
class Frozen(Protocol):
    """An extractor that applies the network of a model file.

    Attributes:
        source: The model file.
        digest: Of the file, as the recipe of the stream has it under `weights`.
    """

    source: Path
    digest: str


@runtime_checkable
class OutOfFold(Protocol):
    """An extractor of what models said of clips that they were not trained on."""

    def fold(self, clip: Clip) -> str | None:
        """Which part of the clips the model behind a clip was not trained on; None: not told."""
        ...


@runtime_checkable
class Packed(Protocol):
    """An extractor that applies a network which it can write as one file.

    Attributes:
        digest: SHA-256 of that file, as the recipe of the stream has it under `weights`.
        network_size: Of that file in bytes.
    """

    digest: str
    network_size: int

    def write_network(self, path: Path) -> None:
        """Write the file."""
        ...


def check_length(path: Path, seconds: float, what: str = "") -> None:
    """Refuse what is too short.

    Args:
        path: The recording.
        seconds: Its length, or that of a part of it.
        what: The part, such as `its sound`.

    Raises:
        TooShort: Less than `SHORTEST` seconds.
    """
    if seconds < SHORTEST:
        subject = f"{what} is" if what else "is"
        raise TooShort(
            path, f"{subject} only {max(seconds, 0):.2f} s long; {SHORTEST} s are needed"
        )


def undecodable(info: MediaInfo) -> dict[str, str]:
    """`video` and `audio` -> the reason, for what is in a recording and cannot be decoded."""
    from affuse.media.contents import contents_of
    from affuse.media.still import still_of

    if still_of(info.path) is not None:
        return {}
    chosen = contents_of(info.path, info.tracks).chosen
    lost = {
        "video": chosen.video is not None and not info.has_video,
        "audio": chosen.audio is not None and not info.has_audio,
    }
    return {kind: f"its {kind} cannot be decoded" for kind, is_lost in lost.items() if is_lost}


def check_same_stream(
    here: StreamSpec, trained: StreamSpec, whose: str = "the model was trained"
) -> None:
    """Refuse streams that were not made the way a model was trained on.

    Args:
        here: The stream.
        trained: That of the model.
        whose: What the other one is, for the message.

    Raises:
        AffuseError: The recipes differ; the first difference is named.
    """
    ours, theirs = (json.loads(json.dumps(spec.to_json())) for spec in (here, trained))
    recipes = [facts.pop("recipe") for facts in (ours, theirs)]
    if _same_weights(*recipes):
        recipes[0]["weights"] = recipes[1]["weights"]
    keys = [*ours, *sorted({*recipes[0], *recipes[1]})]
    for facts, recipe in zip((ours, theirs), recipes, strict=True):
        facts.update(recipe)
    for key in keys:
        if ours.get(key) != theirs.get(key):
            if key not in theirs and not trained.recipe:
                raise AffuseError(
                    f"stream {here.name} is made with {key} {ours[key]}; the model file does not "
                    "tell how its own was made: convert it with the files that do"
                )
            raise AffuseError(
                f"stream {here.name} is made with {key} {ours.get(key)}; "
                f"{whose} with {theirs.get(key)}"
            )


def same_stream(one: StreamSpec, other: StreamSpec) -> bool:
    """Whether two streams have the same spec."""
    facts = [json.loads(json.dumps(spec.to_json())) for spec in (one, other)]
    if _same_weights(*(spec["recipe"] for spec in facts)):
        facts[0]["recipe"]["weights"] = facts[1]["recipe"]["weights"]
    return bool(facts[0] == facts[1])


def _same_weights(*recipes: Mapping[str, Any]) -> bool:
    """Whether two digests are of the same file; affuse wrote only their first 16 digits once."""
    one, other = (str(recipe.get("weights", "")) for recipe in recipes)
    return min(len(one), len(other)) == 16 and one[:16] == other[:16]
