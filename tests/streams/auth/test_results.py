from __future__ import annotations

from streams.auth.results import BadToken, Result
from streams.errors import StreamError


def test_results_are_the_labels_of_the_metric():
    assert [*Result] == ["ok", "none", "invalid", "expired", "scope", "revoked"]


def test_bad_token_says_how_it_was_decided_and_why():
    bad = BadToken(Result.EXPIRED, "The token has expired.")
    assert isinstance(bad, StreamError)
    assert (bad.result, bad.sentence, str(bad)) == (Result.EXPIRED, "The token has expired.", bad.sentence)
