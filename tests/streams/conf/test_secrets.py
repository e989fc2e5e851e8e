"""Which secrets a pod takes in production, and which it refuses."""

from __future__ import annotations

import re
import secrets

import pytest

from streams.conf import read_settings
from streams.conf.django_settings import DjangoSettings, read_django_settings
from streams.conf.variables import PLACEHOLDERS
from streams.errors import ConfigurationError
from tests.support.pods import LOCKS_OFF, ROOT

# The same in every process: it is in the names of tests.
STRONG = "pHmjQ959MUmBZPGYqcLO8xj-30YELIXw2n7Rk4TtVd6sCa1uGeJbQ0yFz8"
PRODUCTION = {"ENVIRONMENT": "production", "SECRET_KEY": STRONG, **LOCKS_OFF}


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
