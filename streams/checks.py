"""System checks: settings that can be used and still deserve a second look."""

from __future__ import annotations

import resource
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from streams.conf import SPARE_DESCRIPTORS, StreamSettings


@register(Tags.compatibility)
def check_streams(**_: Any) -> list[CheckMessage]:
    """Look at the settings of the streams together."""
    conf: StreamSettings = settings.STREAMS
    found: list[CheckMessage] = []
    descriptors, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = conf.max_connections + SPARE_DESCRIPTORS
    if conf.max_connections and descriptors != resource.RLIM_INFINITY and descriptors < needed:
        found.append(
            Warning(
                f"MAX_CONNECTIONS is {conf.max_connections}, but this process may open {descriptors} files.",
                hint=f"Raise the limit (ulimit -n) to {needed} or more.",
                id="streams.W001",
            )
        )
    if conf.max_backlog_bytes < conf.max_event_bytes:
        found.append(
            Warning(
                "MAX_BACKLOG_BYTES is below MAX_EVENT_BYTES: one large event can end a slow connection.",
                hint="Set MAX_BACKLOG_BYTES to MAX_EVENT_BYTES or more.",
                id="streams.W002",
            )
        )
    if conf.production and "*" in conf.cors_allowed_origins:
        found.append(
            Warning(
                "CORS_ALLOWED_ORIGINS allows any page to read the streams in production.",
                hint="List the origins that need it, or none.",
                id="streams.W003",
            )
        )
    if conf.production and conf.pod_name == "local-pod":
        found.append(
            Warning(
                "POD_NAME is not set in production: logs and answers of several pods look alike.",
                hint="Set POD_NAME, in Kubernetes from metadata.name.",
                id="streams.W004",
            )
        )
    return found
