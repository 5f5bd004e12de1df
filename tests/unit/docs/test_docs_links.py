"""Every link and file name in the documentation leads somewhere; versions agree."""

import os
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

import tmt_vis

ROOT = Path(__file__).resolve().parents[3]
SKIPPED = {"build", "dist", "work_dirs"}
# Files of the example dataset exist on the reader's disk only.
EXAMPLE = "ranch"
FOLDERS = "configs|docs|projects|requirements|tests|tools"
FILE = re.compile(rf"(?<![\w./-])(?:{FOLDERS})/[\w./-]*\w\.(?:py|md|txt|json|sh|yml)\b")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def _documents() -> list[Path]:
    found = []
    for folder, subfolders, files in os.walk(ROOT):
        # Pruned, not filtered: a .venv holds more files than the repository.
        subfolders[:] = [d for d in subfolders if d[0] != "." and d not in SKIPPED]
        found += [Path(folder, file) for file in files if file.endswith(".md")]
    return sorted(found)


def _prose(text: str) -> str:
    """Leave code blocks out: brackets in code are no links."""
    return re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)


@cache
def _anchors(path: Path) -> frozenset[str]:
    """List the anchors of a page, made of its headings as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _prose(path.read_text()), re.M)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return frozenset(heading.replace(" ", "-") for heading in plain)


def _problem(document: Path, target: str) -> str | None:
    name, _, anchor = target.partition("#")
    path = (document.parent / name) if name else document
    if not path.exists():
        return f"{target}: no such file"
    if ROOT not in path.resolve().parents:
        return f"{target}: outside of the repository"
    if anchor and anchor not in _anchors(path):
        return f"{target}: {name or 'the page'} has no such heading"
    return None


@pytest.mark.parametrize("document", _documents(), ids=lambda p: str(p.name))
def test_relative_links_lead_somewhere(document):
    targets = LINK.findall(_prose(document.read_text()))
    local = [t for t in targets if not re.match(r"[a-z]+:", t)]
    problems = [_problem(document, target) for target in local]
    assert not [problem for problem in problems if problem]


@pytest.mark.parametrize("document", _documents(), ids=lambda p: str(p.name))
def test_named_files_exist(document):
    named = set(FILE.findall(document.read_text()))
    beside = {document.parent, ROOT}
    missing = [
        name
        for name in named
        if EXAMPLE not in name and not any((base / name).exists() for base in beside)
    ]
    assert not missing


def test_the_checks_see_what_they_should():
    index = ROOT / "docs" / "README.md"
    assert {ROOT / "README.md", index} <= set(_documents())
    assert _problem(index, "nowhere.md") and _problem(index, "datasets.md#nothing")
    assert _problem(index, "datasets.md#your-own-data") is None
    text = "see `tools/train.py`, configs/a/b-c_d.py and ./projects/mmcv_ext"
    assert FILE.findall(text) == ["tools/train.py", "configs/a/b-c_d.py"]
    assert len(LINK.findall(_prose(index.read_text()))) > 5


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {p.name for p in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert not {page for page in pages if f"({page})" not in index}


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == tmt_vis.__version__
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest[1] == tmt_vis.__version__
