"""What all tests share: real recordings where they are, parity cases, and a synthetic corpus."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import settings

from affuse.execution import download
from affuse.media.probe import Recording
from tests.loopback import Server, serve

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
PARITY = Path(__file__).parent / "parity" / "cases"


def pytest_configure() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    settings.register_profile("quick", max_examples=25)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings beside the project."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the real recordings (../shared/data) are not here")
    return SHARED / "data"


@pytest.fixture(scope="session")
def parity_cases() -> Path:
    """The parity cases that come with the project."""
    return PARITY


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A folder with a small generated store, a protocol and room for runs."""
    from tests.toy import toy_store

    toy_store(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def affwild2_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a synthetic Aff-Wild2, its store, and two folds trained for an epoch; not to be
    written to."""
    from tests.affwild2 import trained_affwild2

    folder = tmp_path_factory.mktemp("affwild2")
    trained_affwild2(folder)
    return folder


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what examples of the documentation read; see `tests.examples`."""
    from tests.examples import write_examples

    folder = tmp_path_factory.mktemp("examples")
    write_examples(folder)
    return folder


@pytest.fixture(scope="session")
def varying(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of six seconds with a talking face, whose frame rate varies."""
    pytest.importorskip("skimage")
    from affuse.corpora.synthetic.affwild2 import synthesise

    folder = tmp_path_factory.mktemp("varying")
    synthesise(folder, videos=2, seconds=(6.0, 6.0))
    return folder / "videos" / "video2.mp4"


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of valence and arousal from face and sound."""
    from tests.inference.recordings import values_model

    return values_model(tmp_path_factory.mktemp("both") / "va.safetensors")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on loopback whose failures are tried again at once."""
    monkeypatch.setattr(download, "PAUSE", 0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as running:
        yield running


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of frames that have been decoded."""
    kinds: list[str] = []
    real = Recording._decode_from_here

    def noted(self: Recording, *streams: Any) -> Iterator[Any]:
        for frame in real(self, *streams):
            kinds.append("video" if isinstance(frame, av.VideoFrame) else "audio")
            yield frame

    monkeypatch.setattr(Recording, "_decode_from_here", noted)
    return kinds
