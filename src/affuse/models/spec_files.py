"""What a model file says of itself, without its weights; importing this imports no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from affuse.errors import BadInput
from affuse.execution.fields import LARGEST, check_mapping, check_whole, short
from affuse.models.onnx_metadata import is_onnx, onnx_metadata
from affuse.models.spec import FORMAT, ModelSpec

KEY = "affuse"  # the one entry of the metadata: several would be written in no fixed order
#: In the description: SHA-256 of everything else in the file.
DIGEST = "digest"


def read_spec(path: Path) -> ModelSpec:
    """The spec of a model file, without its weights; its digest is not compared.

    Raises:
        BadInput: Missing, damaged, of another program, or of a newer version of affuse.
    """
    path = Path(path)
    return spec_of(path, described(path))


def read_digest(path: Path) -> str | None:
    """The digest in a model file; None in those of the first versions of affuse.

    Raises:
        BadInput: It is no model file.
    """
    return described(Path(path)).get(DIGEST)


@contextmanager
def opened_file(path: Path, arrays: Literal["np", "pt"] = "np") -> Iterator[Any]:
    """A safetensors file; its header is checked against its length by the library.

    Args:
        path: The file.
        arrays: What its entries are given as: of numpy, or of torch.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(path, "no such file")
    if is_onnx(path):
        raise BadInput(path, "is an ONNX file, which can only predict; name the model file")
    try:
        with safe_open(path, arrays) as file:
            yield file
    except (SafetensorError, OSError) as error:
        reason = short(str(error), 200)
        raise BadInput(path, f"not a model file, or damaged ({reason})") from error


def described(path: Path) -> dict[str, Any]:
    """The description in a model file, a safetensors or an ONNX file, as JSON values."""
    if is_onnx(path):
        kind, metadata = "an ONNX", onnx_metadata(path)
    else:
        with opened_file(path) as file:
            kind, metadata = "a safetensors", file.metadata() or {}
    if KEY not in metadata:
        raise BadInput(path, f"{kind} file, but not a model file of affuse")
    try:
        value = json.loads(metadata[KEY])
        check_mapping("description", value)
        check_whole("format", value.get("format"), 1, LARGEST)
    except (ValueError, RecursionError) as error:
        raise BadInput(path, f"its description is damaged ({error})") from error
    if value["format"] > FORMAT:
        newer = short(value.get("version"), 20)
        raise BadInput(path, f"made by a newer affuse ({newer}); update affuse")
    return dict(value)


def spec_of(path: Path, told: Mapping[str, Any]) -> ModelSpec:
    """The spec that a description tells."""
    try:
        return ModelSpec.from_json({key: x for key, x in told.items() if key != DIGEST})
    except ValueError as error:
        raise BadInput(path, f"its description is damaged: {error}") from error
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = short(repr(error), 200)
        raise BadInput(path, f"its description is damaged ({reason})") from error
