"""The tables of the reference agree with the code."""

from __future__ import annotations

import re
from types import ModuleType

import msgspec
import pytest

from streams.api.fields import parameters
from streams.api.pages import Client
from streams.api.routes import ROUTES
from streams.delivery.handover import WAIT_SECONDS
from streams.delivery.notices import FAREWELLS
from streams.errors import CloseReason
from streams.history.coverage import GapReason
from streams.history.progress import MAX_LAG_SECONDS
from streams.logs import FIELDS
from streams.management.asking import EXIT_STATUS
from streams.management.commands import doctor, publish_event
from streams.roster.reading.lanes import LaneState
from streams.urls import urlpatterns
from streams.wire.events import ACTIONS
from tests.docs.pages import DOCS, rows, section, sources, words
from tests.support.pods import ROOT

HTTP = DOCS / "reference/http.md"
API = DOCS / "reference/api.md"
STREAM = DOCS / "reference/stream.md"
COMMANDS = DOCS / "reference/commands.md"
LOGS = DOCS / "reference/logs.md"


def test_table_of_close_reasons_is_complete_and_says_what_the_client_reads():
    table = {row[0].strip("`"): row[2] for row in rows(section(STREAM, "Close reasons"))}
    assert table.keys() == {reason.value for reason in CloseReason}
    for reason in CloseReason:
        farewell = FAREWELLS.get(reason)
        expected = "nothing" if farewell is None else f"`event: {farewell}`"
        assert table[reason].startswith(expected), reason


def test_every_close_reason_is_used():
    # A page may have words for a reason long before anything ends for it.
    issued = sources("streams") + "".join(re.findall(r"\bclose\(.*", sources("dashboard")))
    assert not [reason for reason in CloseReason if f"CloseReason.{reason.name}" not in issued]


def test_table_of_farewells_is_that_of_the_code():
    told = {
        (row[0].strip("`"), reason)
        for row in rows(section(STREAM, "When a stream is refused or ended"))
        for reason in words(row[1])
    }
    assert told == {(name, reason.value) for reason, name in FAREWELLS.items()}


def test_table_of_gaps_names_every_reason():
    assert {row[0].strip("`") for row in rows(section(STREAM, "Gaps"))} == {reason.value for reason in GapReason}


def test_http_table_names_every_json_path():
    named = {row[0].strip("`").partition(" /")[2] for row in rows(HTTP.read_text())}
    assert {str(url.pattern).replace("<str:name>", "NAME") for url in urlpatterns} <= named


def test_api_table_names_every_endpoint():
    named = {row[0].strip("`").partition("?")[0] for row in rows(API.read_text()) if "/api/v1" in row[0]}
    assert named == {f"{method} /api/v1{route.path}" for route in ROUTES for method in route.endpoints}


def test_api_table_names_every_parameter():
    named = {row[0].strip("`").partition("?")[::2] for row in rows(API.read_text()) if "GET /api/v1" in row[0]}
    parameters_of = {path.partition(" /api/v1")[2]: set(re.findall(r"(\w+)=", query)) for path, query in named}
    assert parameters_of == {
        route.path: set(parameters(route.endpoints["GET"].query)) for route in ROUTES if "GET" in route.endpoints
    }


def test_keys_and_states_of_a_client_are_those_of_the_code():
    first = [words(row[0]) for row in rows(section(API, "A client"))]
    states = [word for cell in first for word in cell if word in list(LaneState)]
    assert states == list(LaneState)
    keys = [word for cell in first for word in cell if word not in states]
    assert sorted(keys) == sorted(field.encode_name for field in msgspec.structs.fields(Client))


def test_exit_statuses_of_questions_are_those_of_the_commands():
    documented = re.findall(r"(?m)^\| `(\d)` ", section(COMMANDS, "lanes, lane, trace"))
    assert documented == re.findall(r"\b\d\b", EXIT_STATUS)


@pytest.mark.parametrize("command", [publish_event, doctor])
def test_exit_statuses_are_those_of_the_command(command: ModuleType):
    page = section(COMMANDS, command.__name__.rpartition(".")[2])
    documented = [row[0].strip("`") for row in rows(page) if re.fullmatch(r"`\d`", row[0])]
    promised = next(line for line in command.EXAMPLES.splitlines() if line.startswith("exit status"))
    assert documented == re.findall(r"\b\d\b", promised)


def test_actions_are_those_of_the_command():
    line = next(line for line in section(COMMANDS, "publish_event").splitlines() if line.startswith("Actions are"))
    assert set(words(line.partition(";")[0])) == set(ACTIONS)


def test_make_targets_are_those_of_the_makefile():
    targets = set(re.findall(r"(?m)^([a-z]+):.*## ", (ROOT / "Makefile").read_text()))
    named = {row[0].strip("`").removeprefix("make ") for row in rows(section(COMMANDS, "make"))}
    assert named == targets - {"help"}


def test_log_prefixes_are_those_of_the_loggers():
    first = {word for row in rows(LOGS.read_text()) for word in words(row[0])}
    named = {word.strip("[]") for word in first if word.startswith("[")}
    loggers = re.findall(r'getLogger\("sse\.(\w+)"\)', sources("streams"))
    assert named == {name.upper() for name in loggers} | {"PUBLISHED"}


def test_log_fields_are_those_of_the_code():
    named = {word for row in rows(LOGS.read_text()) for word in words(row[0]) if not word.startswith("[")}
    assert named == set(FIELDS)


def test_waits_that_clients_are_told_of_are_those_of_the_code():
    told = DOCS / "topics/delivery.md"
    assert f"no proof of one ingress for {MAX_LAG_SECONDS:g} s" in section(told, "Proof")
    assert f"within {1000 * WAIT_SECONDS:g} ms" in section(told, "One id, two ingresses")
