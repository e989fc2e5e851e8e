"""JSON schemas of types, and how a document is written; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

REFERENCE = "#/components/schemas/{name}"


def schemas_of(types: Iterable[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the schema of each type, and the components that these refer to."""
    schemas, components = msgspec.json.schema_components(list(types), ref_template=REFERENCE)
    for component in components.values():
        # Docstrings, which are for readers of the code, and not there in a pod that runs without them.
        component.pop("description", None)
    return [_portable(schema) for schema in schemas], _portable(dict(sorted(components.items())))


def parameter_schemas(form: type[msgspec.Struct]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schemas of a Struct's fields by their names, and the components that these refer to."""
    _reference, components = schemas_of([form])
    own = components.pop(form.__name__)
    return own["properties"], components


def _portable(schema: Any) -> Any:
    """Return a schema with patterns in the language of JSON Schema, which ends a text with `$`."""
    if isinstance(schema, dict):
        return {
            key: value.replace(r"\Z", "$") if key == "pattern" and isinstance(value, str) else _portable(value)
            for key, value in schema.items()
        }
    return [_portable(each) for each in schema] if isinstance(schema, list) else schema


def written(document: dict[str, Any]) -> bytes:
    """Return a document as people read it."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
