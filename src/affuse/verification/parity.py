"""Re-computes the parity cases: the published systems' numbers on weights filled by a rule.

A parity folder holds `fill.py` (the rule), `state_dicts/` and `cases/`; its README says what is
in a case.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from affuse.errors import BadInput
from affuse.verification.reading import Content

#: What a case is compared on: quantity, error, tolerance.
Measure = tuple[str, float, float]


@dataclass(frozen=True)
class Case:
    """One parity case and what it takes to compute it.

    Args:
        path: Its file.
        content: What the file says.
        fill: The module with the filling rule.
        data: Folder of the recordings that some cases are about.
        device: Torch device.
    """

    path: Path
    content: dict[str, Any]
    fill: ModuleType
    data: Path
    device: str = "cpu"

    @property
    def id(self) -> str:
        """The name of the file."""
        return self.path.stem

    @property
    def system(self) -> str:
        """The model that it is about, or its own name."""
        return self.content.get("model", self.id)


@dataclass(frozen=True)
class CaseResult:
    """The outcome of one case.

    Args:
        case: Its name.
        quantity: What comes closest to its tolerance, or exceeds it most; empty if not computed.
        error: The error of that quantity.
        tolerance: Its tolerance.
        passed: Whether all quantities keep their tolerances; None if not computed.
        note: Why it was not computed.
    """

    case: str
    quantity: str = ""
    error: float | None = None
    tolerance: float | None = None
    passed: bool | None = None
    note: str = ""


def _media(case: Case) -> Iterable[Measure]:
    if not case.data.is_dir():
        raise NotComputed(f"needs the recordings in {case.data}")
    module = import_module("affuse.verification.media_cases")
    check = getattr(module, case.id.replace("data_", "check_"))
    measures: Iterable[Measure] = check(case.content, case.data)
    return measures


#: System or case -> checker: a function, or `module:function` below `affuse.verification`.
CHECKERS: dict[str, str | Callable[[Case], Iterable[Measure]]] = {
    "chumachenko": "model_cases:check_chumachenko",
    "avtca": "model_cases:check_chumachenko",
    "efficientface": "model_cases:check_efficientface",
    "auxformer": "auxformer_cases:check_auxformer",
    "jca": "rjca_cases:check_rjca",
    "rjca": "rjca_cases:check_rjca",
    "rjca_coattention": "rjca_cases:check_coattention",
    "rjca_paper_formula": "rjca_cases:check_paper_formula",
    "tsav": "rjca_cases:check_tsav",
    "leader_follower": "leader_follower_cases:check_leader_follower",
    "vggish": "leader_follower_cases:check_vggish",
    "whisper_encoder": "whisper_cases:check_encoder",
    "signal_logmel": "signal_cases:check_logmel",
    "signal_mel64": "signal_cases:check_mel64",
    "signal_mfcc10": "signal_cases:check_mfcc10",
    "signal_mfcc39": "signal_cases:check_mfcc39",
    "data_leader_follower": "data_cases:check_leader_follower",
    "data_rjca_sequences": "data_cases:check_rjca_sequences",
    "data_rjca_evaluation": "data_cases:check_rjca_evaluation",
    "data_ccc": "data_cases:check_ccc",
    "data_mtcnn": _media,
    "data_faces224": _media,
}


#: The format of the model cases.
FORMAT = 1

#: Keys that say what a case is and how it was made, and that nothing is compared with: anywhere,
TOLD_ANYWHERE = {"id", "model", "variant", "rule", "note", "decoder", "order", "made_with"}
#: of a configuration, where the weights tell the same,
TOLD_CONFIGURATION = {
    *("release", "layers", "a_dim", "v_dim", "fusion", "num_heads", "seq_length", "num_seq"),
    *("sequence", "kind", "part", "channels", "kernel_size", "embedding_dim", "backbone_mode"),
    *("num_channels",),
}
#: and in one place.
TOLD = {
    *("config", "columns", "frames", "folds.spans", "smoothing.outside"),
    *(f"config.{key}" for key in TOLD_CONFIGURATION),
    *("bands", "frame", "high", "hop", "low", "mel", "n_fft", "n_mels", "n_mfcc", "norm", "offset"),
    *("pad_end", "power", "scale", "shift", "top_db", "win"),
    *("items.channel_order", "items.frames", "items.shape", "items.size"),
    *("output.what", "cases.both_constant_equal.flat_grad_l2"),
}


class NotComputed(Exception):
    """A case that cannot be computed here, without anything being wrong."""


def case_files(folder: Path) -> list[Path]:
    """The cases of a parity folder, or of the `cases` in it, by name.

    Raises:
        BadInput: The folder holds no parity cases.
    """
    folder = Path(folder)
    inner = folder / "cases"
    paths = sorted((inner if inner.is_dir() else folder).glob("*.json"))
    if not paths:
        raise BadInput(folder, "holds no parity cases")
    return paths


def count_cases(folder: Path) -> int:
    """How many results `run_parity` yields; `BadInput` where there are no cases."""
    return len(case_files(folder))


def run_parity(folder: Path, device: str = "cpu", data: Path | None = None) -> Iterator[CaseResult]:
    """Compute every case of a folder.

    Args:
        folder: A parity folder, or the `cases` in it.
        device: Torch device of the models.
        data: Folder of the recordings; `data/videos` beside the parity folder by default.

    Yields:
        One result per case, by name; cases of systems that affuse does not have are among them,
        and damaged ones, which have failed.

    Raises:
        BadInput: The folder holds no parity cases.
    """
    paths = case_files(folder)
    root = paths[0].absolute().parents[1]
    fill = load_fill(root / "fill.py")
    recordings = data or root.parent / "data" / "videos"
    for path in paths:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            yield _broken(path.stem, f"is not JSON ({_one_line(error)})")
            continue
        if isinstance(content, dict):
            yield check_case(Case(path, content, fill, recordings, device))
        else:
            yield _broken(path.stem, "is not a case (a mapping of keys to values)")


def check_case(case: Case) -> CaseResult:
    """Compute one case and compare it with what its file says."""
    checker = CHECKERS.get(case.system)
    if checker is None:
        return CaseResult(case.id, note="not implemented")
    if isinstance(checker, str):
        module, name = checker.split(":")
        checker = getattr(import_module(f"affuse.verification.{module}"), name)
    content = Content(case.content)
    try:
        if content.get("format", FORMAT) != FORMAT:
            raise BadInput(case.path, f"has format {content['format']}, not {FORMAT}")
        quantity, error, tolerance = max(checker(replace(case, content=content)), key=_severity)
    except NotComputed as reason:
        return CaseResult(case.id, note=f"not computed: {reason}")
    except KeyError as problem:
        return _broken(case.id, f"lacks {problem.args[0]!r}")
    except BadInput as problem:
        named = "" if problem.path == case.path else f"{problem.path}: "
        return _broken(case.id, f"{named}{_one_line(problem.reason)}")
    except Exception as problem:  # one broken case must not hide the others
        return _broken(case.id, f"{type(problem).__name__}: {_one_line(problem)}")
    passed = error <= tolerance
    unread = [key for key in content.unread() if not _only_told(key)]
    if passed and unread:  # of what differs not everything is looked at
        return _broken(case.id, f"has keys that affuse does not know: {', '.join(unread)}")
    return CaseResult(case.id, quantity, error, tolerance, passed)


def _only_told(key: str) -> bool:
    """Whether a key, or the part of a case that it is in, says how the case was made."""
    return key in TOLD or key.rpartition(".")[2] in TOLD_ANYWHERE


def _broken(case: str, note: str) -> CaseResult:
    return CaseResult(case, passed=False, note=note)


def _one_line(problem: object) -> str:
    return " ".join(str(problem).split())


def _severity(measure: Measure) -> float:
    _, error, tolerance = measure
    if math.isnan(error) or error > 0.0 == tolerance:
        return math.inf
    return error / tolerance if tolerance else 0.0


def load_fill(path: Path) -> ModuleType:
    """The filling rule; `BadInput` where it is missing."""
    spec = importlib.util.spec_from_file_location("parity_fill", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadInput(path, "no such file; a parity folder holds its filling rule")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
