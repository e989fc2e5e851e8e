"""Tokens, cookies, passwords and keys: known by their form, or because somebody was given them."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

# A part that is shorter may be a word of any sentence.
LEAST_PART = 10
SHOWN = 6
WORD_CHARACTERS = f"{string.ascii_letters}{string.digits}_-".encode()
APART = bytes(code if code in WORD_CHARACTERS else ord(" ") for code in range(256))
# Each begins with letters of its own, which is found far quicker than what any of several begin with.
FORMS = {
    # Cut off in its middle it is one too.
    "a JWT": re.compile(rb"ey[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"),
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a password": re.compile(rb"://[\w.%-]*:(?P<held>[^\s/@:\"'<>]+)@"),
}
# What stands for a secret in examples and in what is told of an address.
STAND_INS = re.compile(rb"\W*|password|PASSWORD")
# A form gives its token to the page that is to send it back, and a cookie to whoever is to bring it.
FIELD = re.compile(rb"name=\"csrfmiddlewaretoken\" value=\"([^\"]+)\"")
SET_COOKIE = re.compile(rb"(?im)^set-cookie: *[^=;\r\n]+=\"?([^;\r\n\"]*)")
# Settings that are secrets as they stand, and addresses that may hold a password.
SECRETS = ("SECRET_KEY", "ADMIN_TOKEN", "TOKEN_SECRET", "DJANGO_SUPERUSER_PASSWORD")
ADDRESSES = ("REDIS_URL", "DATABASE_URL", "TOKEN_JWKS_URL")


class Secrets:
    """All that is known to be secret, in parts without a sign between them."""

    def __init__(self) -> None:
        self._parts: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, secret: str | bytes) -> None:
        """Know a secret, by those of its parts that are long enough to be nothing else."""
        self._parts.update(part for part in _parts(_bytes(secret)) if len(part) >= LEAST_PART)

    def add_environment(self, environment: Mapping[str, str]) -> None:
        """Know what a program is given."""
        for name in SECRETS:
            self.add(environment.get(name, ""))
        for name in ADDRESSES:
            self.add(unquote(password_of(environment.get(name, ""))))

    def add_request(self, headers: Mapping[str, str]) -> None:
        """Know what a request brings to say who asks."""
        for name, value in headers.items():
            if name.lower() == "authorization":
                self.add(value.partition(" ")[2])
            elif name.lower() == "cookie":
                for cookie in value.split(";"):
                    self.add(cookie.partition("=")[2])

    def without_cookies(self, head: bytes) -> bytes:
        """Know the cookies that a head gives out, and return it without them."""
        return self._without(SET_COOKIE, head)

    def without_fields(self, page: bytes) -> bytes:
        """Know the tokens of the forms of a page, and return it without them."""
        return self._without(FIELD, page)

    def _without(self, form: re.Pattern[bytes], text: bytes) -> bytes:
        for given in form.findall(text):
            self.add(given)
        return form.sub(b"", text)

    def found_in(self, text: str | bytes) -> list[str]:
        """Say of each secret in a text what it is, and how it begins."""
        data = _bytes(text)
        found = [said(kind, held) for kind, form in FORMS.items() for held in _held(form, data)]
        found += [said("what was given to somebody", part) for part in self._parts.intersection(_parts(data))]
        return list(dict.fromkeys(found))


def said(kind: str, secret: bytes) -> str:
    return f"{kind}, {secret[:SHOWN].decode(errors='replace')}… of {len(secret)} bytes"


def password_of(address: str) -> str:
    try:
        return urlsplit(address).password or ""
    except ValueError:
        return ""


def _held(form: re.Pattern[bytes], data: bytes) -> Iterable[bytes]:
    for match in form.finditer(data):
        held = match.groupdict().get("held", match[0])
        if not STAND_INS.fullmatch(held):
            yield held


def _parts(data: bytes) -> list[bytes]:
    return data.translate(APART).split()


def _bytes(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode(errors="surrogateescape")
