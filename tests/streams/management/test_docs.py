from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from streams.conf import StreamSettings, read_settings
from streams.conf.django_settings import DjangoSettings, read_django_settings
from streams.conf.variables import declared
from streams.errors import CloseReason
from streams.history.coverage import GapReason
from streams.http.metrics import METRICS
from streams.management.commands.docs import COMMENT_WIDTH, PAGES, env_example, metrics_page, settings_page
from tests.support.pods import ROOT

NAMES = [variable.name for settings in (StreamSettings, DjangoSettings) for variable in declared(settings)]


@pytest.mark.parametrize("name", PAGES)
def test_docs_committed_are_what_make_docs_writes(name: str):
    assert (ROOT / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_docs_command_writes_every_page(tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str]):
    settings.BASE_DIR = tmp_path
    call_command("docs")
    assert {name: (tmp_path / name).read_text(encoding="utf-8") for name in PAGES} == {
        name: page() for name, page in PAGES.items()
    }
    assert capsys.readouterr().out.split() == list(PAGES)


def test_env_example_changes_nothing():
    values = dict(re.findall(r"(?m)^([A-Z_]+)=(.*)$", env_example()))
    assert list(values) == NAMES
    assert read_settings(values) == read_settings({})
    assert read_django_settings(values, production=False) == DjangoSettings()


def test_env_example_explains_every_variable_above_it():
    lines = env_example().splitlines()
    for name in NAMES:
        number = next(number for number, line in enumerate(lines) if line.startswith(f"{name}="))
        assert re.fullmatch(r"# .+\)\.", lines[number - 1]), name
    assert max(map(len, lines)) <= COMMENT_WIDTH + len("# ")


def test_settings_page_has_a_row_for_every_variable():
    rows = dict(re.findall(r"(?m)^\| `([A-Z_]+)` \| (.*) \|$", settings_page()))
    assert list(rows) == NAMES
    assert rows["HEARTBEAT_SECONDS"] == (
        "`30` | seconds | a number of seconds from 1 to 3600 | how often each stream gets a heartbeat"
    )
    assert rows["DURABLE_LOG"].startswith("`on` | word | one of on, off, ")
    assert rows["REDIS_HOST"].startswith("`localhost` | ")
    assert rows["ADMIN_TOKEN"].startswith("none | ")


def test_metrics_page_has_a_row_for_every_metric_and_reason():
    rows = re.findall(r"(?m)^\| `([a-z_-]+)` \|", metrics_page())
    assert rows == [metric.exposed for metric in METRICS] + list(CloseReason) + list(GapReason)


@pytest.mark.parametrize("page", PAGES.values())
def test_tables_have_as_many_cells_in_each_row_as_in_their_head(page: Any):
    for rows in re.findall(r"(?m)(?:^\|.*\|\n)+", page()):
        assert len({row.count("|") for row in rows.splitlines()}) == 1
