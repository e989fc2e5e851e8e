"""The JSON paths."""

from __future__ import annotations

from django.urls import path

from streams.http import views

urlpatterns = [
    path("register", views.register),
    path("health", views.health),
    path("health/live", views.live),
    path("health/ready", views.ready),
    path("admin/connections", views.connections),
    path("admin/client/<str:name>", views.client),
    path("metrics", views.metrics_text),
]
