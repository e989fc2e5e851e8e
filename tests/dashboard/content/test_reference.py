"""What the page of the API shows of its document."""

from __future__ import annotations

import json
import subprocess

import pytest

from dashboard.content import reference
from dashboard.content.reference import Operation
from streams.api.documents.openapi import openapi_document
from streams.api.routes import ROUTES

DOCUMENT = openapi_document(ROUTES)
URL = "https://sse.example.com/api/v1"


def shown(name: str, *, production: bool = False) -> Operation:
    groups = reference.groups(DOCUMENT, URL, production=production)
    return next(each for group in groups for each in group.operations if each.name == name)


def test_all_operations_are_there_in_groups():
    groups = reference.groups(DOCUMENT, URL, production=False)
    assert [group.name for group in groups] == [
        *("events", "pods", "stores", "clients", "refused", "revocations", "problems", "documents")
    ]
    there = {(each.path, each.method.lower()) for group in groups for each in group.operations}
    assert there == {
        (path, method) for path, item in DOCUMENT["paths"].items() for method in item.keys() - {"parameters"}
    }


def test_parameters_of_path_query_and_header():
    (name, minutes) = shown("traced").parameters
    assert name == ("NAME", "text", True, name.rule, "path", "STORE001-LANE01")
    assert name.rule.startswith("1 to 128 characters")
    assert minutes == ("minutes", "whole number", False, "a whole number from 1 to 1,440; 60 unless said", "query", "")
    (key,) = shown("publish").parameters
    assert (key.name, key.place, key.required, key.example) == ("Idempotency-Key", "header", False, "order-1001")
    state = next(each for each in shown("clients").parameters if each.name == "state")
    assert state.kind == "one of connected, missing, offline, unknown"


def test_fields_of_a_body_have_their_rules():
    fields = {field.name: field for field in shown("publish").fields}
    assert (fields["clientName"].kind, fields["clientName"].required) == ("text", True)
    assert (fields["data"].kind, fields["data"].required) == ("any JSON", False)
    assert fields["ttlMs"].rule.startswith("a whole number of milliseconds")
    assert fields["timestamp"].kind == "text or number"
    assert fields["requireOnline"].rule.endswith("; false unless said")


def test_fields_of_entries_of_lists():
    fields = {field.name: field for field in shown("publishBatch").fields}
    assert (fields["events"].kind, fields["events"].rule) == ("list of Publication", "1 to 500 of them")
    assert fields["events[].clientName"].required
    lanes = shown("expect").fields
    assert [field.name for field in lanes] == ["lanes", "lanes[]"]
    assert lanes[0].rule == "1,000 at the most"
    assert lanes[1].rule.startswith("1 to 128 characters")


def test_answers_have_their_bodies_and_headers():
    replies = {reply.status: reply for reply in shown("publish").replies}
    assert (replies["202"].body, replies["202"].good) == ("Accepted", True)
    assert replies["202"].headers.startswith("Location, ")
    assert (replies["401"].body, replies["401"].headers, replies["401"].good) == ("problem", "WWW-Authenticate", False)
    assert "`" not in "".join(reply.meaning for reply in replies.values())
    assert shown("retire").replies[0].body == ""


def test_curl_fills_the_path_and_says_who_asks_where_that_is_asked_for():
    assert shown("client").curl == f"curl {URL}/clients/STORE001-LANE01"
    token = '-H "Authorization: Bearer $ADMIN_TOKEN"'
    assert shown("close", production=True).curl == f"curl -X DELETE {token} {URL}/clients/STORE001-LANE01/stream"
    assert shown("problems", production=True).curl == f"curl {URL}/problems"


@pytest.mark.parametrize("name", ["publish", "publishBatch", "expect"])
def test_curl_of_a_body_is_one_that_a_shell_reads(name: str):
    operation = shown(name, production=True)
    script = operation.curl.replace("curl", "printf '%s\\n'", 1)
    words = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={"ADMIN_TOKEN": "t"})
    said = words.stdout.splitlines()
    assert "Authorization: Bearer t" in said
    assert json.loads(said[said.index("-d") + 1]) == json.loads(operation.body)


def test_about_is_in_paragraphs():
    assert len(reference.about(DOCUMENT)) == 3
    assert "`" not in "".join(reference.about(DOCUMENT))
