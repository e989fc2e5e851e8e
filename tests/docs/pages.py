"""The README and the pages in docs/, cut into what tests look at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.support.pods import ROOT

README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = sorted({README, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", *DOCS.rglob("*.md")})
FENCE = r"(?ms)^ *```.*?^ *```$"


def name_of(page: Path) -> str:
    """Return a page's path as tests show it."""
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """Return a page's text without its code blocks, in which `#` begins a comment."""
    return re.sub(FENCE, "", page.read_text())


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"(?m)^#+ (.+)$", prose(page)):
        anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield the file and the anchor that each link within the project leads to."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not target.startswith("http"):
            path, _, anchor = target.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def section(page: Path, title: str) -> str:
    """Return what stands under a heading, without the sections that follow."""
    found = re.search(rf"(?ms)^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page.read_text())
    assert found, f"{name_of(page)} has no section {title!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Return the cells of a text's tables whose first one is code, row by row, without heads."""
    lines = re.findall(r"(?m)^\| (`.*) \|$(?!\n\| ---)", text)
    return [[cell.strip() for cell in re.split(r"(?<!\\) \| ", line)] for line in lines]


def words(cell: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def sources(*packages: str) -> str:
    """Return the code of packages, without what only declares names."""
    paths = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    return "\n".join(path.read_text() for path in paths if not {"conf", "conf.py", "errors.py"} & set(path.parts))
