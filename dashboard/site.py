"""Django's admin site as the operators' login; its front page is the dashboard."""

from __future__ import annotations

import functools
from http import HTTPStatus
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from streams import VERSION


class OperatorSite(AdminSite):
    """Login, logout, password and users, in the manner of every Django project."""

    site_header = "SSE Redis Service"
    site_title = "SSE Redis Service"
    site_url = None
    enable_nav_sidebar = False
    # What no page here serves is answered in JSON, like every unknown path.
    final_catch_all_view = False

    def index(self, _request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override] # noqa: ARG002
        """Lead to the dashboard."""
        return redirect("dashboard:cluster")

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return what every page of the admin shows; strangers at the login are told no version."""
        version = VERSION if request.user.is_authenticated else ""
        return {**super().each_context(request), "version": version}

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Let a user change his own password, and write down that he did."""
        # As below.
        from dashboard.rendering import note_by_user

        answer = super().password_change(request, extra_context)
        if request.method == "POST" and answer.status_code == HTTPStatus.FOUND:
            note_by_user(request, "changed the own password")
        return answer

    async def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override]
        """Sign an operator in; who is signed in already is led to the dashboard."""
        # It needs the users, which are not there yet when this module is loaded.
        from dashboard.login import views

        request.current_app = self.name
        request.user = await request.auser()
        if request.method == "GET" and self.has_permission(request):
            return redirect("dashboard:cluster")
        return await views.login(request, functools.partial(self._shared, request, extra_context))

    async def _shared(self, request: HttpRequest, extra_context: dict[str, Any] | None) -> dict[str, Any]:
        # A stranger's rights are asked of nobody; those of a user who is no staff, of the database.
        each_context = sync_to_async(self.each_context) if request.user.is_authenticated else None
        shared = await each_context(request) if each_context else self.each_context(request)
        return {**shared, **(extra_context or {})}
