"""The settings of a pod: every environment variable, said once, with its unit, its bounds and one sentence.

`make docs` writes .env.example and docs/reference/settings.md from these declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from streams.conf import secrets
from streams.conf.api import ApiSettings
from streams.conf.tokens import add_defaults, check_tokens
from streams.conf.variables import (
    DAY_SECONDS,
    Bytes,
    Connections,
    Group,
    HeaderName,
    Host,
    Name,
    Networks,
    NetworkSet,
    Origins,
    Period,
    Port,
    RedisHost,
    RedisUrl,
    Seconds,
    Switch,
    read_fields,
    redis_address,
)

KIB = 1024
MIB = 1024 * KIB
# File descriptors that a process keeps for what is no stream: Redis, log, database, probes, pages.
SPARE_DESCRIPTORS = 64
# Of these, for what is no client's connection; the others are for probes, pages and who is about to send a request.
OWN_DESCRIPTORS = 32


class StreamSettings(ApiSettings, frozen=True, kw_only=True, rename="upper"):
    """What one pod was told at its start: one attribute for each variable, which is declared here and nowhere else."""

    environment: Annotated[
        Literal["development", "production"],
        Group("The pod"),
        Meta(
            description="production needs a `SECRET_KEY`, closes `/admin` to strangers and starts no Redis of its own"
        ),
    ] = "development"
    host: Annotated[
        Host, Meta(description="where `streamworker` listens; `0.0.0.0` is every interface, as a container needs")
    ] = "127.0.0.1"
    port: Annotated[Port, Meta(description="where `streamworker` and `runserver` listen")] = 3000
    pod_name: Annotated[
        Name, Meta(description="tells pods apart in answers, streams and logs; in Kubernetes from `metadata.name`")
    ] = "local-pod"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"],
        Meta(description="how much is logged; `debug` adds a line for each event and heartbeat round"),
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"], Meta(description="text with prefixes, or one JSON object on each line")
    ] = "text"

    redis_url: Annotated[
        RedisUrl,
        Group("Redis", "In development, with neither `REDIS_URL` nor `REDIS_HOST` set, a pod brings its own."),
        Meta(description="where Redis is, `rediss://` with TLS; wins over the next two"),
    ] = ""
    # redis_url is made of these two where it is not set.
    redis_url_host: Annotated[
        RedisHost, Meta(description="where Redis is; naming it says that one is there", extra={"example": ""})
    ] = msgspec.field(default="localhost", name="REDIS_HOST")
    redis_url_port: Annotated[Port, Meta(description="the port on `REDIS_HOST`")] = msgspec.field(
        default=6379, name="REDIS_PORT"
    )
    # No variable of its own: whether none names a Redis.
    redis_is_default: bool = True
    redis_channel: Annotated[
        Name,
        Meta(
            description="the channel of the events, with `:log` the journal's key; pods that share it are one cluster"
        ),
    ] = "events-to-store"
    durable_log: Annotated[Switch, Meta(description="whether pods also read events from the journal in Redis")] = True

    heartbeat_seconds: Annotated[
        Period, Group("Streams"), Meta(description="how often each stream gets a heartbeat")
    ] = 30
    dead_after_seconds: Annotated[
        Period, Meta(description="a machine that acknowledges nothing for this long after a heartbeat is gone")
    ] = 15
    cors_allowed_origins: Annotated[
        Origins,
        Meta(
            description="whose pages may read the answers and open streams; "
            "not set, any in development, none but its own in production",
            extra={"default": "`*` in development, none in production"},
        ),
    ] = frozenset()
    trusted_proxies: Annotated[
        Networks,
        Meta(
            description="front doors whose `X-Forwarded-For` is believed: logs, pages and limits "
            "then have the device's address and not the front door's"
        ),
    ] = NetworkSet()
    trusted_user_header: Annotated[
        HeaderName,
        Meta(
            description="the header in which `TRUSTED_PROXIES` name the operator who signed in there, a staff user of "
            "this name; each of them has to set or remove it, and from others it counts for nothing"
        ),
    ] = ""
    max_event_bytes: Annotated[
        Bytes, Meta(ge=256, le=64 * MIB, description="a larger message is skipped, a larger event is not published")
    ] = 256 * KIB

    max_connections: Annotated[
        Connections,
        Group("Limits", "0 is off where nothing else is said."),
        Meta(
            description="at this many a stream of a new name is refused with `overloaded`; "
            f"never more than there are file descriptors, less {SPARE_DESCRIPTORS}"
        ),
    ] = 0
    max_connections_per_ip: Annotated[
        Connections,
        Meta(
            description="the same for one address; behind a front door only with `TRUSTED_PROXIES`, "
            "since all clients have its address otherwise"
        ),
    ] = 0
    max_stream_seconds: Annotated[
        Seconds,
        Meta(
            ge=0,
            le=30 * DAY_SECONDS,
            description="the longest life of a stream; each ends at its own moment within the last fifth of it",
        ),
    ] = 0
    max_backlog_bytes: Annotated[
        Bytes,
        Meta(
            ge=4 * KIB,
            le=256 * MIB,
            description="a client for which more than this waits is closed as a slow reader, "
            "once it had half a second to read it",
        ),
    ] = 256 * KIB
    stall_seconds: Annotated[
        Period, Meta(description="a client whose waiting bytes have not moved for this long is closed as a slow reader")
    ] = 10
    duel_limit: Annotated[
        int,
        Meta(
            title="evictions a minute",
            ge=1,
            le=10_000,
            description="above it two devices are taken to fight over one name: the one that has it keeps it",
        ),
    ] = 5

    history_seconds: Annotated[
        Seconds,
        Group("What a pod remembers", "0 in one of the three remembers nothing."),
        Meta(ge=0, le=DAY_SECONDS, description="how long events are remembered for clients that come back"),
    ] = 300
    history_bytes: Annotated[
        Bytes, Meta(ge=0, le=64 * KIB * MIB, description="how much memory that may take, for all clients together")
    ] = 64 * MIB
    history_per_client: Annotated[
        int, Meta(title="events", ge=0, le=100_000, description="how many events are remembered of one client")
    ] = 100

    drain_seconds: Annotated[
        Seconds,
        Group("Operation"),
        Meta(
            ge=0,
            le=3600,
            description="how long a pod takes at most to send its clients away on SIGTERM; 0 is all at once",
        ),
    ] = 20
    canary_seconds: Annotated[
        Period,
        Meta(description="a pod is not ready when no message to itself has come back through Redis for this long"),
    ] = 10
    trace_kept: Annotated[
        int,
        Meta(
            title="entries",
            ge=0,
            le=10_000,
            description="how many of a client's latest connects, ends and gaps are kept in Redis for a day; 0 is none",
        ),
    ] = 50
    missing_seconds: Annotated[
        Seconds,
        Meta(
            ge=10,
            le=DAY_SECONDS,
            description="a lane that is expected and not connected for this long is missing, "
            "while others of its store are there",
        ),
    ] = 120
    rebalance: Annotated[
        Switch,
        Meta(
            description="whether a pod that has far more clients than the others sends some of them away, "
            "half a percent a second; needs `FRONT_DOOR_HASHES=off`"
        ),
    ] = False
    front_door_hashes: Annotated[
        Switch,
        Meta(
            description="whether the front door chooses a client's pod by its name, as those in `deploy/` do: "
            "a client that is sent away then comes back to the same pod"
        ),
    ] = True

    def __repr__(self) -> str:
        # The others are long, and some of them secrets.
        return f"StreamSettings(environment={self.environment!r}, pod_name={self.pod_name!r})"

    @property
    def production(self) -> bool:
        """Say whether this pod serves real devices."""
        return self.environment == "production"

    @property
    def redis_host(self) -> str:
        """Give the host for people to read; a Unix socket's path stands for itself."""
        parts = urlsplit(self.redis_url)
        return parts.path if parts.scheme == "unix" else parts.hostname or "localhost"

    @property
    def redis_port(self) -> int:
        """Give the TCP port, 0 for a Unix socket."""
        parts = urlsplit(self.redis_url)
        return 0 if parts.scheme == "unix" else parts.port or 6379


def redis_place(url: str) -> str:
    """Return the address of Redis for people to read: without its user and password."""
    parts = urlsplit(url)
    return f"Redis on {parts.path if parts.scheme == 'unix' else parts.netloc.rpartition('@')[2]}"


def read_settings(values: Mapping[str, str]) -> StreamSettings:
    """Read every setting of the streams from environment variables.

    Raises ConfigurationError at the first that cannot be used.
    """
    # Kubernetes sets REDIS_PORT=tcp://… for a Service named redis: beside a URL it may hold anything.
    ignored = ("REDIS_HOST", "REDIS_PORT") if values.get("REDIS_URL", "").strip() else ()
    given = read_fields(StreamSettings, {name: text for name, text in values.items() if name not in ignored})
    if given.get("environment") != "production":
        given.setdefault("cors_allowed_origins", frozenset({"*"}))
    add_defaults(given)
    settings = StreamSettings(**given, redis_is_default=given.keys().isdisjoint({"redis_url", "redis_url_host"}))
    check_tokens(settings, given)
    if settings.production:
        secrets.check(settings.admin_token, settings.redis_url, values)
    if settings.redis_url:
        return settings
    url = redis_address(settings.redis_url_host, settings.redis_url_port)
    return msgspec.structs.replace(settings, redis_url=url)
