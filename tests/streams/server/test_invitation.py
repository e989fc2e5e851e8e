from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streams.conf import read_settings
from streams.server.invitation import invitation
from tests.support.pods import LOCKS_OFF

PYTHON = "/somewhere/.venv/bin/python"


@pytest.fixture(autouse=True)
def clone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", PYTHON)
    monkeypatch.setattr(Path, "cwd", lambda: Path("/somewhere"))


def test_invitation_says_what_to_open_and_what_to_type():
    assert list(invitation(read_settings({}), "127.0.0.1", 3000, "")) == [
        "Test client: http://127.0.0.1:3000/   dashboard: http://127.0.0.1:3000/admin   API: http://127.0.0.1:3000/api",
        "Try in another terminal: .venv/bin/python manage.py publish_event STORE001-LANE01 signature",
    ]


def test_invitation_names_the_redis_of_this_pod_and_no_password():
    _, typed = invitation(read_settings({"REDIS_PORT": "6380"}), "127.0.0.1", 3000, "")
    assert typed.endswith(": REDIS_PORT=6380 .venv/bin/python manage.py publish_event STORE001-LANE01 signature")
    lines = invitation(read_settings({"REDIS_URL": "redis://:secret@redis.example:6380"}), "127.0.0.1", 3000, "")
    assert "secret" not in " ".join(lines)


def test_invitation_names_a_python_elsewhere_in_full(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Path, "cwd", lambda: Path("/elsewhere"))
    _, typed = invitation(read_settings({}), "127.0.0.1", 3000, "")
    assert f": {PYTHON} manage.py" in typed


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://localhost:3000/"), ("::", "http://localhost:3000/"), ("::1", "http://[::1]:3000/")],
)
def test_invitation_names_an_address_that_can_be_opened(host: str, url: str):
    opened, _ = invitation(read_settings({}), host, 3000, "")
    assert opened.startswith(f"Test client: {url} ")


def test_invitation_is_below_the_root_path():
    opened, _ = invitation(read_settings({}), "127.0.0.1", 3000, "/sse")
    url = "http://127.0.0.1:3000/sse"
    assert opened == f"Test client: {url}/   dashboard: {url}/admin   API: {url}/api"


def test_invitation_names_no_api_where_there_is_none():
    opened, _ = invitation(read_settings({"HTTP_API": "off"}), "127.0.0.1", 3000, "")
    assert opened.endswith("/admin")


def test_invitation_is_for_development():
    assert list(invitation(read_settings({"ENVIRONMENT": "production", **LOCKS_OFF}), "127.0.0.1", 3000, "")) == []
