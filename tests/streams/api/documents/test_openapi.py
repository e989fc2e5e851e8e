"""The document of the API says what the API does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from streams.api.documents.openapi import openapi_document
from streams.api.problems import ProblemKind
from streams.api.router import find_route
from streams.api.routes import ROUTES, asyncapi_json, openapi_json
from tests.streams.api.asking import Api

DOCUMENT = openapi_document(ROUTES)


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method in item.keys() - {"parameters"}:
            yield path, method, item[method]


def statuses(path: str, method: str) -> set[int]:
    return set(map(int, DOCUMENT["paths"][path][method]["responses"]))


def test_document_is_openapi():
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


def test_document_names_every_endpoint():
    named = {(path.replace("{", "").replace("}", ""), method.upper()) for path, method, _said in operations()}
    assert named == {(route.path, method) for route in ROUTES for method in route.endpoints}


def test_every_operation_says_what_it_does_and_how_it_answers():
    ids = []
    for path, method, said in operations():
        ids.append(said["operationId"])
        assert said["summary"], path
        assert [status for status in said["responses"] if status < "300"], (path, method)
    assert len(set(ids)) == len(ids)


def test_every_kind_of_problem_is_somewhere():
    text = json.dumps(DOCUMENT)
    assert [kind.word for kind in ProblemKind if f"`{kind.word}`" not in text] == []


@pytest.mark.parametrize(
    ("path", "method", "expected"),
    [
        ("/events", "post", {202, 400, 401, 403, 405, 409, 413, 415, 422, 429, 500, 503}),
        ("/events/batch", "post", {202, 400, 401, 403, 405, 409, 413, 415, 422, 429, 500, 503}),
        ("/events/{ID}", "get", {200, 400, 401, 403, 404, 405, 500, 503}),
        ("/pods", "get", {200, 400, 401, 403, 405, 500, 503}),
        ("/stores/{STORE}/expected", "put", {200, 400, 401, 403, 404, 405, 413, 415, 500, 503}),
        ("/clients/{NAME}", "delete", {204, 400, 401, 403, 404, 405, 500, 503}),
        ("/problems", "get", {200, 400, 405, 500}),
    ],
)
def test_statuses_of_an_operation(path: str, method: str, expected: set[int]):
    assert statuses(path, method) == expected


def test_who_may_ask():
    public = {path for path, _method, said in operations() if not said["security"]}
    assert public == {"/problems", "/openapi.json", "/asyncapi.json"}


def test_parameters_have_their_rules():
    limit = {each["name"]: each for each in DOCUMENT["paths"]["/clients"]["get"]["parameters"]}["limit"]
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
    assert limit["description"] == "a whole number from 1 to 1,000"
    (name,) = DOCUMENT["paths"]["/clients/{NAME}"]["parameters"]
    assert (name["name"], name["in"], name["required"]) == ("NAME", "path", True)
    assert name["schema"]["pattern"] == "^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"
    (key,) = DOCUMENT["paths"]["/events"]["post"]["parameters"]
    assert (key["name"], key["in"], key["schema"]["maxLength"]) == ("Idempotency-Key", "header", 255)


def test_examples_of_bodies_are_taken():
    """They are what a reader tries first."""
    for route in ROUTES:
        for endpoint in route.endpoints.values():
            if endpoint.body is not None:
                read = endpoint.read_body(json.dumps(endpoint.example).encode(), endpoint.body)
                assert isinstance(read, endpoint.body)


async def test_documents_are_served_to_anybody(api: Api):
    for path, document in (("/openapi.json", openapi_json()), ("/asyncapi.json", asyncapi_json())):
        asked = await api.ask(path)
        assert (asked.status, asked.headers["content-type"], asked.body) == (200, "application/json", document)


def test_an_id_with_strokes_is_one_path():
    """Whoever chose it finds it where `Location` says."""
    found = find_route(ROUTES, "/events/a/b//")
    assert found is not None
    assert (found[0].path, found[1]) == ("/events/ID", {"ID": "a/b//"})
