"""JSON schemas as documents have them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from streams.api.documents.schemas import parameter_schemas, schemas_of, written


class Inner(msgspec.Struct):
    """Said to readers of the code."""

    name: Annotated[str, Meta(pattern=r"^a?\Z", description="a or nothing")]


class Outer(msgspec.Struct):
    inners: list[Inner] = []


def test_schemas_refer_to_components_without_docstrings():
    (schema, text), components = schemas_of([Outer, str])
    assert (schema, text) == ({"$ref": "#/components/schemas/Outer"}, {"type": "string"})
    assert list(components) == ["Inner", "Outer"]
    assert "description" not in components["Inner"]
    assert components["Outer"]["properties"]["inners"]["items"] == {"$ref": "#/components/schemas/Inner"}


def test_patterns_are_in_the_language_of_json_schema():
    _schemas, components = schemas_of([Inner])
    assert components["Inner"]["properties"]["name"] == {
        "type": "string",
        "pattern": "^a?$",
        "description": "a or nothing",
    }


def test_parameters_of_a_struct_and_what_they_refer_to():
    own, others = parameter_schemas(Outer)
    assert list(own) == ["inners"]
    assert list(others) == ["Inner"]


def test_document_is_written_for_people():
    assert written({"a": [1]}) == b'{\n  "a": [\n    1\n  ]\n}\n'
