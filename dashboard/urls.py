"""The pages for people."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from dashboard import actions, views

pages: list[URLPattern] = [
    path("", views.test_client, name="test-client"),
    path("favicon.ico", views.favicon),
    path("publish-test", actions.publish_test, name="publish-test"),
    path("admin", views.pod, name="pod"),
    path("admin/clients/<str:name>", views.client, name="client"),
    path("admin/clients/<str:name>/disconnect", actions.disconnect, name="disconnect"),
    path("admin/clients/<str:name>/send", actions.send, name="send"),
]

# What people type who know other services of this kind; Django's own pages keep their slashes.
slashed: list[URLPattern] = [
    path(f"{address}/", views.without_slash)
    for address in ("admin", "admin/connections", "admin/client/<str:name>", "admin/clients/<str:name>")
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include((pages, "dashboard"))),
    *slashed,
    path("admin/", admin.site.urls),
]
