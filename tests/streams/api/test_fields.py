"""What requests say, read as it is declared."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from streams.api.fields import MAX_PARAMETERS, faults_of, form_at, no_field, parameters, read_body, read_query, rule_of
from streams.api.pages import ClientsQuery, PageQuery, StoresQuery
from streams.api.problems import Fault, Problem, ProblemKind
from streams.api.router import NoParameters
from streams.roster.reading.lanes import LaneState


class Query(msgspec.Struct, rename="camel"):
    limit: Annotated[int, Meta(ge=1, le=9, description="a whole number from 1 to 9")] = 5
    some_text: Annotated[str | UnsetType, Meta(description="a text")] = UNSET


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    numbers: list[int] = []


class Body(msgspec.Struct, forbid_unknown_fields=True):
    inner: Inner
    lanes: Annotated[list[str], Meta(max_length=2)] = []


def refused(query: bytes, form: type[msgspec.Struct] = Query) -> Problem:
    with pytest.raises(Problem) as found:
        read_query(query, form)
    return found.value


@pytest.mark.parametrize(
    ("query", "limit", "text"),
    [
        (b"", 5, UNSET),
        (b"limit=9", 9, UNSET),
        (b"someText=&limit=1", 1, ""),
        (b"someText=null", 5, "null"),
        (b"someText=%C3%A9+a%20b", 5, "é a b"),
        ("someText=é".encode(), 5, "é"),
    ],
)
def test_read_query(query: bytes, limit: int, text: str):
    assert read_query(query, Query) == Query(limit, text)


@pytest.mark.parametrize(
    ("query", "pointers", "detail"),
    [
        (b"limit=0", ["?limit"], "limit must be a whole number from 1 to 9."),
        (b"limit=10", ["?limit"], "limit must be"),
        (b"limit=", ["?limit"], "limit must be"),
        (b"limit=null", ["?limit"], "limit must be"),
        (b"limit=%20%31", ["?limit"], "limit must be"),
        (b"limit=%D9%A3", ["?limit"], "limit must be"),
        (b"limit=1&limit=1", ["?limit"], "limit must be given once."),
        (b"limit=x&limit=y&someText=a", ["?limit", "?limit"], "limit must be a whole"),
        (b"someText=a&someText=b", ["?someText"], "given once"),
    ],
)
def test_read_query_that_cannot_be_meant(query: bytes, pointers: list[str], detail: str):
    problem = refused(query)
    assert problem.kind is ProblemKind.INVALID_REQUEST
    assert [fault.pointer for fault in problem.faults] == pointers
    assert detail in problem.detail


def test_read_query_with_unknown_parameters():
    problem = refused(b"some_text=a&x=1&x=2&limit=0")
    assert problem.kind is ProblemKind.UNKNOWN_FIELD
    assert [fault.pointer for fault in problem.faults] == ["?some_text", "?x"]
    assert problem.faults[1].detail == "There is no parameter 'x' here; there are limit, someText."
    assert "there is none" in refused(b"x=", NoParameters).detail


@pytest.mark.parametrize("query", [b"%ff=1", b"limit=\xff", b"&".join([b"limit=1"] * (MAX_PARAMETERS + 1))])
def test_read_query_that_cannot_be_read(query: bytes):
    assert refused(query).kind is ProblemKind.INVALID_REQUEST


@given(st.binary(max_size=60) | st.text(alphabet="limtsaeq=&%+0123456789;", max_size=60).map(str.encode))
def test_read_query_of_anything(query: bytes):
    """It is read, or a problem."""
    for form in (Query, PageQuery, StoresQuery, ClientsQuery):
        try:
            read_query(query, form)
        except Problem as problem:
            assert problem.detail  # noqa: PT017 - either is right


def test_parameters_all_say_what_they_must_be():
    for form in (PageQuery, StoresQuery, ClientsQuery):
        assert all(allowed for _type, allowed in parameters(form).values())


def test_parameters_of_clients():
    asked = read_query(b"store=&state=missing&q=LANE&cursor=STORE1/&limit=1000", ClientsQuery)
    assert asked == ClientsQuery("STORE1/", 1000, "", LaneState.MISSING, "LANE")
    assert refused(b"store=A-B&cursor=//", ClientsQuery).detail.count("must be") == 2
    assert "connected, offline, unknown or missing" in refused(b"state=MISSING", ClientsQuery).detail
    assert "128" in refused(b"q=" + b"a" * 129, ClientsQuery).detail


@pytest.mark.parametrize("store", [b"A%0A", b"-", b"a%00", b"a" * 128, b"%C3%A9", b"a%2Fb"])
def test_parameters_take_no_store_that_is_none(store: bytes):
    assert refused(b"store=" + store, ClientsQuery).faults[0].pointer == "?store"


def test_read_body():
    assert read_body(b'{"inner": {"numbers": [1]}, "lanes": ["a"]}', Body) == Body(Inner([1]), ["a"])


@pytest.mark.parametrize(
    ("body", "kind", "pointer"),
    [
        (b'{"inner": {}, "x": 1}', ProblemKind.UNKNOWN_FIELD, "/x"),
        (b'{"inner": {"a/b~c": 1}}', ProblemKind.UNKNOWN_FIELD, "/inner/a~1b~0c"),
        (b'{"inner": {"numbers": [1, "2"]}}', ProblemKind.INVALID_REQUEST, "/inner/numbers/1"),
        (b'{"inner": {}, "lanes": ["a", "b", "c"]}', ProblemKind.INVALID_REQUEST, "/lanes"),
        (b"[]", ProblemKind.INVALID_REQUEST, ""),
        (b"{}", ProblemKind.INVALID_REQUEST, "/inner"),
    ],
)
def test_read_body_that_cannot_be_meant(body: bytes, kind: ProblemKind, pointer: str):
    with pytest.raises(Problem) as found:
        read_body(body, Body)
    assert (found.value.kind, found.value.faults[0].pointer) == (kind, pointer)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{}", "inner is missing."),
        (b'{"inner": []}', "inner must be an object."),
    ],
)
def test_read_body_says_where(body: bytes, detail: str):
    """In words, also of the whole."""
    with pytest.raises(Problem) as found:
        read_body(body, Body)
    assert found.value.detail == detail


@pytest.mark.parametrize("body", [b"", b"{", b'{"inner": {}} x', b'"\xff"', b'{"\xff": 1}', b"[" * 100_000])
def test_read_body_that_is_no_json(body: bytes):
    with pytest.raises(Problem) as found:
        read_body(body, Body)
    assert found.value.kind in (ProblemKind.INVALID_JSON, ProblemKind.INVALID_REQUEST)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:ilanesrbum1', max_size=60).map(str.encode))
def test_read_body_of_anything(body: bytes):
    """It is read, or a problem."""
    try:
        read_body(body, Body)
    except Problem as problem:
        assert problem.detail  # noqa: PT017 - either is right


class Lane(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    not_yet: ClassVar = ("colour",)

    name: Annotated[str, Meta(min_length=1, description="a name")]
    till_number: Annotated[int, Meta(ge=1, description="a number from 1")] | None = None
    open: Annotated[bool, Meta(description="whether it is open")] = False
    since: Annotated[str | int, Meta(description="a time")] = ""
    weight: float = 0.0
    either: str | int = 0
    notes: Annotated[str, Meta(max_length=3)] | None = None
    tags: list[str] = []
    others: Annotated[list[Lane], Meta(max_length=1000, description="")] = []


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ("{}", "/name", "name is missing."),
        ('{"name": ""}', "/name", "name must be a name."),
        ('{"name": "a", "tillNumber": 0}', "/tillNumber", "tillNumber must be a number from 1."),
        ('{"name": "a", "open": 1}', "/open", "open must be true or false."),
        ('{"name": "a", "since": null}', "/since", "since must be a time."),
        ('{"name": "a", "weight": ""}', "/weight", "weight must be a number."),
        ('{"name": "a", "either": null}', "/either", "either: Expected `int | str`, got `null`."),
        ('{"name": "a", "notes": "long"}', "/notes", "notes must be a string."),
        ('{"name": "a", "tags": {}}', "/tags", "tags must be a list."),
        ('{"name": "a", "tags": ["", 1]}', "/tags/1", "tags/1 must be a string."),
        ('{"name": "a", "others": 1}', "/others", "others must be a list of 1,000 at the most."),
        ('{"name": "a", "others": [1]}', "/others/0", "others/0 must be an object."),
        ('{"name": "a", "others": [{"name": ""}]}', "/others/0/name", "others/0/name must be a name."),
        ('{"name": "a", "others": [{}]}', "/others/0/name", "name is missing."),
        ("5", "", "Lane 7 must be an object."),
        ("", "", "Lane 7 must be JSON in UTF-8: it is empty."),
        (
            '{"name": "\\ud83d"}',
            "",
            "Lane 7 must be JSON in UTF-8: it ends too early, or an escape is half a surrogate pair.",
        ),
    ],
)
def test_read_body_says_what_a_field_must_be(body: str, pointer: str, detail: str):
    with pytest.raises(Problem) as found:
        read_body(body.encode(), Lane, whole="Lane 7")
    assert (found.value.faults, found.value.detail) == ([Fault(pointer, detail)], detail)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("till", "There is no field 'till' here. Did you mean tillNumber?"),
        ("till_number", "There is no field 'till_number' here. Did you mean tillNumber?"),
        ("TILLNUMBER", "There is no field 'TILLNUMBER' here. Did you mean tillNumber?"),
        ("number", "There is no field 'number' here. Did you mean tillNumber?"),
        ("opne", "There is no field 'opne' here. Did you mean open?"),
        ("colour", "colour is not supported yet."),
        *(
            (name, "There are name, tillNumber, open, since, weight, either, notes, tags, others.")
            for name in ("zzz", "_", "")
        ),
    ],
)
def test_read_body_says_which_field_may_be_meant(name: str, hint: str):
    for body, pointer in (
        (f'{{"name": "a", "{name}": 1}}', ""),
        (f'{{"name": "a", "others": [{{"{name}": 1}}]}}', "/others/0"),
    ):
        with pytest.raises(Problem) as found:
            read_body(body.encode(), Lane)
        assert found.value.kind is ProblemKind.UNKNOWN_FIELD
        assert found.value.faults[0].pointer == f"{pointer}/{name}"
        assert found.value.detail.endswith(hint)


def test_faults_of_a_value_inside_of_others():
    with pytest.raises(Problem) as found:
        read_body(b'{"name": 5}', Lane)
    assert faults_of(found.value, "/lanes/3") == [Fault("/lanes/3/name", "name must be a name.")]


class Anything(msgspec.Struct):
    held: Any


def test_read_body_that_is_nested_too_deeply():
    with pytest.raises(Problem) as found:
        read_body(b'{"held":' + b"[" * 100_000, Anything)
    assert (found.value.kind, found.value.faults[0].pointer) == (ProblemKind.INVALID_JSON, "")
    assert found.value.detail == "The body must be JSON in UTF-8: nested too deeply."


def test_declared_at_a_place_that_says_nothing_of_itself():
    """Inside of what may be anything, a field has no rule, and nothing is known of its fields."""
    declared = form_at(Anything, ["held", "x", "y"])
    assert (rule_of(declared), no_field("z", declared)) == ("", "There is no field 'z' here.")
