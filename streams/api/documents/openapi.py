"""The document of the API: OpenAPI 3.1, made from its routes; pure.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from streams import VERSION
from streams.api.documents.described import HEADERS_OF, Header
from streams.api.documents.schemas import REFERENCE, parameter_schemas, schemas_of
from streams.api.fields import StoreName
from streams.api.problems import ProblemKind, ProblemSaid
from streams.api.router import Endpoint, Route
from streams.wire.publication import ClientName, EventId

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
SECRET, TOKEN = "adminToken", "token"
# What may stand for each word in capitals.
PATH_TYPES = {"NAME": ClientName, "STORE": StoreName, "ID": EventId}
ABOUT = """\
What the whole cluster is asked for, and told. Any pod gives the same answer.

`HEAD` is answered as `GET`, and `OPTIONS` with the methods of a path. Nothing is kept by caches. Unknown parameters \
and fields are refused, and so is one that comes twice. What is over the bounds of all requests is refused before its \
path is looked at: 400, 408, 413, 414 or 431, as a problem of the type `about:blank`.

In development nobody has to say who asks. In production an answer is for whoever sends `ADMIN_TOKEN`'s value or \
a token with the right, or has the session of a staff user; a change asks for one who may act. `PUBLISH_AUTH` says \
whether publishing is open to all."""
BELOW = {"default": "", "description": "The path below which a pod is served, such as `/sse`."}
AUTHORIZED_BY = (
    "The value of `ADMIN_TOKEN`, in production. Instead, the session of a staff user who is signed in at "
    "`/admin/login/`; a change is then taken from pages of this service only."
)
RIGHTS = (
    "A token, whose claim `sse` says what its holder may: `publish` has the clients that he may publish to, as names "
    "or as their beginning with a `*` at its end, and `admin` has `read`, for what changes nothing, or `act`, for all."
)


def openapi_document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document of these routes."""
    schemas: dict[str, Any] = {}
    paths = {
        re.sub(r"\b[A-Z]+\b", r"{\g<0>}", route.path): {
            **({"parameters": [path_parameter(name, schemas) for name in route.names]} if route.names else {}),
            **{method.lower(): operation(route, method, schemas) for method in route.endpoints},
        }
        for route in routes
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "SSE Redis Service", "version": VERSION, "description": ABOUT, "license": {"name": "ISC"}},
        "servers": [{"url": "{below}/api/v1", "description": "Any pod", "variables": {"below": BELOW}}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {kind.word: problem(kind.status, [kind]) for kind in alone(routes)},
            "securitySchemes": {
                TOKEN: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": RIGHTS},
                SECRET: {"type": "http", "scheme": "bearer", "description": AUTHORIZED_BY},
            },
        },
    }


def operation(route: Route, method: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of one method of a path; its types are added to the schemas."""
    endpoint = route.endpoints[method]
    parameters = [*query_parameters(endpoint, schemas), *(header_parameter(each) for each in endpoint.headers)]
    said: dict[str, Any] = {
        "operationId": operation_id(endpoint),
        "summary": endpoint.summary,
        "tags": [route.path.split("/")[1] if "." not in route.path else "documents"],
        "security": [] if endpoint.public else [{TOKEN: []}, {SECRET: []}],
    }
    if parameters:
        said["parameters"] = parameters
    if endpoint.body is not None:
        content = {"schema": added(endpoint.body, schemas), "example": endpoint.example}
        said["requestBody"] = {"required": True, "content": {JSON: content}}
    return said | {"responses": responses(endpoint, route.problems(method), schemas)}


def operation_id(endpoint: Endpoint) -> str:
    """Return the name of what serves an endpoint, in camelCase."""
    first, *others = endpoint.serve.__name__.split("_")
    return first + "".join(word.capitalize() for word in others)


def query_parameters(endpoint: Endpoint, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of an address; none is required."""
    own, components = parameter_schemas(endpoint.query)
    schemas |= components
    return [{"name": name, "in": "query", **told(schema)} for name, schema in own.items()]


def path_parameter(name: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return a word in capitals as a parameter."""
    schema = added(PATH_TYPES[name], schemas)
    return {"name": name, "in": "path", "required": True, **told(schema)}


def header_parameter(header: Header) -> dict[str, Any]:
    """Return a header that a request may have."""
    return {"name": header.name, "in": "header", "required": header.required, **told(added(header.form, {}))}


def told(schema: dict[str, Any]) -> dict[str, Any]:
    """Move what a schema says in words to where it stands, where readers look for it."""
    rest = {key: value for key, value in schema.items() if key not in ("description", "examples")}
    examples = schema.get("examples", [])
    return {
        **({"description": schema["description"]} if "description" in schema else {}),
        "schema": rest,
        **({"example": examples[0]} if examples else {}),
    }


def responses(endpoint: Endpoint, problems: Iterable[ProblemKind], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return all answers by their status."""
    said: dict[str, Any] = {}
    if reply := endpoint.reply:
        answer: dict[str, Any] = {"description": reply.sentence, **headers_said(reply.headers)}
        if reply.content is not None:
            answer["content"] = {JSON: {"schema": added(reply.content, schemas)}}
        said[f"{reply.status:d}"] = answer
    for status, kinds in by_status(problems).items():
        one = {"$ref": f"#/components/responses/{kinds[0].word}"}
        said[f"{status:d}"] = one if len(kinds) == 1 else problem(status, kinds)
    schemas |= schemas_of([ProblemSaid])[1]
    return said


def by_status(problems: Iterable[ProblemKind]) -> dict[HTTPStatus, list[ProblemKind]]:
    """Return kinds of problems in the order of their statuses."""
    found: dict[HTTPStatus, list[ProblemKind]] = {}
    for kind in sorted(problems, key=lambda kind: kind.status):
        found.setdefault(kind.status, []).append(kind)
    return found


def alone(routes: Iterable[Route]) -> list[ProblemKind]:
    """Return the kinds of problems that somewhere are the only ones of their status."""
    found = {
        kinds[0]
        for route in routes
        for method in route.endpoints
        for kinds in by_status(route.problems(method)).values()
        if len(kinds) == 1
    }
    return [kind for kind in ProblemKind if kind in found]


def problem(status: HTTPStatus, kinds: Iterable[ProblemKind]) -> dict[str, Any]:
    """Return the answer that a problem of some kinds is."""
    return {
        "description": "; ".join(f"`{kind.word}`: {kind.title}" for kind in kinds) + ".",
        **headers_said(HEADERS_OF.get(status, ())),
        "content": {PROBLEM_JSON: {"schema": {"$ref": REFERENCE.format(name=ProblemSaid.__name__)}}},
    }


def headers_said(headers: Iterable[Header]) -> dict[str, Any]:
    """Return the headers of an answer, or nothing where there are none."""
    said = {
        header.name: {**({"required": True} if header.required else {}), **told(added(header.form, {}))}
        for header in headers
    }
    return {"headers": said} if said else {}


def added(form: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a type, and add what it refers to."""
    (schema,), components = schemas_of([form])
    schemas |= components
    return schema
