"""Stores and corpora in object storage, read from an S3 server on loopback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.commands import refused, run
from tests.folders import tree
from tests.media.recordings import write_recording
from tests.s3 import S3, s3
from tests.toy import toy_recipe, toy_store

from affuse.features.store import Store
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train

pytest.importorskip("obstore", reason="needs the extra cloud")


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """A server with the empty bucket `emotion`; copies go to `cache`."""
    (tmp_path / "buckets/emotion").mkdir(parents=True)
    with s3(tmp_path / "buckets") as server:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AFFUSE_CACHE", str(tmp_path / "cache"))
        yield server


def test_a_store_in_a_bucket_trains_as_one_on_disk(storage: S3, tmp_path: Path) -> None:
    bucket = tmp_path / "buckets/emotion"
    (bucket / "stores").mkdir()
    toy_store(bucket / "stores")
    recipe = load_recipe(toy_recipe(bucket / "stores", epochs=1))
    here = dict(train(recipe, bucket / "stores/store", tmp_path / "here", [0]))[0]
    there = dict(train(recipe, Path("s3://emotion/stores/store"), tmp_path / "there", [0]))[0]
    assert there.read_bytes() == here.read_bytes()
    assert run("evaluate", tmp_path / "there") == 0, "by the copies that run.json names"
    asked = len(storage.asked)
    Store(Path("s3://emotion/stores/store")).stream("audio/mfcc10")
    assert len(storage.asked) == asked, "what is there already is not read again"


def test_of_a_store_only_what_is_read_is_copied_and_what_changed_is_copied_again(
    storage: S3, tmp_path: Path
) -> None:
    bucket = tmp_path / "buckets/emotion"
    toy_store(bucket)
    store = Store(Path("s3://emotion/store"))
    assert store.has("video/openface") and not store.has("video/faces48")
    store.stream("audio/mfcc10")
    assert sorted(set(storage.asked)) == ["store/audio/mfcc10.safetensors", *INDEX]
    changed = bucket / "store/audio/mfcc10.safetensors"
    before = changed.stat().st_mtime
    os.utime(changed, (before + 60, before + 60))
    Store(Path("s3://emotion/store")).stream("audio/mfcc10")
    assert storage.asked.count("store/audio/mfcc10.safetensors") == 2


INDEX = ["store/clips.csv", "store/failures.csv", "store/store.json"]


def test_a_corpus_in_a_bucket_is_prepared_to_the_same_bytes(storage: S3, tmp_path: Path) -> None:
    corpus = tmp_path / "buckets/emotion/ravdess"
    (corpus / "Actor_01").mkdir(parents=True)
    random = np.random.default_rng(0)
    for emotion in (1, 3):
        path = corpus / f"Actor_01/03-01-{emotion:02d}-01-01-01-01.wav"
        sound = random.normal(0, 0.1, (1, 16000)).astype(np.float32)
        write_recording(path, None, sound, rate=16000, audio_codec="pcm_s16le")
        os.utime(path, (1_700_000_000, 1_700_000_000))  # storages keep whole seconds
    for root, store in ((corpus, "here"), ("s3://emotion/ravdess", "there")):
        words = ["prepare", "ravdess", root, "--store", tmp_path / store, "--workers", 1]
        assert run(*words, "--streams", "audio/mfcc10") == 0
    assert tree(tmp_path / "there") == tree(tmp_path / "here")


@pytest.mark.parametrize(
    ("place", "changes", "line"),
    [
        ("s3://nobody/store", {}, "s3://nobody/store: no such bucket"),
        ("s3://emotion/store", {}, "s3://emotion/store: no such folder in the bucket"),
        (
            "s3://emotion/store",
            {"AWS_ACCESS_KEY_ID": ""},
            "s3://emotion/store: no credentials: set AWS_ACCESS_KEY_ID",
        ),
        (
            "s3://emotion/store",
            {"AWS_ACCESS_KEY_ID": "another"},
            "s3://emotion/store: the credentials are not known there",
        ),
        (
            "s3://emotion/store",
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            "s3://emotion/store: the storage cannot be reached",
        ),
    ],
)
def test_a_storage_that_cannot_be_read_is_one_line(
    storage: S3,
    place: str,
    changes: dict[str, str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    said = refused(capsys, "check", "--store", place)
    assert said.startswith(f"affuse check: {line}")
    assert not (tmp_path / "cache").exists()


def test_without_the_extra_it_is_named(
    storage: S3, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    line = refused(capsys, "check", "--store", "s3://emotion/store")
    told = 's3:// needs obstore, which is not installed: pip install "affuse[cloud]"'
    assert line == f"affuse check: {told}"


def test_nothing_is_written_to_a_storage(
    storage: S3, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    toy_store(tmp_path)
    recipe = toy_recipe(tmp_path, epochs=1)
    line = refused(capsys, "train", recipe, "--store", "store", "--out", "s3://emotion/run")
    assert "s3://emotion/run: affuse writes to disks alone" in line
    assert not (tmp_path / "s3:").exists()
