"""What the page of the API shows, from its OpenAPI document; pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

PROBLEM = "application/problem+json"
# What a value is called, by its type in JSON Schema.
WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "object", "null": "null"}


class Field(NamedTuple):
    """A parameter, a header or a field of a body; `place` is path, query or header."""

    name: str
    kind: str
    required: bool
    rule: str
    place: str = ""
    example: str = ""


class Reply(NamedTuple):
    """One status: what it means, what its body is called, and its headers."""

    status: str
    meaning: str
    body: str
    headers: str
    good: bool


class Operation(NamedTuple):
    """One method of a path."""

    name: str
    method: str
    path: str
    summary: str
    public: bool
    parameters: list[Field]
    # Of the body.
    fields: list[Field]
    # The body to try, or an empty string where there is none.
    body: str
    replies: list[Reply]
    curl: str


class Group(NamedTuple):
    """What begins with the same word."""

    name: str
    operations: list[Operation]


def about(document: dict[str, Any]) -> list[str]:
    """Return what is said of all, in paragraphs."""
    return plain(document["info"]["description"]).split("\n\n")


def groups(document: dict[str, Any], url: str, *, production: bool) -> list[Group]:
    """Return all operations by their tag; `url` is that of the API, for examples."""
    found: dict[str, list[Operation]] = {}
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method, said in item.items():
            if method != "parameters":
                made = operation(document, path, method.upper(), {**said, "shared": shared}, url, token=production)
                found.setdefault(said["tags"][0], []).append(made)
    return [Group(name, operations) for name, operations in found.items()]


def operation(
    document: dict[str, Any], path: str, method: str, said: dict[str, Any], url: str, *, token: bool
) -> Operation:
    """Return what is shown of one operation."""
    parameters = [parameter(document, each) for each in (*said["shared"], *said.get("parameters", []))]
    content = said.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = msgspec.json.encode(content["example"]).decode() if content else ""
    public = not said["security"]
    return Operation(
        said["operationId"],
        method,
        path,
        plain(said["summary"]),
        public,
        parameters,
        list(fields(document, content["schema"])) if content else [],
        msgspec.json.format(body, indent=2) if body else "",
        [reply(document, status, each) for status, each in sorted(said["responses"].items())],
        curl(method, url + filled(path, parameters), body, token=token and not public),
    )


def parameter(document: dict[str, Any], said: dict[str, Any]) -> Field:
    """Return a parameter or a header."""
    schema = said["schema"]
    example = str(said.get("example", ""))
    rule = sentence(said.get("description", ""), schema)
    return Field(said["name"], kind_of(document, schema), said.get("required", False), rule, said["in"], example)


def fields(document: dict[str, Any], schema: dict[str, Any], before: str = "") -> Iterator[Field]:
    """Give the fields of a body, those of the entries of its lists among them."""
    schema = resolved(document, schema)
    for name, held in schema.get("properties", {}).items():
        chosen = main(document, held)
        rule = sentence(held.get("description") or chosen.get("description", ""), chosen)
        required = name in schema.get("required", ())
        yield Field(before + name, kind_of(document, held), required, rule)
        if "items" in chosen:
            inner = resolved(document, chosen["items"])
            yield from fields(document, inner, f"{before}{name}[].")
            if "properties" not in inner:
                yield Field(f"{before}{name}[]", kind_of(document, inner), True, sentence("", inner))


def reply(document: dict[str, Any], status: str, said: dict[str, Any]) -> Reply:
    """Return one status of an answer."""
    said = resolved(document, said)
    contents = said.get("content", {})
    schemas = [each["schema"] for each in contents.values()]
    names = [schema["$ref"].rpartition("/")[2] for schema in schemas if "$ref" in schema]
    body = "problem" if PROBLEM in contents else ", ".join(names)
    return Reply(status, plain(said["description"]), body, ", ".join(said.get("headers", {})), status < "300")


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference leads to, or the node itself."""
    if "$ref" not in node:
        return node
    found: Any = document
    for step in node["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def main(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without null beside it."""
    schema = resolved(document, schema)
    others = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    return main(document, others[0]) if len(others) == 1 else schema


def kind_of(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return what a value is called."""
    schema = main(document, schema)
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        kinds = dict.fromkeys(kind_of(document, each) for each in schema["anyOf"])
        if "number" in kinds:
            # Which may be whole.
            kinds.pop(WORDS["integer"], None)
        return " or ".join(kinds)
    if schema.get("type") == "array":
        return f"list of {kind_of(document, schema['items'])}"
    if "properties" in schema:
        return str(schema["title"])
    kind = str(schema.get("type", "any JSON"))
    return WORDS.get(kind, kind)


def sentence(description: str, schema: dict[str, Any]) -> str:
    """Return a rule in words: what is said of it, and what its schema bounds and no word says."""
    said = [description or schema.get("description", "")]
    if "maxItems" in schema:
        least = schema.get("minItems", 0)
        said.append(f"{least} to {schema['maxItems']:,} of them" if least else f"{schema['maxItems']:,} at the most")
    if schema.get("default") not in (None, ""):
        said.append(f"{msgspec.json.encode(schema['default']).decode()} unless said")
    return plain("; ".join(filter(None, said)))


def plain(text: str) -> str:
    """Return a text without the marks of code in it."""
    return text.replace("`", "")


def filled(path: str, parameters: list[Field]) -> str:
    """Return a path with examples for its words in capitals."""
    for each in parameters:
        path = path.replace("{" + each.name + "}", quote(each.example, safe=""))
    return path


def curl(method: str, url: str, body: str, *, token: bool) -> str:
    """Return a command that makes the request."""
    words = ["curl"]
    words += ["-X", method] if method not in ("GET", "POST") else []
    words += ["-H", '"Authorization: Bearer $ADMIN_TOKEN"'] if token else []
    words += ["-H", shlex.quote("Content-Type: application/json"), "-d", shlex.quote(body)] if body else []
    return " ".join([*words, shlex.quote(url)])
