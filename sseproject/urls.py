"""Every path that Django serves; the streams under /events/ never reach it."""

from __future__ import annotations

from django.urls import include, path, re_path

from dashboard.errors import not_found

urlpatterns = [
    path("", include("dashboard.urls")),
    path("", include("streams.urls")),
    # Last, so that an unknown path is answered alike whatever DEBUG is.
    re_path(r"", not_found),
]

handler400 = "dashboard.errors.bad_request"
handler403 = "dashboard.errors.permission_denied"
handler404 = "dashboard.errors.page_not_found"
handler500 = "dashboard.errors.server_error"
