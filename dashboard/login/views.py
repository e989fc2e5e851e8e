"""The login page: Django's form, with attempts counted and passwords checked one at a time."""

from __future__ import annotations

import functools
import logging
import math
from http import HTTPStatus
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import REDIRECT_FIELD_NAME, alogin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers
from django.utils.http import url_has_allowed_host_and_scheme

from dashboard.login.attempts import Attempts
from dashboard.login.passwords import Busy, PasswordChecker
from streams.logs import Sparingly

logger = logging.getLogger("sse.server")

# Attempts that may wait for their turn in a pod; a check takes a quarter of a second or so.
MAX_WAITING = 4
BUSY_SECONDS = 2

attempts = Attempts()
checker = PasswordChecker(MAX_WAITING)
_refusals = Sparingly()


class OperatorForm(AdminAuthenticationForm):
    """Django's form, for a user who was looked for already."""

    def __init__(self, request: HttpRequest, *args: Any, user: Any = None, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.user_cache = user

    def clean(self) -> dict[str, Any]:
        """Refuse a form whose name and password belong to nobody, or to no member of the staff."""
        if self.user_cache is None:
            raise self.get_invalid_login_error()
        self.confirm_login_allowed(self.user_cache)
        return self.cleaned_data


async def login(request: HttpRequest, shared: dict[str, Any]) -> HttpResponse:
    """Show the form, or sign an operator in; `shared` is what every page of the admin shows."""
    if request.method == "POST":
        answer = await _sign_in(request, shared)
    else:
        answer = _form_page(request, shared, OperatorForm(request))
    add_never_cache_headers(answer)
    return answer


async def _sign_in(request: HttpRequest, shared: dict[str, Any]) -> HttpResponse:
    name, password = request.POST.get("username", "").strip(), request.POST.get("password", "")
    if not name or not password:
        return _form_page(request, shared, OperatorForm(request, data=request.POST))
    address = request.META.get("REMOTE_ADDR", "")
    try:
        # Before the attempt is counted: who is sent away has tried nothing.
        with checker.place():
            if seconds := await attempts.take(name, address):
                return _too_many(address, seconds)
            user = await checker.check(name, password)
    except Busy:
        return _refused(BUSY_SECONDS)
    form = OperatorForm(request, data=request.POST, user=user)
    if not form.is_valid():
        _log_failure(user, address)
        return _form_page(request, shared, form)
    await attempts.forgive(name, address)
    await alogin(request, user)
    logger.info("%s logged in", user.get_username(), extra={"fields": {"address": address}})
    return redirect(_wanted_page(request))


def _too_many(address: str, seconds: float) -> HttpResponse:
    if times := _refusals.due():
        logger.warning(
            "Login refused after too many attempts (times: %d)", times, extra={"fields": {"address": address}}
        )
    return _refused(math.ceil(seconds))


def _log_failure(user: Any, address: str) -> None:
    # What was typed is not logged: it may be a password in the wrong field.
    who = "a wrong name or password" if user is None else f"{user.get_username()}, who is no staff"
    logger.warning("Login failed: %s", who, extra={"fields": {"address": address}})


def _wanted_page(request: HttpRequest) -> str:
    wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    own = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if own else "dashboard:pod"


def _form_page(request: HttpRequest, shared: dict[str, Any], form: OperatorForm) -> HttpResponse:
    wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    context = {
        **shared,
        "form": form,
        "title": "Log in",
        "subtitle": None,
        "app_path": request.get_full_path(),
        "username": request.user.get_username(),
        REDIRECT_FIELD_NAME: wanted,
    }
    return render(request, "admin/login.html", context)


def _refused(seconds: int) -> HttpResponse:
    headers = {"Retry-After": str(seconds)}
    minutes = math.ceil(seconds / 60) if seconds > BUSY_SECONDS else 0
    return HttpResponse(_refusal_page(minutes), status=HTTPStatus.TOO_MANY_REQUESTS, headers=headers)


@functools.cache
def _refusal_page(minutes: int) -> str:
    # Kept, since whoever tries fifty passwords a second is to cost as little as can be.
    return render_to_string("dashboard/login_refused.html", {"title": "Log in", "minutes": minutes})
