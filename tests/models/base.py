"""Which models have a test class."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from affuse.models.registry import MODELS
from affuse.verification.contracts.model import ModelContract


def covered(base: type[ModelContract] = ModelContract) -> set[str]:
    """Names of the models that have a test class."""
    names = {base.name} if hasattr(base, "name") else set()
    return names.union(*(covered(child) for child in base.__subclasses__()))


def uncovered() -> set[str]:
    """Registered models without a test class, in whatever module below this folder.

    Embeddings recognise no emotion: they have one head, and tests of their own.
    """
    for module in pkgutil.walk_packages([str(Path(__file__).parent)], "tests.models."):
        importlib.import_module(module.name)
    return {name for name, entry in MODELS.items() if entry.task != "embedding"} - covered()
