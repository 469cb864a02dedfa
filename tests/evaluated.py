"""Generated runs that were evaluated, without a model, and a reader of pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

from affuse.evaluation.scored import score_table
from affuse.training.recipe_files import load_recipe
from tests.judged import Rows, write_rows

#: Elements that have no end.
VOID = {"meta", "img", "br", "hr", "link", "input"}
#: Attributes that make a browser ask for something.
ASKING = {"src", "href", "srcset", "data", "action", "poster", "xlink:href", "formaction"}


def evaluated_run(
    folder: Path,
    rows: Rows,
    corpus: str = "folder",
    recipe: str = "demo",
    changes: Sequence[str] = (),
    epochs: int = 3,
) -> Path:
    """A run whose folds were trained and evaluated, but for its model files."""
    table = write_rows(folder / "evaluation/predictions.csv", rows)
    result = score_table(table)
    facts = {"run": folder.name, "role": "test", "folds": 4, "warnings": ["too few speakers"]}
    del result["predictions"]
    (folder / "evaluation/metrics.json").write_text(json.dumps(facts | result))
    (folder / "recipe.yaml").write_text(load_recipe(recipe, list(changes)).to_yaml())
    told = {
        "store": str(folder / "store"),
        "corpus": corpus,
        "licence": "CC BY 4.0 (<Nobody> & others)",
        "protocol": {"name": "mine", "version": 1, "sha256": "ab" * 32},
        "leaks": {"let_pass": {"missing": 7}},
        "versions": {"affuse": "0.1.0"},
    }
    (folder / "run.json").write_text(json.dumps(told))
    for fold in (0, 1):
        (folder / f"fold{fold}").mkdir()
        lines = [f"{k + 1},{0.1 * fold + 1 / (k + 1):.4f}" for k in range(epochs)]
        (folder / f"fold{fold}/log.csv").write_text("\n".join(["epoch,train/loss", *lines]))
        split = {"train": ["a", "b"], "development": [], "test": ["c"]}
        (folder / f"fold{fold}/split.json").write_text(json.dumps(split))
    return folder


class Page(HTMLParser):
    """A page: its text, its tables by caption, what it asks for, and what is wrong with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.ids: list[str] = []
        self.headings: list[int] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.images: list[str | None] = []
        self.scopes: list[str | None] = []
        self._rows: list[list[str]] = []
        self._caption = ""
        self.text = ""
        self.feed(text)
        self.close()
        self.wrong += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self._take(tag, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._take(tag, dict(attrs))

    def _take(self, tag: str, attrs: dict[str, str | None]) -> None:
        self.asked += [str(x) for name, x in attrs.items() if name in ASKING]
        if "id" in attrs:
            self.ids.append(str(attrs["id"]))
        if tag in ("h1", "h2", "h3"):
            self.headings.append(int(tag[1]))
        if tag == "img":
            self.images.append(attrs.get("alt"))
        if tag == "svg" and attrs.get("aria-hidden") != "true":
            self.images.append(attrs.get("aria-label"))
        if tag == "th":
            self.scopes.append(attrs.get("scope"))
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag == "tr":
            self._rows.append([])
        if tag in ("th", "td"):
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")
        if tag == "table":
            self.tables[self._caption.strip()] = [[x.strip() for x in row] for row in self._rows]

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if "caption" in self.open:
            self._caption += data
        elif {"th", "td"} & {*self.open}:
            self._rows[-1][-1] += data

    def column(self, caption: str, name: str) -> list[str]:
        """The cells of a column of a table."""
        head, *rows = self.tables[caption]
        return [row[head.index(name)] for row in rows]
