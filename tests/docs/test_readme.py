"""The README stays short, its steps run as they stand, and what it says of the code is so."""

from __future__ import annotations

import re

from streams.urls import urlpatterns
from tests.docs.newcomer import Newcomer, take, typed
from tests.docs.pages import PAGES, README, links, rows, section, words
from tests.support.pods import ROOT

MAX_LINES = 200


def test_readme_is_short():
    assert len(README.read_text().splitlines()) <= MAX_LINES


def test_packages_are_all_that_there_are():
    named = [words(row[0])[0].rstrip("/") for row in rows(section(README, "The code"))]
    packages = {path.parent.name for path in (ROOT / "streams").glob("*/__init__.py")}
    # The settings are read by all of them and are no step of an event's way.
    assert sorted(named) == sorted(packages - {"conf"} | {"management"})


def test_http_at_a_glance_names_every_json_path():
    text = section(README, "HTTP at a glance")
    named = set(re.findall(r"`(?:GET |POST )?(/[\w/]*)`", text))
    assert {"/" + str(url.pattern).replace("<str:name>", "NAME") for url in urlpatterns} <= named


def test_every_page_can_be_reached():
    found, look = {README}, [README]
    while look:
        new = {path for path, _ in links(look.pop()) if path.suffix == ".md" and path.exists()} - found
        found |= new
        look += new
    assert set(PAGES) - found == set()


@typed
def test_steps_run_as_they_stand(newcomer: Newcomer):
    assert take(newcomer, section(README, "Start") + section(README, "The first event")) == 7
