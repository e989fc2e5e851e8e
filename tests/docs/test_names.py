"""What the pages name exists: files, modules, variables, metrics, targets and messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.conf.tokens import COOKIES
from tests.docs.pages import DOCS, PAGES, anchors, links, name_of, sources
from tests.support.pods import ROOT, documented_variables

# A changelog names what was, too.
GUIDES = [page for page in PAGES if page.name != "CHANGELOG.md"]
RUNBOOK = DOCS / "operate/runbook.md"
# Variables of other programs, and words in capitals that are none.
OTHERS = {
    "DJANGO_SETTINGS_MODULE",
    "NODE_ENV",
    "DJANGO_SUPERUSER_USERNAME",
    "CLIENT_IP",
    "NO_COLOR",
    "SSE_URL",
    "HTTPS_PROXY",
    "NO_PROXY",
}


def named(pages: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=name_of)


@named(PAGES)
def test_every_link_leads_to_a_file_and_an_anchor(page: Path):
    for path, anchor in links(page):
        assert path.exists(), path
        assert not anchor or anchor in anchors(path), f"{name_of(path)}#{anchor}"


@named(GUIDES)
def test_every_file_that_is_named_exists(page: Path):
    for name in re.findall(r"(?<![\w/])(?:deploy|docs|tests)/[\w./-]*\w", page.read_text()):
        assert (ROOT / name).exists(), name


@named(GUIDES)
def test_every_module_that_is_named_exists(page: Path):
    for name in re.findall(r"`((?:\w+/)*\w+\.py)`", page.read_text()):
        assert any((root / name).is_file() for root in (ROOT, ROOT / "streams")), name


@named(GUIDES)
def test_every_variable_that_is_named_exists(page: Path):
    found = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", page.read_text()))
    assert found - OTHERS - set(documented_variables()) == set()


@named(GUIDES)
def test_every_metric_that_is_named_exists(page: Path):
    # The cookie of a token has such a name too.
    named = set(re.findall(r"\bsse_[a-z_]+", page.read_text())) - {COOKIES["development"]}
    found = {name.removesuffix("_total") for name in named}
    code = sources("streams")
    assert {name for name in found if f'"{name}"' not in code} == set()


@named(GUIDES)
def test_every_target_that_is_named_exists(page: Path):
    targets = set(re.findall(r"(?m)^([a-z]+):.*## ", (ROOT / "Makefile").read_text()))
    assert set(re.findall(r"`make ([a-z]+)", page.read_text())) <= targets


QUOTED = (
    "Cannot reach",
    "Cannot use",
    "it is a read-only replica, and its primary is",
    "its name now means",
    "another Redis answers there now",
    "Hearing the other pods",
    "Cannot hear the other pods",
    "Redis refused:",
    "Redis closed the connection",
    "cannot be read",
    "The journal no longer holds what came after",
    "not subscribed to Redis:",
    "the journal is not read yet:",
    "the journal gives no answer since",
    "nothing has proved that the",
    "could not be delivered; clients are told",
    "catching up with Redis",
    "nothing that it publishes comes back since",
    "at its limit of",
    "asks for it again and again",
    "here and a device on pod",
    "Another pod calls itself",
    "not on this pod",
    "cannot be used",
    "disconnected (",
)


@pytest.mark.parametrize("words", QUOTED)
def test_runbook_quotes_what_pods_say(words: str):
    assert words in RUNBOOK.read_text(), "not quoted any more"
    assert words in sources("streams"), "not said any more"


@named(PAGES)
def test_every_table_has_as_many_cells_in_each_row(page: Path):
    for table in re.findall(r"(?m)(?:^\|.*\|\n)+", page.read_text()):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table
