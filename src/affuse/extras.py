"""Packages that not everybody needs: which extra installs them, and what is said without them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from affuse.errors import AffuseError

_TABLES = ("pandas", "scipy")
_TRAIN = ("lightning", "tensorboard", *_TABLES)
#: Extra -> what it installs, as it is imported.
EXTRAS: dict[str, tuple[str, ...]] = {
    "train": _TRAIN,
    "demo": ("skimage", *_TRAIN),
    "wav2vec2": ("transformers",),
    "opensmile": ("opensmile",),
    "serve": (
        *("fastapi", "starlette", "uvicorn", "websockets", "python_multipart"),
        *("prometheus_client", *_TABLES),
    ),
    "parquet": ("pyarrow", "pandas"),
    "cloud": ("obstore",),
    "cluster": ("parsl",),
    "export": ("onnx", "onnxscript", "onnxruntime"),
}


def missing(extra: str) -> list[str]:
    """Packages of an extra that are not installed."""
    return [package for package in EXTRAS[extra] if find_spec(package) is None]


def install(extra: str) -> str:
    """The command that installs an extra."""
    return f'pip install "affuse[{extra}]"'


def need(extra: str, what: str = "", packages: Sequence[str] = ()) -> None:
    """Refuse to go on without an extra.

    Args:
        extra: Its name.
        what: What needs it, where that is not what the user asked for.
        packages: Those of it that are needed; all by default.

    Raises:
        AffuseError: A package of it is not installed.
    """
    lacks = [name for name in missing(extra) if not packages or name in packages]
    if lacks:
        raise AffuseError(f"{what}{' ' * bool(what)}{advice(lacks[0], extra)}")


def advice(package: str, extra: str | None = None) -> str | None:
    """What to say where a package is not installed; None where it belongs to no extra.

    Args:
        package: As it is imported.
        extra: The one that is needed; by default the first with this package.
    """
    name = package.partition(".")[0]
    extra = extra or next((e for e, packages in EXTRAS.items() if name in packages), None)
    return f"needs {name}, which is not installed: {install(extra)}" if extra else None
