"""The order of the pages of the site, and pages of files that lie outside of `docs`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parent
#: Files outside of `docs` that pages link to -> the page that they become.
OUTSIDE = {
    "README.md": "project/readme.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "tests/parity/README.md": "project/parity-cases.md",
    "examples/README.md": "project/examples.md",
    "src/affuse/models/bundled/bundled.md": "models/bundled-card.md",
}
#: Other files that they link to, as they are.
FILES = {"CITATION.cff", "LICENSE", "examples/first_steps.ipynb"}
SECTIONS = {
    "How to": "how-to",
    "Coming from": "coming-from",
    "Models": "models",
    "Reference": "reference",
    "Results": "results",
    "Project": "project",
}
_LINK = re.compile(r"(\]\()([^)#\s:]+)(#[^)\s]*)?(\))")
_CODE = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.M | re.S)


def on_config(config: Any) -> Any:
    """Pages stand in the order in which the index names them, the others after them."""
    docs = Path(config.docs_dir)
    index = (docs / "index.md").read_text(encoding="utf-8")
    named = [link for _, link, *_ in _LINK.findall(index)]
    pages = {p.relative_to(docs).as_posix() for p in docs.rglob("*.md")} | {*OUTSIDE.values()}

    def section(folder: str) -> list[str]:
        own = [page for page in pages if page.startswith(f"{folder}/")]
        place = {page: number for number, page in reversed([*enumerate(named)])}
        return sorted(
            own, key=lambda page: (not page.endswith("README.md"), place.get(page, 999), page)
        )

    top: list[Any] = [{"affuse": "index.md"}, "get-started.md"]
    rest = [
        page
        for page in sorted(pages)
        if "/" not in page and page not in ("index.md", "get-started.md")
    ]
    config.nav = [*top, *({name: section(folder)} for name, folder in SECTIONS.items())]
    config.nav[-1]["Project"] = [*rest, *config.nav[-1]["Project"]]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add what lies outside."""
    for source, page in [
        *OUTSIDE.items(),
        *((name, f"project/{Path(name).name}") for name in FILES),
    ]:
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links to files outside of `docs`, and from them, lead to their pages."""
    here = Path(page.file.src_uri)
    source = next((ROOT / s for s, p in OUTSIDE.items() if p == here.as_posix()), None)
    place = (source or Path(config.docs_dir) / here).parent

    def moved(link: re.Match[str]) -> str:
        begin, target, anchor, end = link.groups()
        path = Path(os.path.normpath(place / target))
        if not path.is_relative_to(ROOT):
            return link[0]
        name = path.relative_to(ROOT).as_posix()
        if name in OUTSIDE:
            found = OUTSIDE[name]
        elif name in FILES:
            found = f"project/{path.name}"
        elif source is not None and name.startswith("docs/"):
            found = name.removeprefix("docs/")
            if path.is_dir():
                found += "/README.md"
        else:
            return link[0]
        return f"{begin}{os.path.relpath(found, here.parent)}{anchor or ''}{end}"

    parts = _CODE.split(markdown)
    return "".join(p if p.startswith("`") else _LINK.sub(moved, p) for p in parts)
