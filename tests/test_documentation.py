"""The documentation as a whole: its links lead somewhere, its Python runs, its site builds."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.inference.recordings import values_model

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), ROOT / "examples" / "README.md"]
)
_LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]+))?\)")
_BLOCK = re.compile(r"^```.*?^```", re.M | re.S)
_HEADING = re.compile(r"^#{1,6} (.*?)(?: \{#([\w.-]+)\})?$", re.M)
#: What a link of a page of the reference in Python leads to is made when the site is built.
MADE = ROOT / "docs" / "reference" / "python.md"


def prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> set[str]:
    """The names of the headings of a page, as MkDocs and most readers of Markdown make them."""
    found: set[str] = set()
    for title, own in _HEADING.findall(prose(page)):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", html.unescape(title))
        plain = re.sub(r"[^\w\s-]", "", words).strip().lower()
        name, number = own or re.sub(r"[-\s]+", "-", plain), 0
        while name in found:
            number += 1
            name = f"{plain}_{number}"
        found.add(name)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = re.sub(r"`[^`]*`", "", prose(page))
    broken = []
    for target, anchor in _LINK.findall(text):
        if ":" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists():
            broken.append(target)
        elif anchor and path.suffix == ".md" and path != MADE and anchor not in anchors(path):
            broken.append(f"{target}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("page", [pytest.param("python", marks=pytest.mark.slow), "bids-nwb"])
def test_python_in_pages_runs(
    page: str, examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Block after block, in one folder; blocks of packages that are not there are left out."""
    shutil.copytree(examples, tmp_path, dirs_exist_ok=True)
    values_model(tmp_path / "va.safetensors")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text(encoding="utf-8")
    here: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S):
        left_out = "pynwb" in block and find_spec("pynwb") is None
        if not left_out and "basicConfig" not in block:  # loggers of the test stay as they are
            exec(compile(block, f"{page}.md", "exec"), here)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it; any warning is an error."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_has_every_page_and_needs_nothing_else(site: Path) -> None:
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    for page in pages:
        stem = page.parent if page.stem in ("index", "README") else page.with_suffix("")
        assert (site / stem / "index.html").is_file(), page
    loaded = re.compile(r"""<(?:script|link|img)\b[^>]*(?:src|href)=["']?(?:https?:)?//""")
    for path in site.rglob("*.html"):
        found = [
            x for x in loaded.findall(path.read_text(encoding="utf-8")) if "canonical" not in x
        ]
        assert found == [], path


def test_the_reference_has_what_the_package_names(site: Path) -> None:
    import affuse

    page = (site / "reference" / "python" / "index.html").read_text(encoding="utf-8")
    for name in {*affuse.__all__} - {"__version__"}:
        assert re.search(rf'id="affuse\.(?:[\w.]+\.)?{name}"', page), name
    assert "Predictor" in page and "predict_many" in page and "to_pandas" in page
