"""The events of a test: what a pod reads in them, and where a reader looks."""

from __future__ import annotations

import json

import hiredis
import pytest

from loadtest.errors import ImpossiblePlan
from loadtest.plan import Plan
from loadtest.publishing.messages import CLOCK_END, CLOCK_START, SEQUENCE_END, MessageWriter, marker


def command(plan: Plan, name: str, number: int, microseconds: int) -> list[bytes]:
    writer = MessageWriter(plan)
    writer.stamp(1_767_614_400.5)
    reader = hiredis.Reader()
    reader.feed(writer.command(writer.head(name, 7), number, microseconds))
    parts: list[bytes] = reader.gets()
    return parts


def test_the_command_publishes_json_of_the_size_asked_for():
    plan = Plan(size=300, channel="events-to-store", run="0123abcd")
    verb, channel, message = command(plan, plan.client_name(7), 12, 345)
    assert (verb, channel, len(message)) == (b"PUBLISH", b"events-to-store", 300)
    event = json.loads(message)
    assert event["clientName"] == "LOAD000-LANE00007"
    assert event["eventId"] == "load-0123abcd-00007-0000000012"
    assert event["timestamp"] == "2026-01-05T12:00:00.500Z"
    assert event["data"]["run"] == "0123abcd"


def test_a_reader_finds_sequence_and_clock_behind_the_marker():
    plan = Plan()
    message = command(plan, plan.client_name(7), 12, 345)[2]
    at = message.index(marker(plan.run)) + len(marker(plan.run))
    assert int(message[at : at + SEQUENCE_END]) == 12
    assert int(message[at + CLOCK_START : at + CLOCK_END]) == 345


def test_a_message_for_a_client_elsewhere_is_as_long():
    plan = Plan()
    assert len(command(plan, plan.foreign_name(999), 0, 0)[2]) == plan.size


def test_refuses_a_size_that_its_fields_exceed():
    with pytest.raises(ImpossiblePlan, match=r"--size is 100, but an event has at least \d+ bytes"):
        MessageWriter(Plan(size=100))
