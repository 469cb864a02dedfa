"""Weights of Whisper from a host that is named: compared, converted, and read by the stream."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.faults.sounds import voice, write_wav
from tests.loopback import Resource, Server
from tests.models.test_whisper import extracted, published

from affuse.cli.main import main
from affuse.models.backbones.whisper import WhisperEncoder
from affuse.models.frozen import fetching


def checkpoint() -> bytes:
    """A published file of a network whose encoder has two layers of 64 values."""
    torch.manual_seed(0)
    state = published(WhisperEncoder(80, 64, 2, 200).state_dict()) | {"decoder.ln": torch.ones(3)}
    halves = {name: x.half() for name, x in state.items()}
    buffer = io.BytesIO()
    torch.save({"dims": {"n_mels": 80, "n_audio_state": 64}, "model_state_dict": halves}, buffer)
    return buffer.getvalue()


@pytest.fixture
def resource(server: Server, monkeypatch: pytest.MonkeyPatch) -> Resource:
    """What the server has for `base`, with its digest in the place of that of the real one."""
    content = checkpoint()
    digest = hashlib.sha256(content).hexdigest()
    told = fetching._told()

    def small() -> dict[str, Any]:
        return {**told, "files": {"base": {"about": len(content), "sha256": digest}}}

    monkeypatch.setattr(fetching, "_told", small)
    file = Resource(content)
    server.files[f"/main/whisper/models/{digest}/base.pt"] = file
    return file


def words(server: Server, out: Path, *more: str) -> list[str]:
    return ["fetch", "whisper-base", str(out), "--mirror", server.url, *more]


def test_the_encoder_arrives_after_the_licence(
    server: Server, resource: Resource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "weights"
    assert main(words(server, out)) == 2
    assert "MIT License" in capsys.readouterr().out and server.requests == []
    assert main(words(server, out, "--yes")) == 0
    assert "(published)" in capsys.readouterr().err
    assert {path.name for path in out.iterdir()} == {"fetched.json", "whisper-base.safetensors"}
    kept = load_file(out / "whisper-base.safetensors")
    assert all(x.dtype == torch.float16 for x in kept.values()) and "conv1.weight" in kept
    (tmp_path / "base.pt").write_bytes(resource.body)
    sound = write_wav(tmp_path / "a.wav", voice(1.2), 16000)
    np.testing.assert_array_equal(
        extracted(out / "whisper-base.safetensors", sound), extracted(tmp_path / "base.pt", sound)
    )


def test_what_is_there_is_kept_and_what_is_damaged_comes_again(
    server: Server, resource: Resource, tmp_path: Path
) -> None:
    resource.cuts = [len(resource.body) // 3]
    assert main(words(server, tmp_path, "--yes")) == 0
    assert server.ranges() == [None, f"bytes={len(resource.body) // 3}-"]
    file = tmp_path / "whisper-base.safetensors"
    whole = file.read_bytes()
    assert main(words(server, tmp_path, "--yes")) == 0 and len(server.requests) == 2
    file.write_bytes(whole[:-1] + b"x")
    assert main(words(server, tmp_path, "--yes", "--verify", "--keep-archives")) == 0
    assert len(server.requests) == 3 and file.read_bytes() == whole
    assert (tmp_path / "base.pt").read_bytes() == resource.body
    assert json.loads((tmp_path / "fetched.json").read_text())["base.pt"]["files"]


def test_another_file_than_the_published_one_is_refused(
    server: Server, resource: Resource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resource.body = resource.body[:-1] + b"x"
    assert main(words(server, tmp_path, "--yes")) == 2
    assert "has SHA-256" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_a_host_a_file_that_is_there_is_taken(
    resource: Resource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["fetch", "whisper-base", str(tmp_path), "--yes"]
    assert main(line) == 2
    told = capsys.readouterr().err
    assert "--mirror" in told and "put base.pt into" in told and told.count("\n") == 1
    (tmp_path / "base.pt").write_bytes(resource.body)
    assert main(line) == 0
    assert (tmp_path / "whisper-base.safetensors").is_file()
    assert not (tmp_path / "base.pt").exists()


def test_every_published_size_has_a_digest(capsys: pytest.CaptureFixture[str]) -> None:
    for name in fetching.list_weights():
        (archive,) = fetching.load_weights(name, "http://127.0.0.1").parts["encoder"].archives
        assert len(bytes.fromhex(archive.sha256)) == 32
        assert archive.url.endswith(f"/{archive.sha256}/{name.removeprefix('whisper-')}.pt")
    assert main(["fetch", "--list"]) == 0
    assert "whisper-large-v3-turbo" in capsys.readouterr().out
