import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.loopback import Resource, Server, pointer, serve_lfs, zipped

from affuse.corpora.fetching.archives import check_zip, unpack
from affuse.corpora.fetching.fetch import RECORD, fetch
from affuse.corpora.fetching.lfs import Pointer, parse_pointer
from affuse.corpora.fetching.manifest import list_manifests, load_manifest
from affuse.corpora.ravdess import read
from affuse.corpora.registry import CORPORA
from affuse.errors import AffuseError, BadInput

ZENODO = "/records/1188976/files/Video_Speech_Actor_{:02d}.zip?download=1"
GITHUB = "/CheyneyComputerScience/CREMA-D"
GITLAB = "/cs-cooper-lab/crema-d-mirror.git/info/lfs"


@pytest.fixture
def actors(server: Server) -> Server:
    """Archives as the publisher of RAVDESS lays them out, with another content."""
    for actor in range(1, 25):
        names = [f"Actor_{actor:02d}/0{m}-01-01-01-01-01-{actor:02d}.mp4" for m in (1, 2)]
        server.files[ZENODO.format(actor)] = Resource(zipped({n: n.encode() * 99 for n in names}))
    return server


@pytest.fixture
def clips(server: Server) -> dict[str, bytes]:
    """Recordings as the repository of CREMA-D holds them, with another content; more than a batch.

    Only the second server has them, as when the quota of the first is used up.
    """
    clips = {f"AudioWAV/{n}_DFA_ANG_XX.wav": f"sound {n}".encode() for n in range(1001, 1131)}
    clips |= {f"VideoFlash/{n}_DFA_ANG_XX.flv": f"image {n}".encode() for n in (1001, 1002)}
    tables = {"README.md": b"read me", "processedResults/tabulatedVotes.csv": b"a,b\n1,2\n"}
    files = tables | {name: pointer(content) for name, content in clips.items()}
    top = {f"CREMA-D-master/{name}": content for name, content in files.items()}
    server.files[f"{GITHUB}/archive/refs/heads/master.zip"] = Resource(zipped(top))
    refusal = b'{"message": "This repository exceeded its LFS budget."}'
    server.files[f"{GITHUB}.git/info/lfs/objects/batch"] = Resource(refusal, status=403)
    serve_lfs(server, GITLAB, list(clips.values()))
    return clips | tables


def run(server: Server, name: str, out: Path, *parts: str, **options: Any) -> list[str]:
    manifest = load_manifest(name, server.url)
    said: list[str] = []
    fetch(manifest, manifest.choose(parts), out, say=said.append, **options)
    return said


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != RECORD
    }


@pytest.mark.parametrize("name", list_manifests())
def test_a_manifest_tells_all_that_it_has_to(name: str) -> None:
    manifest = load_manifest(name)
    assert name in CORPORA and manifest.page.startswith("https://")
    assert manifest.title and manifest.licence and manifest.citation
    assert bool(manifest.parts) != bool(manifest.agreement)
    assert all(part.size > 0 and part.what for part in manifest.choose(list(manifest.parts)))
    assert set(manifest.default) <= set(manifest.parts)
    archives = [archive for part in manifest.parts.values() for archive in part.archives]
    addresses = [archive.url for archive in archives]
    addresses += [manifest.lfs.archive, *manifest.lfs.servers] if manifest.lfs else []
    assert all(address.startswith("https://") for address in addresses)
    assert len(set(addresses)) == len(addresses) and bool(addresses) == bool(manifest.parts)


def test_ravdess_has_all_of_the_record() -> None:
    parts = load_manifest("ravdess").parts
    assert {name: len(part.archives) for name, part in parts.items()} == {
        "speech-audio": 1,
        "speech-video": 24,
        "song-audio": 1,
        "song-video": 23,
    }
    assert not any("Actor_18" in archive.name for archive in parts["song-video"].archives)
    video = parts["speech-video"].archives[0]
    assert (
        video.url == "https://zenodo.org/records/1188976/files/Video_Speech_Actor_01.zip?download=1"
    )
    assert video.size is video.md5 is video.sha256 is None


def test_a_mirror_takes_the_place_of_the_host() -> None:
    manifest = load_manifest("ravdess", "http://mirror.example/data/")
    first = manifest.parts["speech-audio"].archives[0].url
    assert first.startswith("http://mirror.example/data/records/1188976/files/Audio_Speech")
    with pytest.raises(AffuseError, match=r"--mirror mirror\.example"):
        load_manifest("ravdess", "mirror.example")


def test_unknown_names_are_told() -> None:
    with pytest.raises(AffuseError, match=r"'no'.*cremad"):
        load_manifest("no")
    with pytest.raises(AffuseError, match=r"no part 'no'.*speech-audio"):
        load_manifest("ravdess").choose(["no"])


def test_ravdess_is_fetched_unpacked_and_recorded(actors: Server, tmp_path: Path) -> None:
    said = run(actors, "ravdess", tmp_path, "speech-video")
    assert len(tree(tmp_path)) == 48 and len(read(tmp_path).clips) == 24
    record = json.loads((tmp_path / RECORD).read_text())
    entry = record["Video_Speech_Actor_07.zip"]
    body = actors.files[ZENODO.format(7)].body
    assert entry["size"] == len(body) and len(entry["sha256"]) == 64
    assert entry["url"].endswith(ZENODO.format(7)) and entry["time"].endswith("+00:00")
    assert f"SHA-256 {entry['sha256']} (not published)" in said[6]

    before = len(actors.requests)
    again = run(actors, "ravdess", tmp_path, "speech-video", verify=True)
    assert len(actors.requests) == before and "are there" in again[0]


def test_what_went_missing_or_bad_is_fetched_again_and_must_be_the_same(
    actors: Server, tmp_path: Path
) -> None:
    run(actors, "ravdess", tmp_path, "speech-video")
    whole = tree(tmp_path)
    first, second = sorted((tmp_path / "Actor_03").iterdir())
    first.unlink()
    second.write_bytes(second.read_bytes()[::-1])
    before = len(actors.requests)
    run(actors, "ravdess", tmp_path, "speech-video")
    assert len(actors.requests) == before + 1 and first.is_file()
    assert tree(tmp_path) != whole
    run(actors, "ravdess", tmp_path, "speech-video", verify=True)
    assert tree(tmp_path) == whole

    first.unlink()
    actors.files[ZENODO.format(3)] = Resource(zipped({"Actor_03/a.mp4": b"other"}))
    with pytest.raises(BadInput, match=r"Actor_03\.zip\?download=1 has SHA-256 .*, expected"):
        run(actors, "ravdess", tmp_path, "speech-video")


def test_what_the_publisher_tells_is_checked(server: Server, tmp_path: Path) -> None:
    body = zipped({"Actor_01/a.wav": b"x"})
    server.files["/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1"] = Resource(body)
    with pytest.raises(BadInput, match=f"has {len(body)} bytes, expected 208,468,073"):
        run(server, "ravdess", tmp_path, "speech-audio")
    assert tree(tmp_path) == {}


def test_archives_can_be_kept_and_an_archive_at_hand_is_used(
    actors: Server, tmp_path: Path
) -> None:
    name = "Video_Speech_Actor_01.zip"
    (tmp_path / name).write_bytes(actors.files[ZENODO.format(1)].body)
    run(actors, "ravdess", tmp_path, "speech-video", keep_archives=True)
    assert len(list(tmp_path.glob("*.zip"))) == 24 and len(actors.requests) == 23
    assert not any(name in path for path, _ in actors.requests)


def test_a_broken_archive_is_not_unpacked(actors: Server, tmp_path: Path) -> None:
    body = bytearray(actors.files[ZENODO.format(1)].body)
    body[body.rindex(b"PK\x03\x04") + 65] ^= 255  # in the second file
    actors.files[ZENODO.format(1)].body = bytes(body)
    with pytest.raises(BadInput, match=r"Video_Speech_Actor_01\.zip: .*"):
        run(actors, "ravdess", tmp_path, "speech-video")
    assert not (tmp_path / "Actor_01").exists() and not (tmp_path / RECORD).exists()


@pytest.mark.parametrize(
    "name", ["/etc/x", "../x", "a/../../x", "a/..", "..\\x", "C:x", "\\\\host\\x"]
)
def test_archives_cannot_write_elsewhere(tmp_path: Path, name: str) -> None:
    archive, folder = tmp_path / "a.zip", tmp_path / "in" / "side"
    archive.write_bytes(zipped({"good": b"1", name: b"2"}))
    with pytest.raises(BadInput, match="leads out of it"):
        unpack(archive, folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["a.zip"]


@pytest.mark.parametrize(
    ("byte", "value", "message"),
    [(6, 1, "is encrypted"), (8, 97, "compression method")],
    ids=["encrypted", "another compression"],
)
def test_what_cannot_be_unpacked_is_one_line(
    tmp_path: Path, byte: int, value: int, message: str
) -> None:
    data = bytearray(zipped({"a.wav": b"1" * 99}))
    data[byte] = data[data.index(b"PK\x01\x02") + byte + 2] = value  # both headers of the file
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(BadInput, match=rf"a\.zip: cannot be unpacked .*{message}") as error:
        unpack(tmp_path / "a.zip", tmp_path / "in")
    assert "\n" not in str(error.value) and not list(tmp_path.glob("in/*"))


@given(
    files=st.dictionaries(
        st.from_regex(r"[a-z]{1,3}(/[a-z]{4,6})?", fullmatch=True), st.binary(), max_size=5
    )
)
def test_unpacking_twice_is_unpacking_once(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    files = {f"{k}/{name}": content for k, (name, content) in enumerate(files.items())}
    (folder / "a.zip").write_bytes(zipped(files))
    check_zip(folder / "a.zip")
    out = folder / "out"
    told = unpack(folder / "a.zip", out)
    assert {name: size for name, (size, _) in told.items()} == {n: len(c) for n, c in files.items()}
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert unpack(folder / "a.zip", out) == told
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert {name: (out / name).read_bytes() for name in files} == files


def test_no_archive_at_all_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("<html>sorry</html>")
    with pytest.raises(BadInput, match="not a whole zip archive"):
        check_zip(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("a", "stored, not compressed")
    damaged = (tmp_path / "b.zip").read_bytes().replace(b"stored", b"STORED")
    (tmp_path / "b.zip").write_bytes(damaged)
    with pytest.raises(BadInput, match="a in it is broken"):
        check_zip(tmp_path / "b.zip")


def test_cremad_comes_from_the_server_that_has_it(
    clips: dict[str, bytes], server: Server, tmp_path: Path
) -> None:
    said = run(server, "cremad", tmp_path)
    assert tree(tmp_path) == clips
    assert "0 of 132 recordings are there; 132 to fetch" in said[0]
    asked = [path for path, _ in server.requests if path.endswith("batch")]
    assert asked == 2 * [f"{GITHUB}.git/info/lfs/objects/batch", f"{GITLAB}/objects/batch"]
    stored = [headers for path, headers in server.requests if path.startswith("/storage")]
    assert len(stored) == 132 and all(h["Authorization"] == "token" for h in stored)
    assert json.loads((tmp_path / RECORD).read_text())["repository.zip"]["url"].endswith(
        "master.zip"
    )


def test_cremad_fetches_what_is_missing(
    clips: dict[str, bytes], server: Server, tmp_path: Path
) -> None:
    run(server, "cremad", tmp_path, "tables", "video")
    assert set(tree(tmp_path)) == {name for name in clips if not name.startswith("AudioWAV")}
    flv, other = sorted((tmp_path / "VideoFlash").iterdir())
    flv.write_bytes(flv.read_bytes()[::-1])
    other.write_bytes(b"")
    assert "1 of 2" in run(server, "cremad", tmp_path, "video")[0]
    assert other.read_bytes() == clips[f"VideoFlash/{other.name}"]
    assert flv.read_bytes() != clips[f"VideoFlash/{flv.name}"]
    assert "1 of 2" in run(server, "cremad", tmp_path, "video", verify=True)[0]
    assert flv.read_bytes() == clips[f"VideoFlash/{flv.name}"]
    assert "2 of 2 recordings are there" in run(server, "cremad", tmp_path, "video")[0]


def test_cremad_checks_every_recording(
    clips: dict[str, bytes], server: Server, tmp_path: Path
) -> None:
    victim = next(path for path in server.files if path.startswith("/storage"))
    server.files[victim].body = server.files[victim].body[::-1]
    with pytest.raises(BadInput, match=f"{victim} has SHA-256 .*, expected {victim[9:]}"):
        run(server, "cremad", tmp_path)


def test_when_no_server_has_a_recording_all_answers_are_told(
    clips: dict[str, bytes], server: Server, tmp_path: Path
) -> None:
    serve_lfs(server, GITLAB, [])
    with pytest.raises(AffuseError) as caught:
        run(server, "cremad", tmp_path, "audio")
    assert "exceeded its LFS budget" in str(caught.value)
    assert "AudioWAV/1001_DFA_ANG_XX.wav: 404 Object not found" in str(caught.value)
    server.files[f"{GITLAB}/objects/batch"] = Resource(b'{"objects": [{}]}')
    with pytest.raises(AffuseError, match="not answer as the Git LFS batch API"):
        run(server, "cremad", tmp_path, "audio")


@given(st.binary())
def test_a_pointer_tells_its_file(content: bytes) -> None:
    told = parse_pointer("a/b", pointer(content))
    assert told is not None and (told.path, told.size) == ("a/b", len(content))
    assert told == Pointer("a/b", told.oid, len(content)) and pointer(content).count(
        told.oid.encode()
    )
    assert parse_pointer("a/b", content) is None
    assert parse_pointer("a/b", pointer(content) + b"x") is None
