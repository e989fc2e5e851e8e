"""What requests say, read as it is declared."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from streams.api.fields import MAX_PARAMETERS, parameters, read_body, read_query
from streams.api.pages import ClientsQuery, PageQuery, StoresQuery
from streams.api.problems import Problem, ProblemKind
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
        (b"{}", ProblemKind.INVALID_REQUEST, ""),
    ],
)
def test_read_body_that_cannot_be_meant(body: bytes, kind: ProblemKind, pointer: str):
    with pytest.raises(Problem) as found:
        read_body(body, Body)
    assert (found.value.kind, found.value.faults[0].pointer) == (kind, pointer)


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
