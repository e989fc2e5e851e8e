from __future__ import annotations

import json
import logging
import logging.config
import sys
from typing import Any

import pytest

from streams.errors import CloseReason
from streams.logs import JsonFormatter, QueryFilter, Sparingly, TextFormatter, configuration

NOON = 1767614400.0


def record(name: str, message: str, *arguments: object, exc_info: bool = False, **fields: object) -> logging.LogRecord:
    error = sys.exc_info() if exc_info else None
    made = logging.LogRecord(name, logging.WARNING, __file__, 1, message, arguments, error)
    made.created = NOON
    if fields:
        made.fields = fields
    return made


@pytest.fixture
def text() -> TextFormatter:
    return TextFormatter()


@pytest.mark.parametrize("prefix", ["SERVER", "REGISTRY", "SSE", "REDIS", "DISCONNECT", "HEARTBEAT", "PUBLISHED"])
def test_text_has_the_prefixes_that_it_always_had(text: TextFormatter, prefix: str):
    assert (
        text.format(record(f"sse.{prefix.lower()}", "Hello %s", "world"))
        == f"2026-01-05T12:00:00.000Z [{prefix}] Hello world"
    )


def test_other_loggers_keep_their_name(text: TextFormatter):
    assert text.format(record("django.request", "Hello")) == "2026-01-05T12:00:00.000Z [django.request] Hello"


def test_text_says_what_the_sentence_does_not(text: TextFormatter):
    line = text.format(
        record(
            *("sse.disconnect", "Client %s disconnected (evicted)", "LANE1"),
            clientName="LANE1",
            reason="evicted",
            address="[::1]:5000",
            userAgent='Till "3"\n\x1b[31m',
            seconds=1.5,
            evictedBy="pod-2",
        )
    )
    assert line == (
        "2026-01-05T12:00:00.000Z [DISCONNECT] Client LANE1 disconnected (evicted) "
        'address=[::1]:5000 userAgent="Till \\"3\\"\\n\\u001b[31m" evictedBy=pod-2'
    )


def test_json_has_a_field_for_each_fact():
    facts: dict[str, Any] = {
        "clientName": "LANE1",
        "reason": CloseReason.EVICTED,
        "address": "",
        "seconds": 1.5,
        "events": 3,
    }
    fields = json.loads(JsonFormatter("pod-1").format(record("sse.disconnect", "Gone", **facts)))
    assert {**fields, **facts} == fields
    assert fields["reason"] == "evicted"


def test_json_takes_what_no_utf8_holds():
    fields = json.loads(JsonFormatter("pod-1").format(record("sse.sse", "Not JSON: %s", "caf\ud83d")))
    assert fields["message"] == "Not JSON: caf\ud83d"


def test_json_is_one_object_on_one_line():
    line = JsonFormatter("pod-1").format(record("sse.redis", "Lost %s\nand found", "it"))
    assert "\n" not in line
    fields = json.loads(line)
    assert fields.pop("timestamp").endswith("Z")
    assert fields == {"level": "warning", "prefix": "REDIS", "message": "Lost it\nand found", "podName": "pod-1"}


def test_json_holds_an_exception():
    try:
        raise ValueError("broken")
    except ValueError:
        line = JsonFormatter("pod-1").format(record("sse.redis", "Died", exc_info=True))
    assert "\n" not in line
    assert "ValueError: broken" in json.loads(line)["exception"]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_configuration_is_one_that_logging_takes(log_format: str):
    logging.config.DictConfigurator(configuration("info", log_format, "pod-1"))
    assert configuration("debug", log_format, "pod-1")["loggers"]["sse"]["level"] == "DEBUG"


def test_sparingly_says_a_thing_once_in_its_seconds():
    now = 100.0
    sparingly = Sparingly(10.0, clock=lambda: now)
    assert sparingly.due() == 1
    assert [sparingly.due() for _ in range(3)] == [0, 0, 0]
    now = 109.9
    assert sparingly.due() == 0
    now = 110.0
    assert sparingly.due() == 5, "those that were left out count"
    assert sparingly.due() == 0
    now = 1000.0
    assert sparingly.due() == 2


def test_sparingly_says_the_first_at_once_on_a_clock_that_has_just_begun():
    assert Sparingly(10.0, clock=lambda: 0.0).due() == 1


@pytest.mark.parametrize("query", ["?access_token=a.b.c", ""])
def test_query_is_taken_off_the_access_log_of_uvicorn(query: str):
    made = record("uvicorn.access", '%s - "%s %s HTTP/%s" %d', "10.0.0.7:5000", "GET", f"/events/A{query}", "1.1", 400)
    assert QueryFilter().filter(made)
    assert made.getMessage() == '10.0.0.7:5000 - "GET /events/A HTTP/1.1" 400'
    # Its formatter takes them apart.
    assert isinstance(made.args, tuple)
    assert len(made.args) == 5
