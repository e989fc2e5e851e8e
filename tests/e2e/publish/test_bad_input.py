"""Whatever is said wrong of an event is told by its problem, its place and in words."""

from __future__ import annotations

from tests.e2e.publish.asking import TRACEPARENT, Published, journal, post, problem
from tests.support.pods import Pod
from tests.support.redis_server import RedisServer

WELL = b'"clientName":"A-1","action":"payment"'
NESTED = b'{%b,"data":%b%b}' % (WELL, b"[" * 300, b"]" * 300)
INVALID: dict[str, tuple[bytes, str, str, str]] = {
    # What is said, the problem, its pointer, and its words.
    "nothing": (b"", "invalid-json", "", "it is empty"),
    "blanks": (b" \n", "invalid-json", "", "it is empty"),
    "null": (b"null", "invalid-event", "", "The body must be an object."),
    "an array": (b"[]", "invalid-event", "", "The body must be an object."),
    "a number": (b"5", "invalid-event", "", "The body must be an object."),
    "no name": (b'{"action":"payment"}', "invalid-event", "/clientName", "clientName is missing."),
    "no action": (b'{"clientName":"A-1"}', "invalid-event", "/action", "action is missing."),
    "no JSON": (b"{" + WELL, "invalid-json", "", "ends too early"),
    "more than JSON": (b"{%b}x" % WELL, "invalid-json", "", "JSON"),
    "a mark of byte order": (b"\xef\xbb\xbf{%b}" % WELL, "invalid-json", "", "JSON"),
    "300 levels": (NESTED, "invalid-event", "/data", "200 levels"),
    "100,000 levels": (b'{%b,"data":%b' % (WELL, b"[" * 100_000), "invalid-json", "", "nested too deeply"),
    "NUL": (b'{%b,"data":"\0"}' % WELL, "invalid-json", "", "JSON"),
    "NUL in a name": (b'{"clientName":"A\\u0000","action":"x"}', "invalid-event", "/clientName", "clientName must be"),
    "half a pair": (b'{%b,"data":"\\ud83d"}' % WELL, "invalid-json", "", "half a surrogate pair"),
    "half a pair in UTF-8": (b'{%b,"data":"\xed\xa0\xbd"}' % WELL, "invalid-json", "", "UTF-8"),
    "no UTF-8": (b'{%b,"data":"\xff"}' % WELL, "invalid-json", "", "UTF-8"),
    "a number beyond all": (b'{%b,"data":1e400}' % WELL, "invalid-event", "/data", "out of range"),
    "an unknown field": (b'{%b,"ttl":60}' % WELL, "unknown-field", "/ttl", "Did you mean ttlMs?"),
    "a field in snake case": (b'{%b,"event_id":"a"}' % WELL, "unknown-field", "/event_id", "Did you mean eventId?"),
    "a strange field": (b'{%b,"payload":{}}' % WELL, "unknown-field", "/payload", "There are clientName, action"),
    "key": (b'{%b,"key":"a"}' % WELL, "unknown-field", "/key", "key is not supported yet."),
    "retain": (b'{%b,"retain":true}' % WELL, "unknown-field", "/retain", "retain is not supported yet."),
}
FIELDS: dict[str, list[tuple[str, str]]] = {
    "clientName": [
        *(
            (name, "1 to 128 characters of A-Z")
            for name in ('"*"', '"STORE001-*"', '""', '"-a"', '"a\\n"', "5", "null")
        ),
        ('"' + "a" * 129 + '"', "1 to 128 characters"),
    ],
    "action": [('""', "a string that is not empty"), ("null", "a string"), ("5", "a string")],
    "eventId": [
        *((each, "1 to 128 printable ASCII") for each in ('"' + "e" * 129 + '"', '"a\\r\\nb"', '"a\\n"', '""', "7")),
        *((each, "without a blank at either end") for each in ('" a"', '"a "', '"é"', '"\\u0000"')),
    ],
    "ttlMs": [
        (each, "a whole number of milliseconds") for each in ("0", "-1", "1.5", '"60"', "1" + "0" * 20, "true", "1e2")
    ],
    "timestamp": [(each, "an ISO 8601 time") for each in ('"tomorrow"', "5", "true", "1e300", "[]", '""')],
    "deliverBy": [
        *((each, "an ISO 8601 time") for each in ('"tomorrow"', "5", "true", '""')),
        ('"2020-01-01T00:00:00Z"', "already expired"),
        ("1577836800000", "already expired"),
    ],
    "durable": [(each, "true or false") for each in ('"yes"', "1")],
    "receipt": [(each, "true or false") for each in ('"yes"', "1", "null")],
    "requireOnline": [(each, "true or false") for each in ('"yes"', "1", "null")],
    "traceparent": [(f'"{each}"', "W3C") for each in ("", "x", TRACEPARENT.upper(), TRACEPARENT + "\\n")],
}
for _field, _values in FIELDS.items():
    for _value, _words in _values:
        _others = {"clientName": '"A-1"', "action": '"payment"'} | {_field: _value}
        _body = "{" + ",".join(f'"{key}":{value}' for key, value in _others.items()) + "}"
        INVALID[f"{_field} {_value[:30]}"] = (_body.encode(), "invalid-event", f"/{_field}", _words)


def test_what_cannot_be_published(pod: Pod, published: Published):
    """Each is told by the problem, the place and the words that a person needs; nothing is published."""
    count = published()
    for case, (body, word, pointer, words) in INVALID.items():
        answer = post(pod, body)
        assert answer.status == 400, (case, answer)
        said = problem(answer, word)
        assert [error["pointer"] for error in said["errors"]] == [pointer], (case, said)
        assert words in said["detail"], (case, said)
        assert "Expected" not in said["detail"], (case, said)
    assert published() == count


def test_ttl_that_is_over(pod: Pod, client_name: str):
    said = {"clientName": client_name, "action": "x", "timestamp": "2026-01-05T12:00:00.000Z", "ttlMs": 60}
    refused = problem(post(pod, said), "invalid-event")
    assert (refused["errors"][0]["pointer"], "already expired" in refused["detail"]) == ("/ttlMs", True)


def test_of_a_field_that_comes_twice_the_last_counts(pod: Pod, redis_server: RedisServer, client_name: str):
    body = b'{"clientName":"A-1","action":"x","data":1,"clientName":"%b","data":2}' % client_name.encode()
    assert post(pod, body).json()["clientName"] == client_name
    assert [event["data"] for event in journal(redis_server, client_name)] == [2]
