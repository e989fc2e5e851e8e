"""The login page: Django's form, with attempts counted and passwords checked one at a time."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import REDIRECT_FIELD_NAME, alogin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from django.utils.http import url_has_allowed_host_and_scheme

from dashboard.login.gate import BUSY_SECONDS, attempts, checker, refusal_headers, refusal_page
from dashboard.login.passwords import Busy
from dashboard.rendering import way_back
from streams.logs import Sparingly

logger = logging.getLogger("sse.server")

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


# Returns what every page of the admin shows.
Shared = Callable[[], Awaitable[dict[str, Any]]]


async def login(request: HttpRequest, shared: Shared) -> HttpResponse:
    """Show the form, or sign an operator in."""
    if request.method == "POST":
        answer = await _sign_in(request, shared)
    else:
        answer = await _form_page(request, shared, OperatorForm(request))
    add_never_cache_headers(answer)
    return answer


async def _sign_in(request: HttpRequest, shared: Shared) -> HttpResponse:
    name, password = request.POST.get("username", "").strip(), request.POST.get("password", "")
    if not name or not password:
        return await _form_page(request, shared, OperatorForm(request, data=request.POST))
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
        return await _form_page(request, shared, form)
    await attempts.forgive(name, address)
    await alogin(request, user)
    logger.info("%s logged in", user.get_username(), extra={"fields": {"address": address}})
    return redirect(_wanted_page(request))


def _too_many(address: str, seconds: float) -> HttpResponse:
    if times := _refusals.due():
        logger.warning(
            "Login refused after too many attempts (times: %d)", times, extra={"fields": {"address": address}}
        )
    return _refused(seconds)


def _log_failure(user: Any, address: str) -> None:
    # What was typed is not logged: it may be a password in the wrong field.
    who = "a wrong name or password" if user is None else f"{user.get_username()}, who is no staff"
    logger.warning("Login failed: %s", who, extra={"fields": {"address": address}})


def _wanted_page(request: HttpRequest) -> str:
    wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    own = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if own else "dashboard:cluster"


async def _form_page(request: HttpRequest, shared: Shared, form: OperatorForm) -> HttpResponse:
    wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    context = {
        **await shared(),
        "form": form,
        "title": "Log in",
        "subtitle": None,
        "app_path": way_back(request),
        "username": request.user.get_username(),
        REDIRECT_FIELD_NAME: wanted,
    }
    return render(request, "admin/login.html", context)


def _refused(seconds: float) -> HttpResponse:
    return HttpResponse(refusal_page(seconds), status=HTTPStatus.TOO_MANY_REQUESTS, headers=refusal_headers(seconds))
