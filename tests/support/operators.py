"""Operators for tests: a person's cookies, and the databases that pods have of their own."""

from __future__ import annotations

import re
import shutil
from http.client import HTTPConnection, HTTPResponse
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.support.http import HOST, PATIENCE_SECONDS
from tests.support.leaks.watch import watch
from tests.support.pods import PRODUCTION, environment, run_manage

NAME, PASSWORD = "operator", "correct horse battery staple"


class Page(NamedTuple):
    """An answer as a browser takes it."""

    status: int
    location: str
    text: str
    headers: Any


class Operator:
    """One person with a browser, which sends its cookies wherever it goes."""

    def __init__(self, cookies: dict[str, str] | None = None) -> None:
        self.cookies = dict(cookies or {})

    def ask(self, port: int, target: str, form: dict[str, str] | None = None, source: str = HOST) -> Page:
        """Ask for a page, or send a form with the token of the page that holds it."""
        headers = {
            "Accept": "text/html",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        watch.secrets.add_request(headers)
        connection = HTTPConnection(HOST, port, timeout=PATIENCE_SECONDS, source_address=(source, 0))
        try:
            connection.request("GET" if form is None else "POST", target, urlencode(form) if form else None, headers)
            response = connection.getresponse()
            self._keep_cookies(response)
            text = response.read().decode()
            watch.search_head(str(response.headers).encode())
            watch.search_body(text.encode())
        finally:
            connection.close()
        return Page(response.status, response.headers.get("Location", ""), text, response.headers)

    def send_password(self, port: int, token: str, password: str, name: str = NAME, source: str = HOST) -> Page:
        """Send the login form, with a token that was there already."""
        form = {"csrfmiddlewaretoken": token, "username": name, "password": password, "next": "/admin"}
        return self.ask(port, "/admin/login/?next=/admin", form, source)

    def token(self, port: int, target: str = "/admin/login/") -> str:
        """Return the token that a form of a page has to bring back."""
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.ask(port, target).text)
        assert found, f"{target} has no form"
        return found[1]

    def try_password(self, port: int, password: str, name: str = NAME, source: str = HOST) -> Page:
        """Load the login form, fill it in and send it."""
        return self.send_password(port, self.token(port), password, name, source)

    def log_in(self, port: int) -> None:
        page = self.try_password(port, PASSWORD)
        assert (page.status, page.location) == (302, "/admin"), page.text

    def log_out(self, port: int) -> Page:
        page = self.ask(port, "/admin/logout/", {"csrfmiddlewaretoken": self.token(port, "/admin")})
        assert page.status == 200
        return page

    def _keep_cookies(self, response: HTTPResponse) -> None:
        for line in response.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


def make_databases(directory: Path, count: int) -> list[str]:
    """Give each pod a database of its own, as in Kubernetes; each was told the same name and password.

    The user's row has another number in each.
    """
    empty = directory / "empty.sqlite3"
    assert run_manage("migrate", env=environment(DATABASE_URL=f"sqlite:///{empty}")).returncode == 0
    urls = []
    for number in range(count):
        path = directory / f"pod-{number}.sqlite3"
        shutil.copy(empty, path)
        urls.append(f"sqlite:///{path}")
        for name in [*(f"other-{each}" for each in range(number)), NAME]:
            created = run_manage(
                *("createsuperuser", "--noinput", "--username", name, "--email", f"{name}@shop.example"),
                env=environment(**PRODUCTION, DATABASE_URL=urls[-1], DJANGO_SUPERUSER_PASSWORD=PASSWORD),
            )
            assert created.returncode == 0, created.stderr
    return urls
