from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import affuse
from affuse.features.catalogue import stream_spec
from affuse.models.modelfile import ModelSpec, save_model
from tests.loopback import Server as Shelf
from tests.loopback import serve
from tests.media.recordings import write_recording
from tests.serving.running import Running, running


def tone(path: Path, seconds: float) -> Path:
    """A recording with sound alone."""
    time = np.arange(round(seconds * 16000)) / 16000
    sound = 0.3 * np.sin(2 * np.pi * 220 * time) * np.sin(2 * np.pi * 3 * time)
    codec = "pcm_s16le" if path.suffix == ".wav" else "aac"
    return write_recording(
        path, sound=sound[None].astype(np.float32), rate=16000, audio_codec=codec
    )


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of sound with arbitrary weights."""
    torch.manual_seed(0)
    name = "audio/mfcc10"
    network = affuse.create_model("audio-only", [name], 3)
    spec = ModelSpec(
        "audio-only", {}, {name: stream_spec(name)}, {}, ["neutral", "happy", "sad"], window=2.0
    )
    path = tmp_path_factory.mktemp("served") / "voice.safetensors"
    save_model(path, network, spec)
    return path


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tone(tmp_path_factory.mktemp("short") / "Grandma's secret.wav", 3.0)


@pytest.fixture(scope="session")
def shelf() -> Iterator[Shelf]:
    """A host of recordings."""
    with serve() as one:
        yield one


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, model: Path, shelf: Shelf
) -> Iterator[Running]:
    """A server that takes 2 MB, a minute, two people, and recordings of the shelf."""
    data = tmp_path_factory.mktemp("server") / "data"
    limits = ("--max-megabytes", 2, "--max-minutes", 1, "--max-people", 2)
    port = shelf.url.rpartition(":")[2]
    hosts = [f"127.0.0.1:{port}", f"shelf.example:{port}=127.0.0.1", f"localhost:{port}"]
    allowed = [word for host in hosts for word in ("--allow-host", host)]
    with running(data, "--model", model, *limits, *allowed) as one:
        yield one


@pytest.fixture(scope="session")
def token() -> str:
    return "an-entirely-secret-word"


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory, model: Path, token: str) -> Iterator[Running]:
    """A server that asks for a token, keeps jobs for a second and lets sessions take 0.6 s."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "token").write_text(f"{token}\n")
    limits = ("--keep-hours", 1 / 3600, "--live-minutes", 0.01)
    words = ("--model", model, "--token-file", folder / "token", *limits)
    with running(folder / "data", *words, token=token) as one:
        yield one
