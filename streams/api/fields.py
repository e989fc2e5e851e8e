"""Reads what a request says, as the Struct of it declares it; pure.

A Struct says in the `description` of a parameter or field what it must be, which ends the sentence *NAME must be …*.
In `not_yet`, a ClassVar, it names fields that will be there one day.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta, inspect

from streams.api.problems import Fault, Problem, ProblemKind, problem_of
from streams.errors import InvalidName
from streams.roster.keys import SEPARATOR
from streams.wire.events import MAX_NAME_CHARACTERS, valid_name
from streams.wire.lenient import UNREADABLE

S = TypeVar("S", bound=msgspec.Struct)

MAX_PARAMETERS = 20
# What stands before the first separator of a client's name; those without one are in the store without a name.
STORE_PATTERN = rf"^([A-Za-z0-9][A-Za-z0-9._:]{{0,{MAX_NAME_CHARACTERS - 2}}})?\Z"
STORE = re.compile(STORE_PATTERN)
STORE_RULE = f"what stands before the first {SEPARATOR} of a client's name, or nothing for names without one"
StoreName = Annotated[str, Meta(pattern=STORE_PATTERN, description=STORE_RULE, examples=["STORE001"])]
# How msgspec ends what it says of a value inside of others.
PLACE = re.compile(r" - at `\$([^`]*)`$")
STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
MISSING = re.compile(r"Object missing required field `(.*)`")
TRUNCATED = "Input data was truncated"
# What a value must be of which nothing more is declared.
KINDS: dict[type[inspect.Type], str] = {
    inspect.StrType: "a string",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.ListType: "a list",
    inspect.StructType: "an object",
}


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
    declared = msgspec.structs.fields(form)
    return {field.encode_name: (field.type, description(inspect.type_info(field.type))) for field in declared}


def read_body(
    body: bytes | msgspec.Raw,
    form: type[S],
    kind: ProblemKind = ProblemKind.INVALID_REQUEST,
    whole: str = "The body",
) -> S:
    """Read a body in JSON; raises Problem, which names the first thing that is wrong with it.

    That is of a `kind` where a value cannot be meant; `whole` is what a sentence calls all of it.
    """
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.ValidationError as error:
        raise _wrong(str(error), form, kind, whole) from None
    except UNREADABLE as error:
        detail = f"{whole} must be JSON in UTF-8: {_unreadable(error, bytes(body))}."
        raise problem_of(ProblemKind.INVALID_JSON, [Fault("", detail)]) from None


def _unreadable(error: Exception, body: bytes) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if not body.strip():
        return "it is empty"
    # What msgspec says of either.
    return str(error).replace(TRUNCATED, "it ends too early, or an escape is half a surrogate pair")


def faults_of(problem: Problem, place: str) -> list[Fault]:
    """Return what is wrong with a value that stands at a place of the body, as a JSON pointer."""
    return [Fault(place + fault.pointer, fault.detail) for fault in problem.faults]


def _wrong(said: str, form: type[msgspec.Struct], kind: ProblemKind, whole: str) -> Problem:
    place = PLACE.search(said)
    steps = STEP.findall(place[1] if place else "")
    pointer = "".join(f"/{name or number}" for name, number in steps)
    message = PLACE.sub("", said)
    found = form_at(form, [name for name, _number in steps])
    if unknown := UNKNOWN.fullmatch(message):
        name = unknown[1].replace("~", "~0").replace("/", "~1")
        return problem_of(ProblemKind.UNKNOWN_FIELD, [Fault(f"{pointer}/{name}", no_field(unknown[1], found))])
    if missing := MISSING.fullmatch(message):
        return problem_of(kind, [Fault(f"{pointer}/{missing[1]}", f"{missing[1]} is missing.")])
    where = pointer.removeprefix("/") or whole
    rule = rule_of(found)
    return problem_of(kind, [Fault(pointer, f"{where} must be {rule}." if rule else f"{where}: {message}.")])


def no_field(name: str, form: inspect.Type) -> str:
    """Say that there is no field of a name, and which may be meant."""
    if not isinstance(form, inspect.StructType):
        return f"There is no field {name!a} here."
    if name in getattr(form.cls, "not_yet", ()):
        return f"{name} is not supported yet."
    known = {field.encode_name.casefold(): field.encode_name for field in form.fields}
    folded = name.casefold().replace("_", "").replace("-", "")
    alike = difflib.get_close_matches(folded, known, 1) or [each for each in known if folded and folded in each]
    hint = f"Did you mean {known[alike[0]]}?" if alike else f"There are {', '.join(known.values())}."
    return f"There is no field {name!a} here. {hint}"


def form_at(form: type[msgspec.Struct], names: Sequence[str]) -> inspect.Type:
    """Return what is declared at a place: below fields by their names, and entries of lists by an empty one."""
    found: inspect.Type = inspect.type_info(form)
    for name in names:
        held = bare(found)
        if isinstance(held, inspect.ListType):
            found = held.item_type
        elif isinstance(held, inspect.StructType):
            found = next(field.type for field in held.fields if field.encode_name == name)
        else:
            return inspect.AnyType()
    held = bare(found)
    return held if isinstance(held, inspect.StructType) else found


def rule_of(declared: inspect.Type) -> str:
    """Return what a value must be, which ends the sentence *NAME must be …*; nothing where that is not declared."""
    held = bare(declared)
    if not isinstance(held, inspect.BoolType) and (said := description(declared)):
        return said
    if isinstance(held, inspect.ListType) and held.max_length is not None:
        return f"a list of {held.max_length:,} at the most"
    return KINDS.get(type(held), "")


def description(declared: inspect.Type) -> str:
    """Return the `description` that a type has, or the first of those that it may be."""
    if isinstance(declared, inspect.Metadata):
        said: str = (declared.extra_json_schema or {}).get("description", "")
        return said or description(declared.type)
    if isinstance(declared, inspect.UnionType):
        return next(filter(None, map(description, declared.types)), "")
    return ""


def bare(declared: inspect.Type) -> inspect.Type:
    """Return a type without its description, and without null beside it."""
    if isinstance(declared, inspect.Metadata):
        return bare(declared.type)
    if isinstance(declared, inspect.UnionType):
        others = [each for each in declared.types if not isinstance(each, inspect.NoneType)]
        return bare(others[0]) if len(others) == 1 else declared
    return declared


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
