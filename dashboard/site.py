"""Django's admin site as the operators' login; its front page is the dashboard."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect


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
        return redirect("dashboard:pod")
