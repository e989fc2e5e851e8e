"""What a request answers where its application does not."""

from __future__ import annotations

from streams.http.answers import SERVICE_FAILED
from streams.server.http_channel import RequestReader
from tests.streams.server.readers import Server, answer_of
from tests.support.http import request_bytes


def test_daphnes_own_answers_have_a_date(reader: RequestReader):
    reader.dataReceived(request_bytes("GET", "/a%20b?\xa0", {"Connection": "close"}))
    answer = answer_of(reader)
    assert (answer.status, bool(answer.headers["date"])) == (400, True)
    assert answer.json()["error"].endswith(".")


def test_an_application_that_fails_is_500_in_json(reader: RequestReader, server: Server):
    reader.dataReceived(request_bytes("GET", "/health", {"Connection": "close"}))
    server.requests[0].handle_exception(RuntimeError("secret"))
    answer = answer_of(reader)
    assert (answer.status, answer.json()["error"]) == (500, SERVICE_FAILED)


def test_an_application_that_fails_in_its_answer_is_cut(reader: RequestReader, server: Server):
    reader.dataReceived(request_bytes("GET", "/health", {"Connection": "close"}))
    request = server.requests[0]
    request.handle_reply({"type": "http.response.start", "status": 200, "headers": []})
    request.handle_reply({"type": "http.response.body", "body": b"half", "more_body": True})
    request.handle_exception(RuntimeError("secret"))
    assert reader.transport.aborted
    assert SERVICE_FAILED.encode() not in reader.transport.value()
