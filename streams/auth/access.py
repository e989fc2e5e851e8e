"""Who may look at the paths under /admin: anybody in development, operators in production."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.http import HttpRequest

from streams.conf import StreamSettings

SCHEME = "bearer "


async def may_look(request: HttpRequest) -> bool:
    """Say whether a request comes from a staff user, or from a script that holds ADMIN_TOKEN."""
    conf: StreamSettings = settings.STREAMS
    if not conf.production or has_token(request.headers.get("Authorization", ""), conf.admin_token):
        return True
    user = await request.auser()
    return user.is_active and user.is_staff


def has_token(authorization: str, admin_token: str) -> bool:
    """Say whether an Authorization header holds the token, in the same time wherever they differ."""
    if not admin_token or authorization[: len(SCHEME)].lower() != SCHEME:
        return False
    return secrets.compare_digest(authorization[len(SCHEME) :].strip().encode(), admin_token.encode())
