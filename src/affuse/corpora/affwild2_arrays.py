"""Aff-Wild2 as the preprocessing of the leader-follower system leaves it: arrays, no recordings.

`dataset_info.pkl` lists the trials of each set with their number of rows; `npy_data/<trial>/` holds
`frame.npy`, `vggish.npy`, `mfcc.npy`, `label.npy` and others with a row per annotated image of
the video. Images without annotation were cut out and the rest was joined: row k is no moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affuse.corpora.affwild2 import LICENCE, SYNTHETIC, SYNTHETIC_LICENCE, people_of
from affuse.corpora.annotation import VALENCE_AROUSAL
from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.tree import check_folder, is_synthetic
from affuse.errors import BadInput
from affuse.execution.checkpoint_files import read_pickled_arrays

INFO, ARRAYS = "dataset_info.pkl", "npy_data"
_PARTITIONS = {
    "Train_Set": "train",
    "Validation_Set": "validation",
    "Test_Set": "test",
    "Target_Set": "test",  # as later scripts call it
}
#: Rows per second that everything is taken to have; published is the rate of each video.
ROWS = 30.0


def read(root: Path) -> Corpus:
    """The trials of a preprocessed data set.

    Args:
        root: Folder with `dataset_info.pkl` and `npy_data`.

    Returns:
        The corpus `affwild2` with one clip per trial, in the order of the list, of which the
        published system cuts its folds. A clip ends after its rows at 30 Hz. `missing` names what
        trials lack.

    Raises:
        BadInput: The folder is absent or lacks one of the two, or the list cannot be used or holds
            code.

    Source: leader-follower attentive fusion (ICCVW 2021), released preprocessing.
    """
    root = Path(root)
    check_folder(root)
    arrays = root / ARRAYS
    for path in (root / INFO, arrays):
        if not path.exists():
            raise BadInput(path, f"no such file; name the folder that holds {INFO} and {ARRAYS}")
    trials = _trials(root / INFO)
    clips = [_clip(arrays, trial, *facts) for trial, facts in trials.items()]
    others = sum(path.is_dir() and path.name not in trials for path in arrays.iterdir())
    return Corpus(
        name="affwild2",
        root=root,
        clips=clips,
        classes=VALENCE_AROUSAL,
        licence=SYNTHETIC_LICENCE if is_synthetic(root, SYNTHETIC) else LICENCE,
        task="valence-arousal",
        left_out={f"folders that {INFO} does not list": others} if others else {},
        missing=[line for clip in clips for line in _missing(clip)],
        arrays=arrays,
    )


def _trials(path: Path) -> dict[str, tuple[str, int]]:
    """Trial -> partition and number of rows, in the order of the file."""
    held: Any = read_pickled_arrays(path)
    sets = held.get("partition") if isinstance(held, Mapping) else None
    if not isinstance(sets, Mapping) or not sets:
        raise BadInput(path, "holds no {'partition': {'Train_Set': {trial: rows}, ...}}")
    trials: dict[str, tuple[str, int]] = {}
    for name, rows in sets.items():
        if name not in _PARTITIONS or not isinstance(rows, Mapping):
            raise BadInput(path, f"holds a set {name!r}; expected {', '.join(_PARTITIONS)}")
        for trial, count in rows.items():
            here = _PARTITIONS[name]
            if not isinstance(trial, str) or Path(trial).name != trial:
                raise BadInput(path, f"{name}: {trial!r} is no name of a trial")
            if trials.get(trial, (here, 0))[0] != here:
                raise BadInput(path, f"lists {trial} in {trials[trial][0]} and in {here}")
            if not (hasattr(count, "__index__") and count > 0):
                raise BadInput(path, f"{name}: {count!r} is no number of rows of {trial}")
            trials[trial] = here, int(count)
    return trials


def _clip(arrays: Path, trial: str, partition: str, rows: int) -> Clip:
    frame, label = (arrays / trial / name for name in ("frame.npy", "label.npy"))
    speaker, recording = people_of(trial)
    return Clip(
        id=trial,
        images=frame if frame.is_file() else None,
        end=rows / ROWS,
        speaker=speaker,
        recording=recording,
        partition=partition,
        annotation=label if label.is_file() else None,
    )


def _missing(clip: Clip) -> list[str]:
    lacks = [] if clip.images else [f"{clip.id}: no frame.npy"]
    if clip.annotation is None and clip.partition != "test":
        lacks.append(f"{clip.id}: no label.npy")
    return lacks
