"""What a secret must be in production, where a guess opens the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from streams.conf.variables import PLACEHOLDERS, Form, is_strong
from streams.errors import ConfigurationError

LEAST_KEY_LENGTH = 32
LEAST_TOKEN_LENGTH = 16
LEAST_PASSWORD_LENGTH = 12
SECRET_KEY = Form("secret", f"{LEAST_KEY_LENGTH} or more random characters when ENVIRONMENT is production")
ADMIN_TOKEN = Form("secret", f"{LEAST_TOKEN_LENGTH} or more random characters when ENVIRONMENT is production")
PASSWORD = Form("secret", f"{LEAST_PASSWORD_LENGTH} or more characters, and no placeholder, in production")


def check(admin_token: str, redis_url: str, values: Mapping[str, str]) -> None:
    """Raise ConfigurationError for a secret of a pod that somebody could guess."""
    if admin_token:
        require_strong("ADMIN_TOKEN", ADMIN_TOKEN, admin_token, LEAST_TOKEN_LENGTH)
    # No setting of a pod: `createsuperuser --noinput` reads it, and its own validators do not.
    password = values.get("DJANGO_SUPERUSER_PASSWORD", "")
    if password:
        require_strong("DJANGO_SUPERUSER_PASSWORD", PASSWORD, password, LEAST_PASSWORD_LENGTH)
    if urlsplit(redis_url).password in PLACEHOLDERS:
        raise ConfigurationError("REDIS_URL", "…", "with a password of its own instead of a placeholder")


def require_strong(variable: str, form: Form, secret: str, least_length: int) -> None:
    """Raise ConfigurationError for a secret that is short, or a placeholder."""
    if not is_strong(secret, least_length):
        raise ConfigurationError(variable, form.shown(secret), form.allowed)
