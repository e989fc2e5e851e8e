"""Every path that Django serves; the streams under /events/ never reach it."""

from __future__ import annotations

from django.urls import include, path, re_path

from streams.http.views import not_found

urlpatterns = [
    path("", include("dashboard.urls")),
    path("", include("streams.urls")),
    # Last, so that an unknown path is answered in JSON whatever DEBUG is.
    re_path(r"", not_found),
]

handler400 = "streams.http.views.bad_request"
handler500 = "streams.http.views.server_error"
