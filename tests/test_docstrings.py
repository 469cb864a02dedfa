"""Examples in the docstrings of the public modules give what they say."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

#: Modules with examples; those of one are run in the order in which they stand.
MODULES = (
    "affuse",
    "affuse.inference.predictor",
    "affuse.inference.many",
    "affuse.media.memory",
    "affuse.tasks.prediction",
)


def examples_of(name: str) -> list[doctest.DocTest]:
    module = import_module(name)
    found = doctest.DocTestFinder(exclude_empty=True).find(module, name)
    return sorted((one for one in found if one.examples), key=lambda one: one.lineno or 0)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(examples)
    runner = doctest.DocTestRunner(
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False
    )
    said: list[str] = []
    tests = examples_of(name)
    assert tests
    for test in tests:
        runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)


def test_every_public_function_has_an_example_or_is_said_by_another() -> None:
    import affuse

    without = {"compare"}  # needs two evaluated runs; docs/how-to/compare.md has one
    found = {one.name.removeprefix("affuse.") for one in examples_of("affuse")}
    functions = {n for n in affuse.__all__ if n[0].islower() and callable(getattr(affuse, n))}
    assert functions - found == without
