"""Archives that are not what they seem write nothing, or what is in them and where it belongs."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.corpora.fetching import archives
from affuse.corpora.fetching.archives import check_zip, unpack
from affuse.corpora.fetching.lfs import unpack_repository
from affuse.errors import BadInput


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def packed(path: Path, *entries: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in entries:
            archive.writestr(info if isinstance(info, zipfile.ZipInfo) else entry(info), content)
    return path


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([("good", b"1"), ("../x", b"2")], "leads out of it: '../x'"),
        ([("good", b"1"), ("/etc/x", b"2")], "leads out of it: '/etc/x'"),
        ([("good", b"1"), ("a/../../x", b"2")], "leads out of it"),
        ([("good", b"1"), ("C:x", b"2")], "leads out of it"),
        ([("good", b"1"), ("a\\b", b"2")], "leads out of it"),
        ([("good", b"1"), ("a", b"2"), ("a/b", b"3")], "a file that is a folder too: 'a'"),
        ([("a/b", b"3"), ("a", b"2")], "a file that is a folder too: 'a'"),
        ([("a", b"2"), ("a/", b"")], "a file that is a folder too: 'a'"),
        ([("A", b"2"), ("a/b", b"3")], "a file that is a folder too: 'A'"),
        ([("a", b"1"), ("a", b"2")], "one file twice: 'a' and 'a'"),
        ([("a.wav", b"1"), ("A.WAV", b"2")], "one file twice: 'a.wav' and 'A.WAV'"),
        ([("Zo\u00eb", b"1"), ("Zoe\u0308", b"2")], "one file twice"),
        ([(entry("x", stat.S_IFLNK | 0o777), b"/etc"), ("x/passwd", b"1")], "a link: 'x'"),
        ([(entry("d", stat.S_IFCHR | 0o666), b"")], "a device or a pipe: 'd'"),
        ([(entry("p", stat.S_IFIFO | 0o666), b"")], "a device or a pipe: 'p'"),
        ([("good", b"1"), ("a\x1b[31m", b"2")], "a name with control characters"),
        ([("good", b"1"), ("a//b", b"2")], "a name that is none for a file"),
        ([("good", b"1"), ("./b", b"2")], "a name that is none for a file"),
        ([("good", b"1"), ("x" * 300, b"2")], "a name that is none for a file"),
    ],
)
def test_what_does_not_belong_in_an_archive_is_refused_before_anything_is_written(
    tmp_path: Path, entries: list[tuple[zipfile.ZipInfo | str, bytes]], reason: str
) -> None:
    archive = packed(tmp_path / "a.zip", *entries)
    with pytest.raises(BadInput) as error:
        unpack(archive, tmp_path / "in")
    assert reason in str(error.value) and str(error.value).isprintable()
    assert not (tmp_path / "in").exists() and files_below(tmp_path) == ["a.zip"]


def test_what_grows_too_much_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "ALWAYS", 100_000)
    archive = packed(tmp_path / "a.zip", ("zeros", bytes(1_000_000)))
    reason = r"a\.zip: of [\d,]+ bytes unpacks to 1,000,000, more than 20 times.*--any-size does"
    for refused in (lambda: unpack(archive, tmp_path / "in"), lambda: check_zip(archive)):
        with pytest.raises(BadInput, match=reason):
            refused()
    assert not (tmp_path / "in").exists()
    unpack(archive, tmp_path / "in", any_size=True)
    assert (tmp_path / "in" / "zeros").read_bytes() == bytes(1_000_000)
    noise = packed(tmp_path / "b.zip", ("noise", os.urandom(200_000)))
    assert unpack(noise, tmp_path / "in"), "what does not shrink is not suspicious"


def test_a_length_that_lies_is_noticed(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", ("zeros", bytes(1000)))
    data = archive.read_bytes().replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    archive.write_bytes(data)
    with pytest.raises(BadInput, match="not a whole zip archive"):
        unpack(archive, tmp_path / "in")
    assert not list((tmp_path / "in").iterdir()), "nothing half is left"


def test_without_room_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("usage", (), {"free": 10})
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda path: usage)
    archive = packed(tmp_path / "a.zip", ("a", b"x" * 11))
    with pytest.raises(BadInput, match=r"unpacks to 11 bytes, and .* has 10 left"):
        unpack(archive, tmp_path / "in")
    assert not (tmp_path / "in").exists()


def test_modes_are_not_taken_over(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", (entry("a", stat.S_IFREG | 0o6777), b"x"))
    unpack(archive, tmp_path / "in")
    assert stat.S_IMODE((tmp_path / "in" / "a").stat().st_mode) & 0o7111 == 0


def test_an_interrupted_unpacking_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(tmp_path / "a.zip", *((f"d/{k}", bytes([k]) * 9) for k in range(5)))
    copy = archives.shutil.copyfileobj
    calls = []

    def failing(source: IO[bytes], target: IO[bytes]) -> None:
        calls.append(1)
        if len(calls) == 3:
            target.write(source.read(4))
            raise OSError(28, "No space left on device")
        copy(source, target)

    monkeypatch.setattr(archives.shutil, "copyfileobj", failing)
    with pytest.raises(BadInput, match="No space"):
        unpack(archive, tmp_path / "in")
    assert files_below(tmp_path / "in") == ["d", "d/0", "d/1"], "nothing half is left"
    unpack(archive, tmp_path / "in")
    assert len(calls) == 6 and (tmp_path / "in/d/4").read_bytes() == bytes([4]) * 9


def test_what_is_not_wanted_of_a_repository_does_not_matter(tmp_path: Path) -> None:
    link = (entry("r/link", stat.S_IFLNK | 0o777), b"/etc")
    archive = packed(tmp_path / "a.zip", link, ("r/wav/a", b"x"), ("r/wav/../b", b"y"))
    assert unpack_repository(archive, ["list.csv"], tmp_path / "in") == []
    with pytest.raises(BadInput, match="leads out of it"):
        unpack_repository(archive, ["wav/*"], tmp_path / "in")
    assert not (tmp_path / "in").exists()


names = st.lists(
    st.text(st.sampled_from("ab./\\: \x1b\u0301é"), min_size=1, max_size=8), min_size=1, max_size=5
)


@settings(deadline=None, max_examples=60)
@given(names=names)
def test_whatever_names_there_are_nothing_is_written_elsewhere(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    root = tmp_path_factory.mktemp("zip")
    archive = packed(root / "a.zip", *((name, name.encode()) for name in dict.fromkeys(names)))
    try:
        told = unpack(archive, root / "in")
    except BadInput as error:
        assert not (root / "in").exists() and str(error).isprintable()
        return
    for name in told:
        assert (root / "in" / name).read_bytes() == name.encode()
    assert {path.name for path in root.iterdir()} <= {"a.zip", "in"}
