"""What tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.toy import SOUND30, VIDEO, timed_store


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store of clips with valence and arousal, and its protocol."""
    folder = tmp_path_factory.mktemp("timed")
    timed_store(folder, SOUND30, VIDEO)
    return folder
