from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.toy import toy_store


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small generated store; not to be written to."""
    folder = tmp_path_factory.mktemp("toy")
    toy_store(folder, clips=32)
    return folder


@pytest.fixture
def small(prepared: Path, tmp_path: Path) -> Path:
    """The same, to be written to."""
    return shutil.copytree(prepared, tmp_path / "toy")
