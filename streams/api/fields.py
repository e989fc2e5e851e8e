"""Reads what a request says, as the Struct of it declares it; pure.

A Struct of parameters says in the `description` of each what it must be, which ends the sentence *NAME must be …*.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from streams.api.problems import Fault, Problem, ProblemKind, problem_of
from streams.errors import InvalidName
from streams.roster.keys import SEPARATOR
from streams.wire.events import MAX_NAME_CHARACTERS, valid_name
from streams.wire.lenient import UNREADABLE

S = TypeVar("S", bound=msgspec.Struct)

MAX_PARAMETERS = 20
# How msgspec ends what it says of a value inside of others.
PLACE = re.compile(r" - at `\$(.*)`$")
STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")


def read_query(query: bytes, form: type[S]) -> S:
    """Read the parameters of an address; raises Problem, which names all that is wrong with them."""
    try:
        pairs = parse_qsl(query.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError:
        detail = f"The parameters must be UTF-8, and {MAX_PARAMETERS} at the most."
        raise Problem(ProblemKind.INVALID_REQUEST, detail) from None
    declared = parameters(form)
    if unknown := list(dict.fromkeys(name for name, _value in pairs if name not in declared)):
        raise problem_of(ProblemKind.UNKNOWN_FIELD, [Fault(f"?{name}", no_parameter(name, form)) for name in unknown])
    given: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, text in pairs:
        expected, allowed = declared[name]
        if name in given:
            faults.append(Fault(f"?{name}", f"{name} must be given once."))
            continue
        given[name] = None
        try:
            given[name] = msgspec.convert(text, expected, strict=False)
        except msgspec.ValidationError:
            faults.append(Fault(f"?{name}", f"{name} must be {allowed}."))
    if faults:
        raise problem_of(ProblemKind.INVALID_REQUEST, faults)
    return msgspec.convert(given, form)


def no_parameter(name: str, form: type[msgspec.Struct]) -> str:
    """Say which parameters there are instead."""
    known = ", ".join(parameters(form))
    return f"There is no parameter {name!a} here; {f'there are {known}' if known else 'there is none'}."


@functools.cache
def parameters(form: type[msgspec.Struct]) -> dict[str, tuple[Any, str]]:
    """Return the type of each parameter, and what it must be, by its name."""
    found = {}
    for field in msgspec.structs.fields(form):
        schema = getattr(msgspec.inspect.type_info(field.type), "extra_json_schema", None) or {}
        found[field.encode_name] = (field.type, schema.get("description", ""))
    return found


def read_body(body: bytes | msgspec.Raw, form: type[S], kind: ProblemKind = ProblemKind.INVALID_REQUEST) -> S:
    """Read a body in JSON; raises Problem, which names the first thing that is wrong with it.

    That is of a `kind` where a value cannot be meant.
    """
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.ValidationError as error:
        raise _wrong(str(error), kind) from None
    except UNREADABLE as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Problem(ProblemKind.INVALID_JSON, f"The body must be JSON in UTF-8: {reason}.") from None


def faults_of(problem: Problem, place: str) -> list[Fault]:
    """Return what is wrong with a value that stands at a place of the body, as a JSON pointer."""
    faults = problem.faults or [Fault("", problem.detail)]
    return [Fault(place + pointer, detail) for pointer, detail in faults]


def _wrong(said: str, kind: ProblemKind) -> Problem:
    place = PLACE.search(said)
    pointer = pointer_of(place[1] if place else "")
    message = PLACE.sub("", said)
    if unknown := UNKNOWN.fullmatch(message):
        name = unknown[1].replace("~", "~0").replace("/", "~1")
        return problem_of(
            ProblemKind.UNKNOWN_FIELD, [Fault(f"{pointer}/{name}", f"There is no field {unknown[1]!a} here.")]
        )
    where = pointer.removeprefix("/") or "The body"
    return problem_of(kind, [Fault(pointer, f"{where}: {message}.")])


def pointer_of(place: str) -> str:
    """Return a place as msgspec names it, such as `.lanes[3]`, as a JSON pointer."""
    return "".join(f"/{name or number}" for name, number in STEP.findall(place))


# What stands before the first separator of a client's name; those without one are in the store without a name.
STORE_PATTERN = rf"^([A-Za-z0-9][A-Za-z0-9._:]{{0,{MAX_NAME_CHARACTERS - 2}}})?\Z"
STORE = re.compile(STORE_PATTERN)
STORE_RULE = f"what stands before the first {SEPARATOR} of a client's name, or nothing for names without one"


def checked_name(names: Mapping[str, str]) -> str:
    """Return what stands for NAME or STORE in a path, or an empty string; raises Problem for what can be no name."""
    if "STORE" in names:
        store = names["STORE"]
        if not STORE.match(store):
            raise problem_of(ProblemKind.INVALID_REQUEST, [Fault("STORE", f"A store is {STORE_RULE}.")])
        return store
    try:
        return valid_name(names["NAME"]) if "NAME" in names else names.get("ID", "")
    except InvalidName as error:
        raise problem_of(ProblemKind.INVALID_REQUEST, [Fault("NAME", str(error))]) from None
