"""The answers of Django's own error pages; the JSON paths are asked on a real pod."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from django.urls import get_resolver

import sseproject.urls


def error_handler(status: int) -> Any:
    return get_resolver(sseproject.urls.__name__).resolve_error_handler(status)


def test_bad_request_is_json_and_called_as_django_does():
    response = error_handler(400)(HttpRequest(), exception=ValueError("secret"))
    assert (response.status_code, response["Content-Type"]) == (400, "application/json")
    assert json.loads(response.content)["success"] is False
    assert b"secret" not in response.content


def test_server_error_is_json_and_called_as_django_does():
    response = error_handler(500)(HttpRequest())
    assert (response.status_code, response["Content-Type"]) == (500, "application/json")
    assert json.loads(response.content)["success"] is False
