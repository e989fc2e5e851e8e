"""The events that a command is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management.base import CommandError

from streams.management.publishing.given import Given, Refusal, checked, no_sample, read_file, read_lines

LINE = b'{"clientName":"A","action":"alert"}'


def look_at(text: bytes, *, by_api: bool = True, durable: bool | None = None) -> list[Given | Refusal]:
    return checked(read_lines(text), 1_000, by_api=by_api, durable=durable)


def refusal_of(line: bytes, *, by_api: bool = True) -> str:
    (found,) = look_at(line, by_api=by_api)
    assert isinstance(found, Refusal), found
    return str(found)


def test_lines_are_counted_as_an_editor_counts_them():
    found = look_at(b"\xef\xbb\xbf" + LINE + b"\r\n\n  \n" + LINE)
    assert [each.line for each in found] == [1, 4]
    assert all(isinstance(each, Given) for each in found)


def test_an_event_has_an_id_afterwards():
    first, second = look_at(LINE + b"\n" + LINE)
    assert isinstance(first, Given)
    assert isinstance(second, Given)
    assert first.said.event_id
    assert first.said.event_id != second.said.event_id
    (own,) = look_at(b'{"clientName":"A","action":"alert","eventId":"evt-1"}')
    assert isinstance(own, Given)
    assert own.said.event_id == "evt-1"


@pytest.mark.parametrize(
    ("said", "given", "durable"),
    [(b"", None, None), (b"", True, True), (b',"durable":false', True, False), (b',"durable":true', None, True)],
)
def test_durable_is_said_for_those_that_do_not_say(said: bytes, given: bool | None, durable: bool | None):
    (found,) = look_at(LINE[:-1] + said + b"}", durable=given)
    assert isinstance(found, Given)
    assert found.said.durable is durable


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (b'"clientName":"A B","action":"alert"', "line 1: clientName must be 1 to 128 characters of A-Z"),
        (b'"clientName":"A","action":""', "line 1: action must be a string that is not empty."),
        (b'"clientName":"A"', "line 1: action is missing."),
        (b'"clientName":"A","action":"alert","eventId":" a"', "line 1: eventId must be 1 to 128 printable"),
        (b'"clientName":"A","action":"alert","ttl":5', "There is no field 'ttl' here. Did you mean ttlMs?"),
        (b'"clientName":"A","action":"alert","event_id":"e"', "Did you mean eventId?"),
        (b'"clientName":"A","action":"alert","DELIVERBY":"e"', "Did you mean deliverBy?"),
        (b'"clientName":"A","action":"alert","x":5', "There is no field 'x' here. There are clientName, action, data,"),
        (b'"clientName":"A","action":"alert","ttlMs":"5"', "ttlMs must be a whole number"),
        (b'"clientName":"A","action":"alert","deliverBy":"tomorrow"', "deliverBy must be an ISO 8601 time"),
        (
            b'"clientName":"A","action":"alert","deliverBy":"2020-01-01T00:00:00Z"',
            "deliverBy is over: the event has already expired.",
        ),
        (b'"clientName":"A","action":"alert","data":"' + b"x" * 1_000 + b'"', "more than MAX_EVENT_BYTES"),
    ],
)
def test_what_a_pod_would_refuse_is_said_with_its_line(fields: bytes, sentence: str):
    assert sentence in refusal_of(b"{" + fields + b"}")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"{", "line 1: the line must be JSON in UTF-8: it ends too early"),
        (b'{"clientName":"\xff"}', "line 1: the line must be JSON in UTF-8:"),
        (b"[1]", "line 1: the line must be an object."),
        (b'{"clientName":"A","action":"alert","data":' + b"[" * 100_000, "nested too deeply"),
        (b'{"clientName":"A","action":"alert","data":' + b"[" * 300 + b"]" * 300 + b"}", "nested over 200 levels deep"),
    ],
)
def test_what_is_no_event_is_said_with_its_line(line: bytes, sentence: str):
    assert sentence in refusal_of(line)


def test_an_id_is_given_once_in_a_file():
    line = b'{"clientName":"A","action":"alert","eventId":"evt-1"}'
    first, second = look_at(line + b"\n" + line)
    assert isinstance(first, Given)
    assert second == Refusal(2, "eventId is also that of line 1.")


def test_only_a_pod_can_tell_who_is_online():
    line = b'{"clientName":"A","action":"alert","requireOnline":true}'
    assert "requireOnline needs --url" in refusal_of(line, by_api=False)
    assert isinstance(look_at(line)[0], Given)


def test_a_file_is_read(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(LINE)
    assert [each.line for each in read_file(str(path))] == [1]


def test_a_file_without_events_is_refused(tmp_path: Path):
    (tmp_path / "events.jsonl").write_bytes(b"\n \n")
    with pytest.raises(CommandError, match=r"There is no event in .*events\.jsonl") as no:
        read_file(str(tmp_path / "events.jsonl"))
    assert no.value.returncode == 2


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(CommandError, match=r"missing\.jsonl cannot be read: No such file or directory"):
        read_file(str(tmp_path / "missing.jsonl"))


def test_an_action_without_sample_is_told_of_a_near_one():
    assert "did you mean signature?" in no_sample("sign")
    assert "there are samples of signature, payment" in no_sample("dance")
