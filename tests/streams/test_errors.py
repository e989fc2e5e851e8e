from __future__ import annotations

import inspect
import re

import pytest

from streams import errors
from streams.errors import CloseReason, ConfigurationError, EnvFileError, PublishUnknown, RedisUnavailable, StreamError

CLASSES = [item for _, item in inspect.getmembers(errors, inspect.isclass) if issubclass(item, Exception)]


@pytest.mark.parametrize("error", CLASSES)
def test_there_is_one_tree_and_the_docstring_draws_it(error: type[Exception]):
    assert issubclass(error, StreamError)
    assert error.__name__ in (errors.__doc__ or "")


def test_a_configuration_error_names_variable_value_and_what_is_allowed():
    error = ConfigurationError("PORT", "x", "a number")
    assert error.variable == "PORT"
    assert str(error) == "PORT is 'x', but it must be a number."


def test_an_env_file_error_is_its_sentence_and_names_no_variable():
    error = EnvFileError("Line 3 of .env is no assignment.")
    assert (str(error), error.variable) == ("Line 3 of .env is no assignment.", "")


def test_close_reasons_are_words_for_logs_metrics_and_pages():
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", str(reason)) for reason in CloseReason)
    assert f"{CloseReason.EVICTED}" == "evicted"
    assert CloseReason("evicted") is CloseReason.EVICTED


@pytest.mark.parametrize("reason", CloseReason)
def test_close_reason_says_what_happened_in_one_sentence(reason: CloseReason):
    assert re.fullmatch(r"[A-Z][^.\n|]+\.", reason.sentence)


def test_publish_unknown_has_what_another_try_needs():
    error = PublishUnknown("no answer", "evt-1", "2026-01-05T12:00:00.000Z")
    assert (str(error), error.event_id, error.timestamp) == ("no answer", "evt-1", "2026-01-05T12:00:00.000Z")
    assert isinstance(error, RedisUnavailable), "who caught that before catches this too"
