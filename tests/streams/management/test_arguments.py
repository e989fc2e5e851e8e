"""What the arguments of commands may be."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.management.arguments import (
    coming_time,
    duration,
    json_value,
    key_source,
    pattern,
    service_address,
    token_file,
    token_source,
    whole,
)


def refused(parse: Callable[[str], Any], text: str) -> str:
    with pytest.raises(argparse.ArgumentTypeError) as no:
        parse(text)
    return str(no.value)


def test_whole_numbers_have_bounds():
    assert whole(1, 5)("5") == 5
    assert "'6' is not a whole number from 1 to 5" in refused(whole(1, 5), "6")


def test_json_is_read():
    assert json_value("[1]") == [1]
    assert "not JSON" in refused(json_value, "[")


def test_a_time_is_to_come():
    assert coming_time("2100-01-01T00:00:00+01:00") == "2100-01-01T00:00:00+01:00"
    assert coming_time("4102444800000") == 4_102_444_800_000
    assert "is over" in refused(coming_time, "2020-01-01T00:00:00Z")


@pytest.mark.parametrize("text", ["tomorrow", "", "22:00", "4102444800", "-1"])
def test_a_time_is_iso_or_milliseconds(text: str):
    assert "is no ISO 8601 time" in refused(coming_time, text)


def test_a_time_has_its_zone():
    assert "has no zone" in refused(coming_time, "2100-01-01T00:00:00")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://shop.example.com/sse/", "https://shop.example.com/sse"),
        ("http://[::1]:3000/api/v1/", "http://[::1]:3000"),
    ],
)
def test_an_address_is_that_of_the_service(text: str, address: str):
    assert service_address(text).geturl() == address


@pytest.mark.parametrize(
    "text",
    ["localhost:3000", "ftp://a", "http://", "http://a:0", "http://a:99999", "http://a?b", "http://a#b", "http://a b"],
)
def test_what_is_no_address_is_refused(text: str):
    assert "is no address such as" in refused(service_address, text)


def test_an_address_holds_no_password():
    assert "secret" not in refused(service_address, "http://user:secret@a")


def test_a_token_is_read_from_its_file(tmp_path: Path):
    (tmp_path / "token").write_text("abc-123\n")
    assert token_file(str(tmp_path / "token")) == "abc-123"


@pytest.mark.parametrize("held", [b"", b"\n", b"one\ntwo", b"one two", "tökén".encode(), b"\xff"])
def test_a_file_that_holds_no_token_is_refused_and_not_shown(tmp_path: Path, held: bytes):
    path = tmp_path / "file"
    path.write_bytes(held)
    sentence = refused(token_file, str(path))
    assert str(path) in sentence
    assert "one" not in sentence.replace(str(path), "").replace("one line", "")


def test_a_token_is_read_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("abc-123\n"))
    assert token_source("-") == "abc-123"
    monkeypatch.setattr("sys.stdin", io.StringIO("one two"))
    assert refused(token_source, "-").startswith("standard input holds no token")
    (tmp_path / "token").write_text("def-456")
    assert token_source(str(tmp_path / "token")) == "def-456"


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path):
    assert "No such file or directory" in refused(token_file, str(tmp_path / "missing"))


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("8h", 28800), ("7d", 604800)])
def test_a_duration_has_its_unit(text: str, seconds: int):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["8", "8 h", "h", "-8h", "0s", "1.5h", "8H", "3661d", "9999999999s", ""])
def test_a_duration_is_ten_years_at_most(text: str):
    assert "is no time such as 90s" in refused(duration, text)


def test_a_key_is_no_argument():
    assert key_source("@-") == "-"
    assert key_source("@/etc/key.pem") == "/etc/key.pem"
    for text in ("hunter2", "@", "-"):
        assert refused(key_source, text).startswith("a key is no argument")


def test_a_pattern_is_that_of_a_token():
    assert pattern("STORE001-*") == "STORE001-*"
    assert "'**' is not a client name" in refused(pattern, "**")
