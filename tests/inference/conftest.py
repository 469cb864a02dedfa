from pathlib import Path

import pytest
from tests.inference.recordings import values_model

from affuse.corpora.synthetic.affwild2 import synthesise


@pytest.fixture(scope="session")
def varying(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of six seconds with a talking face, whose frame rate varies."""
    pytest.importorskip("skimage")
    folder = tmp_path_factory.mktemp("varying")
    synthesise(folder, videos=2, seconds=(6.0, 6.0))
    return folder / "videos" / "video2.mp4"


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of valence and arousal from face and sound."""
    return values_model(tmp_path_factory.mktemp("both") / "va.safetensors")
