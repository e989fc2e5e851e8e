from __future__ import annotations

import re
import secrets
from ipaddress import ip_address

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.conf import DjangoSettings, StreamSettings, read_django_settings, read_settings, redis_place
from streams.conf.variables import PLACEHOLDERS, Period, Port, Variable, declared
from streams.errors import ConfigurationError
from tests.support.pods import ROOT, documented_variables


def test_the_defaults_are_those_of_the_contract():
    conf = read_settings({})
    assert (conf.port, conf.pod_name, conf.environment) == (3000, "local-pod", "development")
    assert (conf.redis_url, conf.redis_channel) == ("redis://localhost:6379", "events-to-store")
    assert (conf.redis_host, conf.redis_port, conf.redis_is_default) == ("localhost", 6379, True)
    assert (conf.log_level, conf.log_format) == ("info", "text")
    assert (conf.heartbeat_seconds, conf.dead_after_seconds) == (30, 15)
    assert conf.max_event_bytes == 256 * 1024
    assert conf.cors_allowed_origins == {"*"}
    assert not conf.production


def test_an_empty_variable_counts_as_not_set():
    assert read_settings(dict.fromkeys(documented_variables(), "")) == read_settings({})
    assert read_settings(dict.fromkeys(documented_variables(), "  ")) == read_settings({})


def test_in_production_no_other_origin_may_read_unless_it_is_listed():
    assert read_settings({"ENVIRONMENT": "production"}).cors_allowed_origins == frozenset()
    conf = read_settings({"ENVIRONMENT": "Production", "CORS_ALLOWED_ORIGINS": "https://a.example, https://b.example/"})
    assert conf.production
    assert conf.cors_allowed_origins == {"https://a.example", "https://b.example"}


@pytest.mark.parametrize(
    ("values", "url", "host", "port"),
    [
        ({"REDIS_HOST": "redis"}, "redis://redis:6379", "redis", 6379),
        ({"REDIS_PORT": "7000"}, "redis://localhost:7000", "localhost", 7000),
        ({"REDIS_HOST": "::1", "REDIS_PORT": "7000"}, "redis://[::1]:7000", "::1", 7000),
        ({"REDIS_URL": "redis://a:1", "REDIS_HOST": "b", "REDIS_PORT": "2"}, "redis://a:1", "a", 1),
        ({"REDIS_URL": "rediss://user:secret@a:1/5"}, "rediss://user:secret@a:1/5", "a", 1),
        ({"REDIS_URL": "redis://a"}, "redis://a", "a", 6379),
        ({"REDIS_URL": "unix:///run/redis.sock"}, "unix:///run/redis.sock", "/run/redis.sock", 0),
    ],
)
def test_where_redis_is(values: dict[str, str], url: str, host: str, port: int):
    conf = read_settings(values)
    assert (conf.redis_url, conf.redis_host, conf.redis_port) == (url, host, port)
    assert conf.redis_is_default is not ({"REDIS_URL", "REDIS_HOST"} & values.keys() != set())


UNUSABLE = [
    ("PORT", "0", "1 to 65535"),
    ("PORT", "65536", "1 to 65535"),
    ("PORT", "-1", "1 to 65535"),
    ("PORT", "3000.0", "1 to 65535"),
    ("PORT", "http", "1 to 65535"),
    ("PORT", "+3000", "1 to 65535"),
    ("PORT", "3_000", "1 to 65535"),
    ("REDIS_PORT", "x", "1 to 65535"),
    ("REDIS_HOST", "redis://host", "host name"),
    ("REDIS_HOST", "user@host", "host name"),
    ("REDIS_HOST", "host:6379", "host name"),
    ("REDIS_HOST", "[host", "host name"),
    ("REDIS_HOST", "host#1", "host name"),
    ("REDIS_URL", "http://host", "redis://"),
    ("REDIS_URL", "host:6379", "redis://"),
    ("REDIS_URL", "redis:host", "redis://"),
    ("REDIS_URL", "REDIS://host", "redis://"),
    ("REDIS_URL", "redis://host:0", "redis://"),
    ("REDIS_URL", "unix://", "redis://"),
    ("REDIS_URL", "redis://host:99999", "redis://"),
    ("REDIS_URL", "redis://host:port", "redis://"),
    ("REDIS_URL", "redis://[::1", "redis://"),
    ("REDIS_CHANNEL", "a\nb", "printable"),
    ("POD_NAME", "a\nb", "printable"),
    ("POD_NAME", "x" * 254, "253"),
    ("ENVIRONMENT", "staging", "development, production"),
    ("LOG_LEVEL", "loud", "debug, info"),
    ("LOG_FORMAT", "xml", "text, json"),
    ("HEARTBEAT_SECONDS", "0", "seconds"),
    ("HEARTBEAT_SECONDS", "nan", "seconds"),
    ("HEARTBEAT_SECONDS", "inf", "seconds"),
    ("HEARTBEAT_SECONDS", "-30", "seconds"),
    ("HEARTBEAT_SECONDS", "30s", "seconds"),
    ("MAX_CONNECTIONS", "-1", "whole number"),
    ("MAX_CONNECTIONS", "many", "whole number"),
    ("MAX_EVENT_BYTES", "256K", "whole number"),
    ("CORS_ALLOWED_ORIGINS", "shop.example", "origins"),
    ("CORS_ALLOWED_ORIGINS", "https://a.example/path", "origins"),
    ("CORS_ALLOWED_ORIGINS", "https://", "origins"),
    ("CORS_ALLOWED_ORIGINS", "https://[", "origins"),
    ("DURABLE_LOG", "maybe", "on"),
    ("TRUSTED_PROXIES", "nginx", "networks"),
    ("TRUSTED_PROXIES", "10.0.0.1/8", "networks"),
    ("TRUSTED_PROXIES", "10.0.0.0/33", "networks"),
    ("TRUSTED_PROXIES", "*", "networks"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), UNUSABLE)
def test_a_value_that_cannot_be_used_is_refused_in_one_line(name: str, value: str, allowed: str):
    with pytest.raises(ConfigurationError) as refused:
        read_settings({name: value})
    sentence = str(refused.value)
    assert refused.value.variable == name
    assert sentence.startswith(name)
    assert allowed in sentence
    assert "\n" not in sentence
    if name != "REDIS_URL":
        assert repr(value) in sentence, "it says what the variable holds"


def test_a_refused_redis_url_does_not_show_its_password():
    with pytest.raises(ConfigurationError) as refused:
        read_settings({"REDIS_URL": "redis://user:secret@host:99999"})
    assert "secret" not in str(refused.value)


def test_the_place_of_redis_is_without_its_password():
    assert redis_place("redis://user:secret@host:6379/0") == "Redis on host:6379"
    assert redis_place("unix://user:secret@/run/redis.sock") == "Redis on /run/redis.sock"


def test_redis_url_wins_and_nothing_is_asked_of_host_and_port():
    """Kubernetes sets REDIS_PORT=tcp://… in every pod beside a Service that is named redis."""
    conf = read_settings({"REDIS_URL": "redis://a", "REDIS_HOST": "no/host", "REDIS_PORT": "tcp://10.0.0.1:6379"})
    assert conf.redis_url == "redis://a"


def test_trusted_proxies_are_addresses_and_networks():
    proxies = read_settings({"TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1,fd00::/8"}).trusted_proxies
    inside = map(ip_address, ("10.255.0.1", "192.0.2.1", "fd00::1"))
    outside = map(ip_address, ("11.0.0.1", "192.0.2.2", "fe80::1"))
    assert all(address in proxies for address in inside)
    assert not any(address in proxies for address in outside)
    assert "10.0.0.1" not in proxies, "text is no address"
    assert not read_settings({}).trusted_proxies


def test_a_copy_with_another_redis_url_is_at_that_one():
    conf = msgspec.structs.replace(read_settings({"REDIS_HOST": "redis"}), redis_url="redis://other:7000")
    assert (conf.redis_url, conf.redis_host, conf.redis_port) == ("redis://other:7000", "other", 7000)


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


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("PORT", "0080", 80), ("DRAIN_SECONDS", ".5", 0.5), ("DRAIN_SECONDS", "1e1", 10), ("LOG_LEVEL", "DEBUG", "debug")],
)
def test_read_settings_takes_what_python_takes(name: str, text: str, value: object):
    assert getattr(read_settings({name: text}), name.lower()) == value


def test_switch_takes_three_words_for_each():
    assert all(read_settings({"DURABLE_LOG": word}).durable_log for word in ("ON", "true", "1"))
    assert not any(read_settings({"DURABLE_LOG": word}).durable_log for word in ("Off", "FALSE", "0"))


def test_number_of_thousands_of_digits_is_refused():
    with pytest.raises(ConfigurationError, match="PORT is '999"):
        read_settings({"PORT": "9" * 5000})


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


def test_django_settings_default_to_those_of_development():
    assert read_django_settings({}, production=False) == DjangoSettings()
    assert DjangoSettings().allowed_hosts == ("*",)


# The same in every process: it is in the names of tests.
STRONG = "pHmjQ959MUmBZPGYqcLO8xj-30YELIXw2n7Rk4TtVd6sCa1uGeJbQ0yFz8"
PRODUCTION = {"ENVIRONMENT": "production", "SECRET_KEY": STRONG}


def read_all(values: dict[str, str]) -> DjangoSettings:
    conf = read_settings(values)
    return read_django_settings(values, production=conf.production)


def test_production_takes_secrets_that_are_none_of_the_examples():
    values = {
        **PRODUCTION,
        "ADMIN_TOKEN": secrets.token_urlsafe(12),
        "DJANGO_SUPERUSER_PASSWORD": "four words of its own",
    }
    assert read_all(values).secret_key == STRONG


@pytest.mark.parametrize(
    ("variable", "held"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "replace-me"),
        ("SECRET_KEY", STRONG[:31]),
        ("SECRET_KEY", "x" * 50),
        ("SECRET_KEY", "django-insecure-" + STRONG),
        ("SECRET_KEY", "please-replace-me-please-replace-me"),
        ("ADMIN_TOKEN", "x-1"),
        ("ADMIN_TOKEN", "replace-me"),
        ("ADMIN_TOKEN", STRONG[:15]),
        ("DJANGO_SUPERUSER_PASSWORD", "admin"),
        ("DJANGO_SUPERUSER_PASSWORD", "changeme"),
        ("DJANGO_SUPERUSER_PASSWORD", "short"),
        ("REDIS_URL", "rediss://user:replace-me@redis.example:6379/0"),
    ],
)
def test_production_refuses_placeholders_and_short_secrets(variable: str, held: str):
    with pytest.raises(ConfigurationError, match=f"^{variable} is ") as refused:
        read_all({**PRODUCTION, variable: held})
    assert len(str(refused.value).splitlines()) == 1
    if held not in PLACEHOLDERS:
        assert not held or held not in str(refused.value), "what may be half of a secret stands in no log"


@pytest.mark.parametrize("variable", ["SECRET_KEY", "ADMIN_TOKEN", "DJANGO_SUPERUSER_PASSWORD"])
def test_development_takes_any_secret(variable: str):
    read_all({variable: "replace-me"})


def test_production_refuses_debug_pages():
    with pytest.raises(ConfigurationError, match=r"^DEBUG is 'on', but it must be off"):
        read_all({**PRODUCTION, "DEBUG": "on"})


def test_every_secret_of_the_shipped_examples_is_refused():
    """Whoever deploys the example as it is must learn so at the start."""
    example = (ROOT / "deploy/k8s/base/secret.example.yaml").read_text()
    examples = dict(re.findall(r"(?m)^  ([A-Z_]+): (\S+)$", example))
    named = {"SECRET_KEY", "ADMIN_TOKEN", "REDIS_URL", "DJANGO_SUPERUSER_PASSWORD"}
    assert named <= examples.keys()
    for variable in named:
        with pytest.raises(ConfigurationError, match=f"^{variable} is "):
            read_all({**PRODUCTION, variable: examples[variable]})


def test_cookies_are_for_tls_in_production_unless_somebody_says_otherwise():
    assert read_all(PRODUCTION).secure_cookies
    assert not read_all({**PRODUCTION, "SECURE_COOKIES": "off"}).secure_cookies
    assert not read_all({}).secure_cookies


def test_django_settings_hold_the_database_as_django_wants_it():
    settings = read_django_settings({"DATABASE_URL": "postgres://user:secret@db:5432/sse"}, production=False)
    assert settings.database["ENGINE"].endswith("postgresql")
    assert (settings.database["HOST"], settings.database["PORT"]) == ("db", 5432)


PIECES = (
    *("redis", "rediss", "unix", "sqlite", "postgres", "oracle", "ldap", "https", "host", "user", "on", "text", "nan"),
    *("://", "/", ":", "@", "?", "#", "[", "]", "::1", "%", ",", "*", "=", "&", "conn_max_age", " ", "\n", "\udcff"),
    *("0", "1", "6379", "99999", "9" * 5000, ".", "e", "-", "+", "_", "²", "٣"),
)
# Whatever an environment can hold, bytes that are no UTF-8 among it, and what is nearly usable.
TEXTS = st.text(st.characters(exclude_characters="\0")) | st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


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
    error = refusal({variable.name: text})
    if error is not None:
        sentence = str(error)
        assert error.variable == variable.name
        assert sentence.startswith(f"{variable.name} is ")
        assert sentence.endswith(f", but it must be {variable.form.allowed}.")
        assert len(sentence.splitlines()) == 1


def test_settings_are_frozen():
    conf = read_settings({})
    with pytest.raises(AttributeError, match="immutable"):
        conf.port = 1  # type: ignore[misc]
