"""The folder of a run: begun, or found to be the same run."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from affuse.audit.split_check import with_earlier
from affuse.corpora.protocols.protocol import Protocol
from affuse.errors import BadInput
from affuse.execution.fields import short
from affuse.execution.files import atomic_path, sweep, write_json, write_text
from affuse.features.joined import JoinedStore
from affuse.features.store import Store
from affuse.training.fold import Training
from affuse.training.precision import precision_here
from affuse.training.processes import count
from affuse.training.recipe import Recipe
from affuse.training.recipe_files import load_recipe
from affuse.training.run import labels_copy, read_run
from affuse.training.stores import store_facts


def open_copy(data: Store, path: Path) -> Store:
    """A store of changed recordings of the clips of another one, by the names they have there.

    Args:
        data: The other one, or several as one.
        path: Changed recordings of one corpus.

    Raises:
        BadInput: It is of another corpus or of other clips, or nothing was changed.
    """
    copy, corpora = Store(path), [data.corpus]
    if isinstance(data, JoinedStore):
        copy, corpora = JoinedStore([path]), [*data.stores]
    if copy.corpus not in corpora:
        raise BadInput(path, f"is a store of {copy.corpus}, not of {data.corpus}")
    if not copy.changes:
        raise BadInput(path, "is a store of recordings as they are; make one with prepare --change")
    if not {clip.id for clip in copy.clips} & {clip.id for clip in data.clips}:
        raise BadInput(path, f"has none of the clips of {data.path}")
    return copy


def open_run(
    run: Training,
    protocol: Protocol,
    checked: dict[str, Any],
    start: dict[str, Any],
    out: Path,
    resume: bool,
) -> None:
    """Make the folder of a run, or check that the one there is the same run.

    Args:
        run: What its folds share.
        protocol: Which clips have which role.
        checked: What was looked for in the split.
        start: What is told of the weights that training starts from.
        out: The folder.
        resume: Whether there may be a run.

    Raises:
        BadInput: There is another run, or one and it is not to be resumed.
    """
    recipe, data, learned = run.recipe, run.data, run.learned
    sweep(out)
    saved, kept = out / "recipe.yaml", labels_copy(out, recipe)
    if saved.is_file():
        if not resume:
            raise BadInput(out, "holds a run already; go on with --resume or choose another --out")
        check_same_run(out, recipe, run.copies)
        before = read_run(out)
        if (begun := before.get("processes", 1)) != count():
            raise BadInput(
                out, f"was begun by {begun} processes together, not {count()}; resume with as many"
            )
        if start and before["init"]["sha256"] != start["init"]["sha256"]:
            raise BadInput(recipe.init or recipe.resume_path, f"is not what {out} began with")
        if (leaks := with_earlier(before["leaks"], checked)) != before["leaks"]:
            write_json(out / "run.json", before | {"leaks": leaks})
        return
    facts = {
        **store_facts(recipe, data, learned),
        "corpus": data.corpus,
        "licence": data.licence,
        "protocol": {
            "name": protocol.name,
            "version": protocol.version,
            "sha256": protocol.sha256 or None,
        },
        "clips": {
            "learned": len(learned.clips),
            "unused": learned.unused,
            "limit": recipe.limit,
        },
        **({"labels": learned.file} if learned.file else {}),
        **({"copies": _told(run.copies)} if run.copies else {}),
        "leaks": checked,
        **start,
        "precision": precision_here(recipe.precision, run.device),
        **({"processes": count()} if count() > 1 else {}),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("affuse", "torch", "lightning", "numpy", "av")},
        },
    }
    write_json(out / "run.json", facts)
    if kept:
        with atomic_path(kept) as path:
            path.write_bytes(Path(recipe.labels.file).read_bytes())
    write_text(saved, recipe.to_yaml())


def check_same_run(out: Path, recipe: Recipe, copies: Sequence[Store] = ()) -> None:
    """Refuse a run that was begun with another recipe, labels or copies of the clips.

    Args:
        out: Folder of the run.
        recipe: What is to be trained.
        copies: Stores of changed recordings of the same clips.

    Raises:
        BadInput: The run is another one; the first difference is named.
    """
    saved, kept = out / "recipe.yaml", labels_copy(out, recipe)
    before, given = (_keys(one) for one in (load_recipe(saved, written=True), recipe))
    if other := [key for key in {**before, **given} if before.get(key) != given.get(key)]:
        key = other[0]
        told = (
            f"{key} is {short(before.get(key, 'not set'))}, not {short(given.get(key, 'not set'))}"
        )
        raise BadInput(saved, f"differs from the recipe given: {told}; resume with the same one")
    if kept and kept.read_bytes() != Path(recipe.labels.file).read_bytes():
        raise BadInput(recipe.labels.file, f"differs from {kept}, which the run was begun with")
    if read_run(out).get("copies", []) != _told(copies):
        raise BadInput(out, "was begun with other copies of the clips; give the same --copies")


def _told(copies: Sequence[Store]) -> list[dict[str, Any]]:
    """What is told of stores of changed recordings."""
    return [{"store": str(copy.path.resolve()), "changes": copy.changes} for copy in copies]


def _keys(recipe: Recipe) -> dict[str, str]:
    """Dotted keys and values of a recipe, as they are written."""
    found: dict[str, str] = {}

    def add(value: Any, key: str) -> None:
        if isinstance(value, dict) and value:
            for name, inner in value.items():
                add(inner, f"{key}.{name}" if key else str(name))
        else:
            found[key] = str(value)

    add(yaml.safe_load(recipe.to_yaml()), "")
    return found
