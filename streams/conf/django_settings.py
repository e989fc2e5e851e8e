"""The settings of Django beside those of the pod, declared in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from streams.conf import secrets
from streams.conf.variables import Database, Group, Names, Origins, Switch, read_fields
from streams.errors import ConfigurationError


class DjangoSettings(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """What Django was told at the start of a pod or of a command."""

    secret_key: Annotated[
        str,
        secrets.SECRET_KEY,
        Group("Django"),
        Meta(
            description="signs operators' sessions; required in production, the same on every pod: "
            '`python -c "import secrets; print(secrets.token_urlsafe(50))"` makes one'
        ),
    ] = ""
    debug: Annotated[Switch, Meta(description="Django's debug pages; refused in production")] = False
    secure_cookies: Annotated[
        Switch,
        Meta(
            description="operators' cookies go over TLS only; off where people open `/admin` over plain HTTP",
            extra={"default": "on in production, off in development", "example": ""},
        ),
    ] = False
    allowed_hosts: Annotated[
        Names,
        Meta(
            description="the hosts for which all paths are answered; "
            "the pod's own address, as probes send it, always is"
        ),
    ] = ("*",)
    csrf_trusted_origins: Annotated[
        Origins,
        Meta(description="where the dashboard's forms may be sent from when a proxy in front of the pods ends TLS"),
    ] = frozenset()
    database: Annotated[
        Database,
        Meta(
            description="holds the dashboard's users and nothing else",
            extra={"default": "`db.sqlite3` beside `manage.py`"},
        ),
    ] = msgspec.field(default_factory=dict, name="DATABASE_URL")


def read_django_settings(values: Mapping[str, str], *, production: bool) -> DjangoSettings:
    """Read what Django needs from environment variables; raise ConfigurationError as read_settings does."""
    given = read_fields(DjangoSettings, values)
    settings = DjangoSettings(**{"secure_cookies": production, **given})
    if not production:
        return settings
    secrets.require_strong("SECRET_KEY", secrets.SECRET_KEY, settings.secret_key, secrets.LEAST_KEY_LENGTH)
    if settings.debug:
        raise ConfigurationError("DEBUG", "on", "off when ENVIRONMENT is production")
    return settings
