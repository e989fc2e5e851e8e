"""The guides for operators: what they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.pods import ROOT, documented_variables

GUIDES = ("operations.md", "runbook.md", "upgrade.md")
# Variables of other programs, and words in capitals that are none.
OTHERS = {"NODE_ENV", "DJANGO_SUPERUSER_USERNAME", "CLIENT_IP"}


@pytest.fixture(params=GUIDES)
def guide(request: pytest.FixtureRequest) -> Path:
    path: Path = ROOT / "docs" / request.param
    return path


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", path.read_text())
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere(guide: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", guide.read_text()):
        if target.startswith("http"):
            continue
        page, _, anchor = target.partition("#")
        path = guide.parent / page if page else guide
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


def test_every_file_of_the_deployment_that_is_named_exists(guide: Path):
    for name in re.findall(r"(?<![\w/])deploy/[\w./-]*\w", guide.read_text()):
        assert (ROOT / name).exists(), name


def test_every_variable_that_is_named_exists(guide: Path):
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", guide.read_text()))
    assert named - OTHERS - set(documented_variables()) == set()
