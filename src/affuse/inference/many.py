"""Several recordings: their names, and what came of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from affuse.errors import AffuseError, BadInput, line_of, shown
from affuse.inference.given import Named, RecordingLike, is_path, name_of_given
from affuse.inference.inputs import find_inputs, is_pattern
from affuse.media.memory import InMemory
from affuse.tasks.prediction import Prediction

if TYPE_CHECKING:
    import pandas

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

#: Several recordings, or name -> recording.
Recordings = RecordingLike | Iterable[RecordingLike] | Mapping[str, RecordingLike]


class Predictions(dict[str, Prediction]):
    """What a model says about several recordings: name -> timeline.

    The names are those that `affuse predict` gives the files of timelines: of a recording
    `anna/1.mp4` in a folder that was named, `anna/1`.

    Attributes:
        failures: Name -> why a recording could not be used.

    Examples:
        >>> import affuse
        >>> found = affuse.predict("recordings")
        >>> sorted(found)[:2]
        ['p1-happy', 'p1-sad']
        >>> found.to_pandas()[["recording", "start", "happy"]].shape
        (8, 3)
        >>> found.save("timelines")
    """

    def __init__(self, found: Iterable[tuple[str, Prediction | BadInput]] = ()) -> None:
        super().__init__()
        self.failures: dict[str, BadInput] = {}
        for name, result in found:
            if isinstance(result, BadInput):
                log.warning("%s", result)
                self.failures[name] = result
            else:
                self[name] = result

    def to_pandas(self) -> pandas.DataFrame:
        """The rows of all timelines, with the name of the recording before them.

        Returns:
            Columns `recording` and those of `Prediction.to_pandas`.
        """
        import pandas

        tables = [timeline.to_pandas() for timeline in self.values()]
        for name, table in zip(self, tables, strict=True):
            table.insert(0, "recording", name)
        return pandas.concat(tables, ignore_index=True) if tables else pandas.DataFrame()

    def save(self, folder: str | Path) -> None:
        """Write the files of all timelines into a folder, as `affuse predict --out` does.

        Args:
            folder: Made where there is none.

        Raises:
            BadInput: A file cannot be written, or is there and is of another recording.
        """
        from affuse.inference.output import write_timeline

        for name, timeline in self.items():
            place = Path(folder) / name
            write_timeline(timeline, place.parent, place.name)


def is_several(given: object) -> bool:
    """Whether several recordings are given: a folder, a pattern, or an iterable or mapping."""
    if is_path(given):
        path = Path(cast("str", given))
        return path.is_dir() or is_pattern(path)
    one = isinstance(given, bytes | bytearray | memoryview | InMemory) or hasattr(given, "read")
    return not one and isinstance(given, Iterable)


def named(recordings: Recordings) -> Iterator[tuple[str, RecordingLike | Named | BadInput]]:
    """The recordings that are meant, each with a name of its own; files come first.

    Args:
        recordings: Of files, folders and patterns the names are those of `find_inputs`; of
            `InMemory` and file objects their own, of bytes `recording`; names that were there
            already end in `_2` and so on. Iterators are gone through one by one.

    Yields:
        The name, and the recording, or why a folder or a pattern gives none.

    Raises:
        AffuseError: Something is no recording.
    """
    if isinstance(recordings, Mapping):
        for name, given in recordings.items():
            name_of_given(given)
            yield str(name), given if is_path(given) else Named(str(name), given)
        return
    if not is_several(recordings) or is_path(recordings):
        recordings = [cast("RecordingLike", recordings)]
    groups: Iterable[Sequence[RecordingLike]]
    if isinstance(recordings, Sequence):
        groups = [cast("Sequence[RecordingLike]", recordings)]
    else:
        groups = ([one] for one in cast("Iterable[RecordingLike]", recordings))
    taken: dict[str, int] = {}
    for group in groups:
        inputs = find_inputs([Path(cast("str", one)) for one in group if is_path(one)])
        for error in inputs.failures:
            yield str(error.path), error
        for path, name in inputs.names.items():
            yield _own(name.as_posix(), taken), path
        for one in group:
            if not is_path(one):
                name = _own(name_of_given(one), taken)
                yield name, Named(name, one)


def _own(name: str, taken: dict[str, int]) -> str:
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else _own(f"{name}_{taken[name]}", taken)


def attempt(apply: Callable[[T], R], recording: T) -> R | BadInput:
    """What a function makes of a recording, or why it cannot be used.

    Args:
        apply: The function.
        recording: What it is called with: a path, or what else is a recording.

    Raises:
        AffuseError: It is not about this recording alone.
    """
    try:
        return apply(recording)
    except BadInput as error:
        return error
    except AffuseError:
        raise  # about the model or an option: no recording can be read
    except Exception as error:
        name = name_of_given(recording)
        found = BadInput(name, line_of(error, name).removeprefix(f"{shown(name)}: "))
        found.__cause__ = error
        return found


def predict_all_of(
    predict: Callable[[Any], Prediction], recordings: Recordings
) -> Iterator[tuple[str, Prediction | BadInput]]:
    """Predict one recording after the other; see `Predictor.predict_many`."""
    for name, recording in named(recordings):
        if isinstance(recording, BadInput):
            yield name, recording
        else:
            yield name, attempt(predict, recording)
