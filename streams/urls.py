"""The JSON paths."""

from __future__ import annotations

from django.urls import path

from streams.http import admin_views, views

urlpatterns = [
    path("register", views.register),
    path("health", views.health),
    path("health/live", views.live),
    path("health/ready", views.ready),
    path("admin/connections", admin_views.connections),
    path("admin/client/<str:name>", admin_views.client),
    path("metrics", views.metrics_text),
]
