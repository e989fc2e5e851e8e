"""Tokens of back ends and operators, and an API in production that asks for them."""

from __future__ import annotations

import time
from typing import Any

import jwt

SECRET = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"


def bearer(secret: str = SECRET, **claims: Any) -> dict[str, str]:
    """Return the header with a token; `publish` and `admin` are rights."""
    rights = {name: claims.pop(name) for name in ("publish", "subscribe", "admin") if name in claims}
    said = {"sub": "shop", "exp": int(time.time()) + 3600, **claims, "sse": rights}
    return {"Authorization": f"Bearer {jwt.encode(said, secret, 'HS256')}"}
