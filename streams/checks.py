"""System checks: settings that can be used, and contradict each other or deserve a second look."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from streams.conf import SPARE_DESCRIPTORS, StreamSettings

DESCRIPTORS_ID = "streams.W001"
# What the front doors in deploy/ wait for a byte, in seconds; two heartbeats have to fail to come before.
FRONT_DOOR_SECONDS = 300.0
# A client that was evicted is asked to stay away for up to so long.
AWAY_SECONDS = 60.0


class Pair(NamedTuple):
    """Settings that do not go together: when, what is said then, and what is to be done."""

    id: str
    contradicts: Callable[[StreamSettings], bool]
    says: str
    hint: str


# What `says` has in braces are settings.
WARNINGS = (
    Pair(
        "streams.W002",
        lambda conf: conf.max_backlog_bytes < conf.max_event_bytes,
        "MAX_BACKLOG_BYTES is below MAX_EVENT_BYTES: one large event can end a slow connection.",
        "Set MAX_BACKLOG_BYTES to MAX_EVENT_BYTES or more.",
    ),
    Pair(
        "streams.W003",
        lambda conf: conf.production and "*" in conf.cors_allowed_origins,
        "CORS_ALLOWED_ORIGINS allows any page to read the streams in production.",
        "List the origins that need it, or none.",
    ),
    Pair(
        "streams.W004",
        lambda conf: conf.production and conf.pod_name == "local-pod",
        "POD_NAME is not set in production: logs and answers of several pods look alike.",
        "Set POD_NAME, in Kubernetes from metadata.name.",
    ),
    Pair(
        "streams.W005",
        lambda conf: 2 * conf.heartbeat_seconds >= FRONT_DOOR_SECONDS,
        "HEARTBEAT_SECONDS is {heartbeat_seconds:g}: front doors that wait 5 minutes for a byte, as those in deploy/, "
        "end a quiet stream when one heartbeat is late.",
        "Set HEARTBEAT_SECONDS to 120 or less; 30 suits most proxies.",
    ),
    Pair(
        "streams.W006",
        lambda conf: 0 < conf.max_stream_seconds < 2 * conf.heartbeat_seconds,
        "MAX_STREAM_SECONDS is {max_stream_seconds:g}, and HEARTBEAT_SECONDS {heartbeat_seconds:g}: streams end before "
        "two heartbeats, and clients do little but reconnect.",
        "Set MAX_STREAM_SECONDS to hours, or to 0 for no limit.",
    ),
    Pair(
        "streams.W007",
        lambda conf: 0 < conf.history_seconds < AWAY_SECONDS,
        "HISTORY_SECONDS is {history_seconds:g}: a client that is asked to wait up to 60 s comes back to a gap.",
        "Set HISTORY_SECONDS to 60 or more, or to 0 where nobody comes back for events.",
    ),
    Pair(
        "streams.W008",
        lambda conf: 0 < conf.history_bytes < conf.max_event_bytes,
        "HISTORY_BYTES is below MAX_EVENT_BYTES: one large event takes the place of all that is remembered.",
        "Set HISTORY_BYTES to many times MAX_EVENT_BYTES.",
    ),
    Pair(
        "streams.W009",
        lambda conf: 0 < conf.max_connections < conf.max_connections_per_ip,
        "MAX_CONNECTIONS_PER_IP is {max_connections_per_ip}, which MAX_CONNECTIONS ({max_connections}) never allows.",
        "Set MAX_CONNECTIONS_PER_IP below MAX_CONNECTIONS, or to 0.",
    ),
    Pair(
        "streams.W010",
        lambda conf: conf.production and conf.max_connections_per_ip > 0 and not conf.trusted_proxies,
        "MAX_CONNECTIONS_PER_IP is set and TRUSTED_PROXIES is not: behind a front door all clients have its address.",
        "Name the front doors in TRUSTED_PROXIES.",
    ),
    Pair(
        "streams.W013",
        lambda conf: conf.metrics_auth != "off" and not (conf.has_token_keys or conf.admin_token),
        "METRICS_AUTH is required, and there is no key for tokens and no ADMIN_TOKEN: no program can read /metrics.",
        "Set ADMIN_TOKEN or TOKEN_SECRET, or METRICS_AUTH=off.",
    ),
    Pair(
        "streams.W014",
        lambda conf: conf.production and bool(conf.trusted_user_header) and not conf.admin_port,
        "TRUSTED_USER_HEADER is {trusted_user_header} and ADMIN_PORT is not set: a front door for devices among "
        "TRUSTED_PROXIES that hands the header on makes an operator of any device.",
        "Set ADMIN_PORT, where alone the header then counts; or let every front door set or remove the header.",
    ),
)
# Asked of a deployment alone: off is what most who look at a pod for the first time want.
OPEN = (
    Pair(
        "streams.W011",
        lambda conf: conf.stream_auth == "off",
        "STREAM_AUTH is off: whoever reaches a pod reads any client's events, and takes its name.",
        "Set STREAM_AUTH=observe, see whom the log names, then STREAM_AUTH=required.",
    ),
    Pair(
        "streams.W012",
        lambda conf: conf.publish_auth == "off",
        "PUBLISH_AUTH is off: publishing through /api/v1 needs no token.",
        "Set PUBLISH_AUTH=required.",
    ),
)
ERRORS = (
    Pair(
        "streams.E002",
        lambda conf: conf.admin_port == conf.port,
        "ADMIN_PORT and PORT are both {port}: the operators' pages can have no port of their own there.",
        "Set ADMIN_PORT to another port, or to 0.",
    ),
    Pair(
        "streams.E003",
        lambda conf: bool(conf.trusted_user_header) and not conf.trusted_proxies,
        "TRUSTED_USER_HEADER is {trusted_user_header} and TRUSTED_PROXIES is not set: the header signs nobody in.",
        "Name in TRUSTED_PROXIES the front doors that set the header, and no others.",
    ),
    Pair(
        "streams.E001",
        lambda conf: conf.rebalance and conf.front_door_hashes,
        "REBALANCE is on and so is FRONT_DOOR_HASHES: the front door sends a client that a pod sends away back to that "
        "pod, again and again.",
        "Set REBALANCE=off. Or let the front door choose the pod with the fewest connections, in place of the hash of "
        "the name, and then set FRONT_DOOR_HASHES=off.",
    ),
)


@register(Tags.compatibility)
def check_streams(**_: Any) -> list[CheckMessage]:
    """Look at the settings of the streams together."""
    conf: StreamSettings = settings.STREAMS
    return [*_descriptors(conf), *_found(conf, WARNINGS, Warning), *_found(conf, ERRORS, Error)]


@register(Tags.security, deploy=True)
def check_locks(**_: Any) -> list[CheckMessage]:
    """Look at what is open to anybody."""
    return [*_found(settings.STREAMS, OPEN, Warning)]


def _found(
    conf: StreamSettings, pairs: tuple[Pair, ...], kind: type[Warning] | type[Error]
) -> Iterator[Warning | Error]:
    for pair in pairs:
        if pair.contradicts(conf):
            held = {name: getattr(conf, name) for name in conf.__struct_fields__}
            yield kind(pair.says.format_map(held), hint=pair.hint, id=pair.id)


def _descriptors(conf: StreamSettings) -> Iterator[CheckMessage]:
    descriptors, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = conf.max_connections + SPARE_DESCRIPTORS
    if conf.max_connections and descriptors != resource.RLIM_INFINITY and descriptors < needed:
        yield Warning(
            f"MAX_CONNECTIONS is {conf.max_connections}, but this process may open {descriptors} files.",
            hint=f"Raise the limit (ulimit -n) to {needed} or more.",
            id=DESCRIPTORS_ID,
        )
