"""The model zoo page, made of the table of published results."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tmt_vis.model_zoo import PublishedRow, PublishedTable, Statement

_HEAD = """\
# Model zoo

<!-- Made by `python tools/reproduce.py --write-docs` from {table}. -->

**No AP on this page was measured here: none has been reproduced on real data, and no
released file has been downloaded.** The numbers are those of the sources named. What
this page offers is one command per number, for a machine that has the data:

```shell
python tools/reproduce.py --list
python tools/reproduce.py {example} --dry-run
python tools/reproduce.py {example} --data-root data --accept-license
```

It fetches the released file (or takes `--checkpoint FILE`), converts it without running
code of the file, makes sure that every tensor found its place, tests with the settings
of the publication, and compares. A half-loaded model is an error, not a low AP. Where
the annotation file withholds the ground truth, a zip for the server is written.

Exit status: 0 if every AP that could be measured is within its tolerance, 1 if one is
not, or after an error. Everything is in `work_dirs/reproduce/NAME`; `reproduction.json`
there records numbers, settings and the SHA-256 of the file.
"""
_NUMBERS = """
Numbers are AP / AP50 / AP75 / AR1 / AR10 in percent on the validation sets, as far as
they were published. The comparison goes by AP; the others are shown beside it.

| dataset | tolerance of AP | who evaluates |
|---|---|---|
"""
_TOLERANCE = """
A difference within the tolerance is no evidence of an error: two runs of one recipe
differ as much (MinVIS has two numbers for its Swin-L model on OVIS, 41.7 and 39.4). It
is no evidence of correctness either.
"""
_BOUNDARY = "_boundary"  # Tube-Boundary AP and what belongs to it
_STATES = {
    "public weights": "rows have released weights",
    "to train": "rows have a config and no weights: train, then give `--checkpoint`",
    "not hosted yet": "rows are of methods that this repository does not host yet; "
    "they are listed for completeness",
}
_CHECKS = (("Verified", "verified"), ("Not verified", "not_verified"))


def model_zoo_page(table: PublishedTable, page: Path) -> str:
    """Write docs/model_zoo.md.

    Args:
        table: The published results.
        page: Where the page lies; its links are relative to it.

    Returns:
        Its text, in Markdown.
    """
    return "\n".join(_Page(table, page.parent).lines()) + "\n"


class _Page:
    def __init__(self, table: PublishedTable, folder: Path) -> None:
        self.table = table
        self.folder = folder
        self.rows = list(table.rows.values())
        hosted = [row for row in self.rows if row.config is not None]
        self.common = [
            [
                s
                for s in getattr(hosted[0], f)
                if all(s in getattr(r, f) for r in hosted)
            ]
            for _, f in _CHECKS
        ]

    def lines(self) -> Iterator[str]:
        where = Path(os.path.relpath(self.table.path, self.folder.parent)).as_posix()
        yield from _HEAD.format(table=where, example=self.rows[0].name).splitlines()
        yield ""
        for state, text in _STATES.items():
            yield f"- {sum(row.state == state for row in self.rows)} {text}"
        yield from _NUMBERS.splitlines()
        for name, dataset in self.table.datasets.items():
            label = f"{dataset.title} (`{name}`)"
            yield f"| {label} | {dataset.tolerance:.1f} | {dataset.server} |"
        yield from _TOLERANCE.splitlines()
        for (title, _), common in zip(_CHECKS, self.common, strict=True):
            yield from ("", f"{title}, for every row with a config:", "")
            yield from (f"- {s.text}{self._tests(s)}" for s in common)
        for title, about in self.table.about.items():
            rows = [row for row in self.rows if row.group == title]
            yield from ("", f"## {title}", "")
            yield from [about.strip(), ""] if about.strip() else []
            yield from self._group(rows)

    def _group(self, rows: Sequence[PublishedRow]) -> Iterator[str]:
        source = rows[0].source
        licence = f"[{source.licence}]({source.licence_url})"
        weights = f" Weights: {licence}." if source.licence else ""
        yield f"Source: [{source.title}]({source.url}).{weights}"
        columns = [column for column in self._columns(rows) if any(column[1])]
        yield ""
        yield from _table(columns)
        if rows[0].config is None:
            return
        for (title, field), common in zip(_CHECKS, self.common, strict=True):
            statements = dict.fromkeys(s for row in rows for s in getattr(row, field))
            special = [s for s in statements if s not in common]
            if special:
                yield from ("", f"{title}:", "")
            for item in special:
                having = [row for row in rows if item in getattr(row, field)]
                yield f"- {item.text}{_scope(having, rows)}{self._tests(item)}"

    def _columns(self, rows: Sequence[PublishedRow]) -> Iterator[tuple[str, list[str]]]:
        yield "name", [f"`{row.name}`" for row in rows]
        methods = [row.method for row in rows]
        yield "method", methods if len(set(methods)) > 1 else []
        yield "backbone", [row.backbone for row in rows]
        trained = [" + ".join(map(self._short, row.trained_on)) for row in rows]
        yield "trained on", trained
        for name in self.table.datasets:
            yield self._short(name), [_numbers(row, name) for row in rows]
        yield "long x short side", [_frames(row) for row in rows]
        yield "", [self._links(row) for row in rows]

    def _short(self, name: str) -> str:
        title = self.table.datasets[name].title
        return re.sub(r"YouTube-VIS 20", "YTVIS", title).split(" ")[0]

    def _links(self, row: PublishedRow) -> str:
        if row.config is None:
            return ""
        links = f"[config]({self._relative(row.config)})"
        if row.options:
            sets = {tuple(v): k for k, v in self.table.option_sets.items()}
            named = sets.get(row.options)
            links += f" {named or '`' + ' '.join(row.options) + '`'}"
        return links + (f", [file]({row.checkpoint.url})" if row.checkpoint else "")

    def _tests(self, statement: Statement) -> str:
        root = self.folder.parent
        links = [
            f"[{Path(test).name}]({self._relative(root / test)})"
            for test in statement.tests
        ]
        return f": {', '.join(links)}" if links else ""

    def _relative(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.folder)).as_posix()


def _table(columns: Sequence[tuple[str, list[str]]]) -> Iterator[str]:
    yield f"| {' | '.join(title for title, _ in columns)} |"
    yield "|" + "---|" * len(columns)
    for cells in zip(*(column for _, column in columns), strict=True):
        yield f"| {' | '.join(cells)} |"


def _numbers(row: PublishedRow, dataset: str) -> str:
    numbers = row.published.get(dataset, {})
    shown = [f"{v:.1f}" for k, v in numbers.items() if not k.endswith(_BOUNDARY)]
    edges = [f"{v:.1f}" for k, v in numbers.items() if k.endswith(_BOUNDARY)]
    text = " / ".join(shown)
    return f"{text}; boundary {' / '.join(edges)}" if edges else text


def _frames(row: PublishedRow) -> str:
    if row.test.scale is None:
        return ""
    return "{} x {}".format(*row.test.scale)


def _scope(having: Sequence[PublishedRow], rows: Sequence[PublishedRow]) -> str:
    """Say for which backbones, or methods, something holds, unless it is all."""
    if len(having) == len(rows):
        return ""
    names = [row.backbone.split(",")[0] for row in having]
    if len({row.backbone for row in rows}) == 1:
        names = [row.method for row in having]
    return f" ({', '.join(dict.fromkeys(names))})"
