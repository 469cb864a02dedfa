"""Recipes by name or from a file, with changes; their keys and values are checked strictly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from affuse.errors import AffuseError, BadInput
from affuse.features.renamed import current_name
from affuse.models.options import current_options
from affuse.suggestions import hint, unknown
from affuse.training.recipe import PARTS, Recipe
from affuse.training.recipe_parts import RENAMED_KEYS


def list_recipes() -> dict[str, Path]:
    """Bundled recipes: name -> file."""
    folder = Path(__file__).parent / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_recipe(
    source: str | Path,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    *,
    written: bool = False,
) -> Recipe:
    """A recipe by name or from a file, with changes.

    Args:
        source: One of `list_recipes()`, or a YAML file.
        overrides: Such as `epochs=3`, `optimiser.lr=1e-4` or `model.heads=4`; or key -> value.
        written: Whether affuse wrote it, perhaps a version that had other names for some keys.

    Raises:
        BadInput: The file is absent, no YAML mapping, or holds a wrong key or value.
        AffuseError: An override is wrong.
    """
    known = list_recipes()
    earlier = f"{str(source).removesuffix('-reference')}-published"
    path = known.get(str(source)) or known.get(earlier, Path(source))
    if not path.is_file():
        said = hint(str(source), known, "affuse list recipes")
        raise BadInput(source, f"no such recipe or file; {said}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(path, "is not YAML: " + " ".join(str(error).split())) from error
    if not isinstance(values, dict):
        raise BadInput(path, "is not a recipe (a mapping of keys to values)")
    if written:
        values = _renamed(values)
    try:
        check_keys(values)
    except AffuseError as error:
        raise BadInput(path, str(error)) from None
    changes = overrides.items() if isinstance(overrides, Mapping) else map(parse_change, overrides)
    for key, value in changes:
        _override(values, key, value)
    check_keys(values)
    try:
        return _recipe(values)
    except (ArgumentError, TypeError, ValueError) as error:
        raise BadInput(path, " ".join(str(error).split())) from None


def _renamed(values: dict[str, Any], part: str = "") -> dict[str, Any]:
    """Keys of an earlier version as they are called now."""
    renamed = {}
    for key, value in values.items():
        name = f"{part}.{key}" if part else str(key)
        now = RENAMED_KEYS.get(name, name).removeprefix(f"{part}." if part else "")
        renamed[now] = _renamed(value, name) if isinstance(value, dict) and name in PARTS else value
    return renamed


def parse_change(change: str) -> tuple[str, Any]:
    """`key=value` as typed: the key, and the value read as YAML.

    Raises:
        AffuseError: It is not of this form.
    """
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise AffuseError(f"{change!r} is not of the form key=value")
    try:
        return key, yaml.safe_load(text)
    except yaml.YAMLError:
        raise AffuseError(f"{change!r}: the value is not YAML") from None


def _override(values: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise AffuseError(f"{key!r}: {parent} has no parts")
    values[last] = deepcopy(value)


def recipe_keys() -> list[str]:
    """All keys of a recipe, such as `epochs` and `optimiser.lr`, without the options of models."""
    own = [one.name for one in fields(Recipe) if one.name not in PARTS]
    return own + [f"{part}.{one.name}" for part, kind in PARTS.items() for one in fields(kind)]


def check_keys(values: Mapping[str, Any], part: str = "") -> None:
    """Compare keys as they stand in a file with those of a recipe.

    Args:
        values: The recipe, or one part of it.
        part: The part, such as `labels`.

    Raises:
        AffuseError: There is no such key; the closest one is named.
    """
    known = recipe_keys()
    own = [key for key in known if key.startswith(f"{part}.")] or known
    for key, value in values.items():
        name = f"{part}.{key}" if part else str(key)
        if name in RENAMED_KEYS:
            raise AffuseError(f"{name} is called {RENAMED_KEYS[name]} now")
        if isinstance(value, dict) and name not in known:
            check_keys(value, name)
        elif name not in known and name not in PARTS:
            raise unknown("recipe key", name, own, "docs/reference/recipes.md")


def _recipe(values: dict[str, Any]) -> Recipe:
    """A recipe from plain values, strictly; ArgumentError on a wrong key or value."""
    for part in PARTS:
        if not isinstance(values.get(part, {}), dict):
            raise ArgumentError(None, f"{part} must be a mapping of keys to values")
    if isinstance(streams := values.get("streams"), list):
        values = {**values, "streams": [current_name(str(name)) for name in streams]}
    if isinstance(model := values.get("model"), dict):
        values = {**values, "model": current_options(model)}
    if "precision" in values:  # YAML reads 32 as a number
        values = {**values, "precision": str(values["precision"])}
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Recipe)
    return Recipe(**parser.instantiate(parser.parse_object(values)).as_dict())
