"""Help: an example that the program takes, what every argument is, and its default."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import time
from typing import Any

import pytest

from affuse.cli.examples import EXAMPLES
from affuse.cli.main import VERBS, main, module_of


@pytest.mark.parametrize("verb", VERBS)
def test_the_example_of_a_verb_is_taken(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: Any = []
    monkeypatch.setattr(module_of(verb), "run", lambda o: given.append(o) or 0)
    program, *words = shlex.split(EXAMPLES[verb])
    assert program == "affuse" and main(words) == 0 and given[0].verb == verb


@pytest.mark.parametrize("verb", VERBS)
def test_help_tells_every_argument_its_default_and_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    module_of(verb).add_arguments(parser)
    for action in parser._actions:
        assert action.help, action.dest
        if action.default not in (None, False, [], argparse.SUPPRESS):
            assert "default" in action.help, action.dest
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0 and EXAMPLES[verb] in " ".join(said.split())


def test_without_a_verb_all_are_listed_in_the_order_of_use(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 0
    assert re.findall(r"^    ([\w-]+)(?:  |$)", capsys.readouterr().out, re.M) == [*VERBS]
    assert VERBS.keys() == EXAMPLES.keys()


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_help_takes_half_a_second(verb: str) -> None:
    """The best of five, as other programs run beside it."""
    took = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "affuse", verb, "--help"], check=True, stdout=-3)
        took.append(time.perf_counter() - started)
    assert min(took) < 0.5
