"""The wheel in an empty environment: `affuse doctor` and `affuse predict` work with any extra."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from affuse.extras import EXTRAS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this folder, in which the build may leave what it wants."""
    folder = tmp_path_factory.mktemp("source")
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(folder)]
    if subprocess.run([*pip, "setuptools"], capture_output=True).returncode:
        pytest.skip("there is no package index")
    for name in ("src", "docs"):
        aside = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, folder / name, ignore=aside)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_the_wheel_predicts(source: Path, tmp_path: Path, extra: str) -> None:
    words = ["docs/results/install.py", "--out", str(tmp_path), "--extras", extra]
    done = subprocess.run([sys.executable, *words], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    megabytes = re.search(r"The wheel has ([\d.]+) MB", done.stdout)
    assert megabytes and float(megabytes[1]) < 40
    row = f"`affuse[{extra}]`" if extra else "`affuse`"
    assert f"| {row} |" in done.stdout


@pytest.mark.slow
def test_the_source_distribution_is_whole(source: Path, tmp_path: Path) -> None:
    words = ["-m", "build", "--sdist", "--outdir", str(tmp_path), str(source)]
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    shutil.unpack_archive(archive, tmp_path / "unpacked")
    (folder,) = (tmp_path / "unpacked").iterdir()
    for path in source.rglob("*"):
        if path.is_file() and "egg-info" not in str(path) and path.suffix not in (".whl", ".pyc"):
            assert (folder / path.relative_to(source)).is_file(), path
