"""What the tests of all paths expect: names that keep the rule and names that break it, times, errors."""

from __future__ import annotations

from typing import Any

from tests.support.http import Answer

GOOD_NAMES = ["a", "0", "STORE001-LANE01", "a.b_c:d-e", "Z" * 128]
BAD_NAMES = [
    "-a",
    ".a",
    "_a",
    ":a",
    "a b",
    " a",
    "a/b",
    "a%b",
    "é",
    "a\r\nX-Injected: yes",
    "a\0",
    "a\n",
    "Z" * 129,
    "日本",
]


def assert_error(answer: Answer, status: int, *words: str) -> Any:
    assert answer.status == status, answer
    error = answer.json()
    assert isinstance(error["error"], str)
    assert error["error"].endswith("."), "an error is a sentence"
    for word in words:
        assert word in error["error"]
    assert b"Traceback" not in answer.body
    assert b"<" not in answer.body, "never HTML from an API path"
    return error
