"""The pages for people."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from dashboard import actions, stream_tokens, tokens, views
from dashboard.cluster import actions as store_actions
from dashboard.cluster import views as cluster

pages: list[URLPattern] = [
    path("", views.test_client, name="test-client"),
    path("favicon.ico", views.favicon),
    path("publish-test", actions.publish_test, name="publish-test"),
    path("api", views.api, name="api"),
    path("admin", cluster.front, name="cluster"),
    path("admin/pod", views.pod, name="pod"),
    path("admin/pods/<str:name>", cluster.pod_of, name="pod-of"),
    path("admin/tokens", tokens.tokens, name="tokens"),
    path("admin/test-token", stream_tokens.test_token, name="test-token"),
    path("admin/stores", cluster.stores, name="stores"),
    path("admin/stores/<str:name>", cluster.store, name="store"),
    path("admin/stores/<str:name>/expected", store_actions.expected, name="expected"),
    path("admin/clients", cluster.clients),
    path("admin/clients/<str:name>", cluster.client, name="client"),
    path("admin/clients/<str:name>/retire", store_actions.retire, name="retire"),
    path("admin/clients/<str:name>/disconnect", actions.disconnect, name="disconnect"),
    path("admin/clients/<str:name>/send", actions.send, name="send"),
]

# What people type who know other services of this kind; Django's own pages keep their slashes.
slashed: list[URLPattern] = [
    path(f"{address}/", views.without_slash)
    for address in (
        *(
            "api",
            "admin",
            "admin/pod",
            "admin/tokens",
            "admin/pods/<str:name>",
            "admin/stores",
            "admin/stores/<str:name>",
        ),
        *("admin/connections", "admin/client/<str:name>", "admin/clients", "admin/clients/<str:name>"),
    )
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include((pages, "dashboard"))),
    *slashed,
    path("admin/", admin.site.urls),
]
