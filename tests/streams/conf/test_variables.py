"""The variables as they are declared: their forms in words, and any text that one may hold."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.conf import StreamSettings, read_settings, redis_place
from streams.conf.django_settings import DjangoSettings, read_django_settings
from streams.conf.variables import Period, Port, Variable, declared
from streams.errors import ConfigurationError
from tests.support.pods import ROOT

DECLARED = [*declared(StreamSettings), *declared(DjangoSettings)]
BY_NAME = {variable.name: variable for variable in DECLARED}


def test_declared_names_each_variable_once():
    assert len(BY_NAME) == len(DECLARED) > 30


def test_declared_leaves_out_what_is_no_variable():
    assert {field.name for field in msgspec.structs.fields(StreamSettings)} - {
        variable.field for variable in DECLARED
    } == {"redis_is_default"}


@pytest.mark.parametrize("settings", [StreamSettings, DjangoSettings])
def test_every_setting_has_an_effect(settings: type[msgspec.Struct]):
    paths = [path for package in ("streams", "dashboard", "sseproject") for path in (ROOT / package).rglob("*.py")]
    code = "\n".join(path.read_text() for path in paths)
    assert not [field.name for field in msgspec.structs.fields(settings) if not re.search(rf"\.{field.name}\b", code)]


@pytest.mark.parametrize("variable", DECLARED, ids=lambda variable: variable.name)
def test_declared_says_all_that_the_reference_needs(variable: Variable):
    assert variable.sentence
    assert variable.form.unit
    assert variable.form.allowed
    assert not re.search(r"\n|\|", variable.sentence + variable.form.allowed), "it stands in a row of a table"


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("PORT", "a whole number from 1 to 65535"),
        ("MAX_STREAM_SECONDS", "a number of seconds from 0 to 2592000"),
        ("LOG_FORMAT", "one of text, json"),
        ("DEBUG", "one of on, off, true, false, 1, 0"),
        ("POD_NAME", "1 to 253 printable characters"),
    ],
)
def test_form_is_said_in_words(name: str, allowed: str):
    assert BY_NAME[name].form.allowed == allowed


def test_switch_takes_three_words_for_each():
    assert all(read_settings({"DURABLE_LOG": word}).durable_log for word in ("ON", "true", "1"))
    assert not any(read_settings({"DURABLE_LOG": word}).durable_log for word in ("Off", "FALSE", "0"))


def test_number_of_thousands_of_digits_is_refused():
    with pytest.raises(ConfigurationError, match="PORT is '999"):
        read_settings({"PORT": "9" * 5000})


@pytest.mark.parametrize("text", ["", "X Forwarded", "x_user", "X-User:", "Cookie", "x-forwarded-for", "HOST", "ü"])
def test_header_that_cannot_name_an_operator(text: str):
    assert (refusal({"TRUSTED_USER_HEADER": text}) is None) is (text == "")


def test_header_is_kept_as_it_was_written():
    assert read_settings({"TRUSTED_USER_HEADER": "X-Forwarded-User"}).trusted_user_header == "X-Forwarded-User"


@pytest.mark.parametrize("name", ["REDIS_URL", "DATABASE_URL"])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nonsense", "nonsense"),
        ("host:6379", "host:6379"),
        ("scheme://user:secret@host:99999", "scheme://…"),
        ("user:secret@host", "…"),
        ("scheme:secret", "…"),
    ],
)
def test_shown_never_holds_a_password(name: str, text: str, shown: str):
    assert BY_NAME[name].form.shown(text) == shown
    with pytest.raises(ConfigurationError, match=f"{name} is '{shown}'"):
        BY_NAME[name].read(text)


PIECES = (
    *("redis", "rediss", "unix", "sqlite", "postgres", "oracle", "ldap", "https", "host", "user", "on", "text", "nan"),
    *("://", "/", ":", "@", "?", "#", "[", "]", "::1", "%", ",", "*", "=", "&", "conn_max_age", " ", "\n", "\udcff"),
    *("0", "1", "6379", "99999", "9" * 5000, ".", "e", "-", "+", "_", "²", "٣"),
)

# Whatever an environment can hold, bytes that are no UTF-8 among it, and what is nearly usable.
TEXTS = st.text(st.characters(exclude_characters="\0")) | st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


# What some settings need beside them.
NEEDED = {"TOKEN_SECRET": "only-for-tests-0123456789-abcdefghijk", "TOKEN_ISSUER": "a", "TRUSTED_PROXIES": "10.0.0.1"}


def refusal(values: dict[str, str]) -> ConfigurationError | None:
    """Read everything, and return what the person who set the variables is told."""
    try:
        conf = read_settings(values)
        read_django_settings(values, production=False)
    except ConfigurationError as error:
        return error
    # What was taken can be worked with.
    assert redis_place(conf.redis_url)
    assert conf.redis_host
    assert 0 <= conf.redis_port <= 65535
    assert msgspec.convert(conf.port, Port) == conf.port
    assert msgspec.convert(conf.heartbeat_seconds, Period) == conf.heartbeat_seconds
    return None


# A host in the URL of an SQLite file is ignored with a warning.
@pytest.mark.filterwarnings("ignore:SQLite URL contains host component")
@pytest.mark.parametrize("variable", DECLARED, ids=lambda variable: variable.name)
@given(text=TEXTS)
def test_any_text_is_used_or_refused_in_one_line_that_names_the_variable(variable: Variable, text: str):
    error = refusal({**NEEDED, variable.name: text})
    if error is not None:
        sentence = str(error)
        assert error.variable == variable.name
        assert sentence.startswith(f"{variable.name} is ")
        assert sentence.endswith(f", but it must be {variable.form.allowed}.")
        assert len(sentence.splitlines()) == 1
