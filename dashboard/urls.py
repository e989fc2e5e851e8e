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

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include((pages, "dashboard"))),
    path("admin/", admin.site.urls),
]
