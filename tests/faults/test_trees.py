"""Files are reached through links; what is not here is named, counted and left out."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affuse.corpora.clip import Clip
from affuse.corpora.registry import read_corpus
from affuse.corpora.tree import find_listed, walk
from affuse.errors import BadInput
from affuse.execution.names import name_problem, path_below
from affuse.features.files import clip_place, first_file
from affuse.features.fingerprint import VideoFingerprint
from affuse.features.pictures import numbered_images

LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1\n"


def touch(path: Path, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def annexed(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("../../.git/annex/objects/kX/9f/SHA256E-s3--0.wav/SHA256E-s3--0.wav")


#: What stands where a file was promised -> what is said of it.
ABSENT: dict[str, tuple[Callable[[Path], object], str]] = {
    "dangling": (lambda p: p.symlink_to("nowhere"), "is a link to a file that is not there"),
    "loop": (lambda p: p.symlink_to(p.name), "is a link to a file that is not there"),
    "annex": (annexed, "is a git-annex link whose content is not here: run git annex get"),
    "unlocked": (
        lambda p: touch(p, "/annex/objects/SHA256E-s3--0.wav\n"),
        "is a git-annex link whose content is not here: run git annex get",
    ),
    "lfs": (lambda p: touch(p, LFS), "is a Git LFS pointer, not a recording: run git lfs pull"),
    "pipe": (lambda p: os.mkfifo(p), "is a folder, a pipe or a device"),
}


def ravdess(folder: Path, *actors: int) -> Path:
    for actor in actors:
        touch(folder / f"Actor_{actor:02d}" / f"03-01-01-01-01-01-{actor:02d}.wav")
    return folder


def test_linked_folders_and_files_are_read_like_real_ones(tmp_path: Path) -> None:
    real = read_corpus("ravdess", ravdess(tmp_path / "real", 1, 2, 3))
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "Actor_01").symlink_to(tmp_path / "real" / "Actor_01")
    (tmp_path / "nas").symlink_to(tmp_path / "real" / "Actor_02", target_is_directory=True)
    (linked / "Actor_02").symlink_to("../nas")
    (linked / "Actor_03").mkdir()
    name = "03-01-01-01-01-01-03.wav"
    (linked / "Actor_03" / name).symlink_to(tmp_path / "real" / "Actor_03" / name)
    found = read_corpus("ravdess", linked)
    assert [clip.id for clip in found.clips] == [clip.id for clip in real.clips]
    for clip in found.clips:
        assert clip.audio is not None and clip.audio.is_relative_to(linked)
    assert not found.left_out


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    links=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=9),
    up=st.booleans(),
)
def test_cycles_end(
    tmp_path_factory: pytest.TempPathFactory, links: list[tuple[int, int]], up: bool
) -> None:
    root = tmp_path_factory.mktemp("tree")
    folders = [root / f"f{k}" for k in range(4)]
    for folder in folders:
        touch(folder / "a.wav")
    for number, (one, other) in enumerate(links):
        (folders[one] / f"link{number}").symlink_to(folders[other])
    if up:
        (folders[0] / "up").symlink_to("..")
        (folders[0] / "outside").symlink_to("../..")
    files = list(walk(root))
    assert {path for path in files if "link" not in str(path)} == {f / "a.wav" for f in folders}
    for path in files:
        real = [str(part.resolve()) for part in path.parents if part.is_relative_to(root)]
        assert len(set(real)) == len(real), "no folder lies in itself"


@pytest.mark.parametrize("kind", ABSENT)
def test_what_is_not_here_is_named_and_the_rest_is_read(tmp_path: Path, kind: str) -> None:
    make, reason = ABSENT[kind]
    ravdess(tmp_path, 1)
    absent = tmp_path / "Actor_02" / "03-01-01-01-01-01-02.wav"
    absent.parent.mkdir()
    make(absent)
    corpus = read_corpus("ravdess", tmp_path)
    assert [clip.speaker for clip in corpus.clips] == ["01"]
    assert f"{absent}: {reason}" in corpus.missing and sum(corpus.left_out.values()) == 1
    absent.parent.rename(tmp_path / "Actor_01" / "b")
    (tmp_path / "Actor_01" / "03-01-01-01-01-01-01.wav").unlink()
    with pytest.raises(BadInput) as error:
        read_corpus("ravdess", tmp_path)
    assert reason in str(error.value)


@pytest.mark.parametrize("kind", ABSENT)
@pytest.mark.parametrize("listed", [True, False])
def test_own_recordings_that_are_not_here_are_named(
    tmp_path: Path, kind: str, listed: bool
) -> None:
    make, reason = ABSENT[kind]
    touch(tmp_path / "happy" / "a.wav")
    (tmp_path / "sad").mkdir()
    absent = tmp_path / "sad" / "b.wav"
    make(absent)
    if listed:
        touch(tmp_path / "clips.csv", "path,label\nhappy/a.wav,happy\nsad/b.wav,sad\n")
        if kind == "pipe":
            with pytest.raises(BadInput, match=r"line 3: is no file: sad/b\.wav"):
                read_corpus("folder", tmp_path)
            return
    corpus = read_corpus("folder", tmp_path)
    assert [clip.id for clip in corpus.clips] == ["happy/a"] and corpus.classes == ("happy",)
    assert corpus.missing == [f"{absent}: {reason}"]
    assert "left out: 1" in corpus.summary()


def test_folders_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ravdess(tmp_path, 1, 2)
    scan = os.scandir

    def scandir(folder: Path) -> object:
        if str(folder).endswith("Actor_02"):
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr("os.scandir", scandir)
    corpus = read_corpus("ravdess", tmp_path)
    assert [clip.speaker for clip in corpus.clips] == ["01"]
    assert f"{tmp_path / 'Actor_02'}: Permission denied" in corpus.missing


def test_what_programs_leave_beside_recordings_is_left_aside(tmp_path: Path) -> None:
    touch(tmp_path / "happy" / "a.MP4")
    for name in ("._a.mp4", ".DS_Store", "Thumbs.db", "desktop.ini", ".cache/b.mp4"):
        touch(tmp_path / "happy" / name)
    touch(tmp_path / "__MACOSX" / "happy" / "a.mp4")
    corpus = read_corpus("folder", tmp_path)
    assert [clip.id for clip in corpus.clips] == ["happy/a"] and not corpus.left_out


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_table", ["NFC", "NFD"])
def test_accents_composed_or_not_are_one_name(tmp_path: Path, on_disk: str, in_table: str) -> None:
    name = "Zoë\u00a0é/Ünï.mp4"
    path = touch(tmp_path / unicodedata.normalize(on_disk, name))
    text = unicodedata.normalize(in_table, name)
    touch(tmp_path / "clips.csv", f"path,label\n{text},joy\n")
    (clip,) = read_corpus("folder", tmp_path).clips
    assert clip.id == "Zoë é/Ünï" and clip.video == path
    source = tmp_path / "features"
    for form in ("NFC", "NFD"):
        own = path_below(source, unicodedata.normalize(form, clip.id), ".npy")
        touch(own)
        assert clip_place(source, clip, (".npy",)) == own
        own.unlink()


def test_names_of_another_system_are_found_where_only_one_fits(tmp_path: Path) -> None:
    path = touch(tmp_path / "Sub" / "a.mp4")
    touch(tmp_path / "clips.csv", "path,label\nsub\\A.MP4,joy\n")
    (clip,) = read_corpus("folder", tmp_path).clips
    assert clip.video == path and clip.id == "sub/A"
    touch(tmp_path / "Sub" / "A.mp4")
    assert find_listed(tmp_path, "Sub/A.MP4") == tmp_path / "Sub/A.MP4", "two would fit"
    with pytest.raises(BadInput, match=r"line 2: no such file: sub\\A\.MP4"):
        read_corpus("folder", tmp_path)


def test_names_that_are_no_utf8_are_named(tmp_path: Path) -> None:
    touch(tmp_path / "happy" / "a.wav")
    bad = os.fsencode(tmp_path / "happy") + b"/b\xe4.wav"
    Path(os.fsdecode(bad)).write_bytes(b"x")
    corpus = read_corpus("folder", tmp_path)
    assert [clip.id for clip in corpus.clips] == ["happy/a"]
    (line,) = corpus.missing
    assert r"b\udce4.wav: has a name that is not UTF-8: rename it" in line
    assert line.isprintable() and line.encode("utf-8"), "it can be written anywhere"


def test_pictures_of_apple_are_no_pictures(tmp_path: Path) -> None:
    for name in ("00001.jpg", "._00001.jpg"):
        touch(tmp_path / name)
    assert list(numbered_images(tmp_path)) == [1]
    assert VideoFingerprint().sources(Clip("a", images=tmp_path)) == [tmp_path / "00001.jpg"]


def test_imported_files_are_found_behind_links_and_in_any_case(tmp_path: Path) -> None:
    touch(tmp_path / "far" / "a.NPY")
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "s").symlink_to(tmp_path / "far")
    assert first_file(tmp_path / "near", (".npy",)) == tmp_path / "near/s/a.NPY"
    assert clip_place(tmp_path / "far", Clip("a"), (".npy",)) == tmp_path / "far/a.NPY"


parts = st.sampled_from(["..", ".", "", "a", "CON", "nul.txt", "x" * 300, "é" * 150, "a\0b", "%2E"])
ids = st.one_of(
    st.lists(parts, min_size=1, max_size=4).map("/".join),
    st.text(min_size=1, max_size=60),
    st.sampled_from(["/etc/passwd", "../x", "a/../../x", "~", "-", "a\\b", "C:x"]),
)


@given(name=ids, suffix=st.sampled_from([".csv", ".txt", ""]))
def test_a_file_of_a_clip_lies_below_its_folder(
    tmp_path_factory: pytest.TempPathFactory, name: str, suffix: str
) -> None:
    folder = Path("/out/predictions")
    path = path_below(folder, name, suffix)
    parts = path.relative_to(folder).parts
    assert parts and ".." not in parts and path.name.endswith(suffix)
    assert all(0 < len(os.fsencode(part)) <= 210 and "\0" not in part for part in parts)
    if not name_problem(name) and "%" not in name:
        devices = {"con", "nul", "aux", "prn"}
        if not devices & {part.split(".")[0].lower() for part in name.split("/")}:
            assert str(path) == f"{folder}/{name}{suffix}"


@given(one=ids, other=ids)
def test_two_clips_have_two_files(one: str, other: str) -> None:
    if one != other:
        assert path_below(Path("o"), one, ".csv") != path_below(Path("o"), other, ".csv")
