"""Results of reading a file are remembered while the file stays as it is, and no longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from affuse.execution.remembered import remembered


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path) -> None:
    read: list[str] = []

    @remembered(2)
    def text(path: Path, ending: str = "") -> str:
        read.append(path.read_text())
        return read[-1] + ending

    path = tmp_path / "a.txt"
    path.write_text("one")
    assert [text(path), text(path), text(path, "!"), text(path, "!")] == [
        "one",
        "one",
        *["one!"] * 2,
    ]
    assert read == ["one", "one"]
    path.write_text("three")
    assert text(path) == "three"
    before = path.stat()
    path.write_text("seven")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert text(path) == "seven"


def test_the_same_name_in_another_folder_is_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @remembered(8)
    def text(path: Path) -> str:
        return path.read_text()

    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name)
        os.utime(tmp_path / name / "a.txt", ns=(0, 0))
    for name in ("x", "y", "x"):
        monkeypatch.chdir(tmp_path / name)
        assert text(Path("a.txt")) == name


def test_what_is_raised_is_not_remembered(tmp_path: Path) -> None:
    @remembered(8)
    def text(path: Path) -> str:
        return path.read_text()

    with pytest.raises(FileNotFoundError):
        text(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("there")
    assert text(tmp_path / "a.txt") == "there"
