"""How commands about lanes read a name and write an entry."""

from __future__ import annotations

import argparse
import re

import pytest
import redis
from django.core.management.base import CommandError

from streams.management.asking import AskingCommand, client_name, entry_line, store_name
from streams.management.commands.lane import meaning
from streams.roster.reading.reader import RosterReader
from streams.roster.tracing.entries import Kind, TraceEntry


def test_client_name():
    assert client_name("STORE001-LANE01") == "STORE001-LANE01"
    with pytest.raises(argparse.ArgumentTypeError, match="NAME must be 1 to 128 characters"):
        client_name("a b")


def test_store_name():
    assert [store_name("STORE001"), store_name("")] == ["STORE001", ""]
    for wrong in ("a b", "STORE001-LANE01", "a" * 128):
        with pytest.raises(argparse.ArgumentTypeError, match="STORE must be what stands before the first -"):
            store_name(wrong)


def test_entry_line_says_what_is_known_and_no_more():
    entry = TraceEntry(
        Kind.OPENED,
        "pod-1",
        "2026-01-05T12:00:00.000Z",
        "01234567.1",
        "10.0.0.1:5000",
        'Till "3"\n',
        last_event_id="e 1",
    )
    assert entry_line(entry) == (
        "2026-01-05T12:00:00.000Z  opened      pod-1         "
        'address=10.0.0.1:5000 userAgent="Till \\"3\\"\\n" lastEventId="e 1"'
    )
    assert entry_line(TraceEntry(Kind.UNANSWERED, "pod-1", "2026-01-05T12:00:00.000Z")).endswith("unanswered  pod-1")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (redis.ResponseError("WRONGTYPE of a key"), "refuses this: WRONGTYPE of a key."),
        (redis.ConnectionError("gone"), "gives no answer (gone). Is it running?"),
        (TimeoutError(), "gives no answer (it took too long)."),
    ],
)
def test_ask_says_what_redis_says(caplog: pytest.LogCaptureFixture, error: Exception, said: str):
    async def question(_reader: RosterReader) -> None:
        raise error

    with caplog.at_level("INFO", logger="sse"), pytest.raises(CommandError, match=re.escape(said)) as failed:
        AskingCommand().ask(question)
    assert failed.value.returncode == 1


def test_meaning_of_a_reason():
    assert meaning("client-closed") == "The client went away by itself."
    for unknown in ("of-another-version", "", None):
        assert "not known" in meaning(unknown)
