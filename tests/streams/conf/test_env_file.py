from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.conf.env_file import load_env_file, parse_env_file
from streams.errors import EnvFileError


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=value", "value"),
        ("NAME = value", "value"),
        ("  NAME\t=\tvalue  ", "value"),
        ("export NAME=value", "value"),
        ("NAME=value # a comment", "value"),
        ("NAME=value\t# a comment", "value"),
        ("NAME=value#1", "value#1"),
        ("NAME=redis://user:pass#word@host:6379/0", "redis://user:pass#word@host:6379/0"),
        ('NAME="value"', "value"),
        ("NAME='value'", "value"),
        ('NAME="a # b" # a comment', "a # b"),
        ("NAME='a # b'", "a # b"),
        ("NAME='$pass${word}'", "$pass${word}"),
        ("NAME=$pass", "$pass"),
        ("NAME=a b", "a b"),
        ("NAME==a=b", "=a=b"),
        ("NAME=", ""),
        ("NAME= # none", ""),
        ("NAME=''", ""),
        ("NAME=it's", "it's"),
        ("NAME=café", "café"),
    ],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_parse_env_file_reads_a_line_as_people_mean_it(line: str, value: str, end: str):
    assert parse_env_file(".env", f"# first\n\n{line}{end}") == {"NAME": value}


def test_parse_env_file_takes_lines_of_other_programs():
    assert parse_env_file(".env", "other.name=1\nother-name=2\n") == {"other.name": "1", "other-name": "2"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ENVIRONMENT:production", 1),
        ("ENVIRONMENT", 1),
        ("A=1\n\n\nENVIRONMENT production\nB=2", 4),
        ("A=1\n# a comment\n\nset ENVIRONMENT=production", 4),
        ("A=1\n'ENVIRONMENT=production", 2),
        ('A=1\r\n\r\nSECRET_KEY="a', 3),
        ("SECRET_KEY='a'b", 1),
        ("=production", 1),
        ("1A=production", 1),
        ('"ENVIRONMENT"=production', 1),
        ("\u200bENVIRONMENT=production", 1),
        ("A=\0", 1),
    ],
)
def test_parse_env_file_names_the_line_that_it_cannot_read(text: str, line: int):
    with pytest.raises(EnvFileError, match=rf"^Line {line} of \.env cannot be read: .*\.$") as refused:
        parse_env_file(".env", text)
    assert "production" not in str(refused.value), "a line may hold a secret"


@given(st.text())
def test_parse_env_file_reads_or_refuses_any_text(text: str):
    values: dict[str, str] = {}
    with contextlib.suppress(EnvFileError):
        values = parse_env_file(".env", text)
    # What no environment could take would be a traceback.
    assert not [name for name, value in values.items() if "\0" in name + value or "=" in name]


def test_load_env_file_adds_to_what_is_set(tmp_path: Path):
    path = tmp_path / ".env"
    path.write_text("A=1\nB=2\nB=3\n")
    environment = {"A": "0"}
    load_env_file(path, environment)
    assert environment == {"A": "0", "B": "3"}


def test_load_env_file_needs_no_file(tmp_path: Path):
    environment: dict[str, str] = {}
    load_env_file(tmp_path / ".env", environment)
    assert environment == {}


def test_load_env_file_reads_the_first_line_of_windows_editors(tmp_path: Path):
    path = tmp_path / ".env"
    path.write_bytes(b"\xef\xbb\xbfENVIRONMENT=production\r\n")
    environment: dict[str, str] = {}
    load_env_file(path, environment)
    assert environment == {"ENVIRONMENT": "production"}


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"A=1\nB=caf\xe9\n", 2), ("A=1\n".encode("utf-16"), 1), (b"\xff", 1)],
)
def test_load_env_file_refuses_what_is_not_utf_8(content: bytes, line: int, tmp_path: Path):
    path = tmp_path / ".env"
    path.write_bytes(content)
    with pytest.raises(EnvFileError, match=rf"^Line {line} of \.env cannot be read: save the file as UTF-8\.$"):
        load_env_file(path, {})


def test_load_env_file_refuses_what_is_no_file(tmp_path: Path):
    # Docker makes a folder where the file that it is to mount is missing.
    path = tmp_path / ".env"
    path.mkdir()
    with pytest.raises(EnvFileError, match=r"^\.env cannot be read: Is a directory\.$"):
        load_env_file(path, {})
