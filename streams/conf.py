"""The settings of a pod: every environment variable, its unit and what it may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from streams.errors import ConfigurationError

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What one pod was told at its start."""

    environment: str
    host: str
    port: int
    pod_name: str
    redis_url: str
    redis_is_default: bool
    redis_channel: str
    log_level: str
    log_format: str
    cors_allowed_origins: frozenset[str]
    heartbeat_seconds: float
    dead_after_seconds: float
    stall_seconds: float
    max_event_bytes: int
    max_backlog_bytes: int
    max_connections: int
    max_connections_per_ip: int
    max_stream_seconds: float
    duel_limit: int
    drain_seconds: float
    history_seconds: float
    history_bytes: int
    history_per_client: int
    durable_log: bool
    canary_seconds: float
    admin_token: str

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


class Environment:
    """Reads single variables and refuses what cannot be used.

    Every method raises ConfigurationError, whose text names the variable, what it
    holds and what it may hold.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str, default: str) -> str:
        """Read a string; an empty one counts as not set."""
        return self._values.get(name, "").strip() or default

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """Read one of a few words."""
        value = self.text(name, default)
        if value.lower() not in choices:
            raise ConfigurationError(name, value, "one of " + ", ".join(choices))
        return value.lower()

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """Read a whole number between two bounds, both included."""
        value = self.text(name, str(default))
        if not value.isdecimal() or not low <= int(value) <= high:
            raise ConfigurationError(name, value, f"a whole number from {low} to {high}")
        return int(value)

    def seconds(self, name: str, default: float, low: float, high: float = 86400) -> float:
        """Read a duration in seconds between two bounds, both included."""
        value = self.text(name, str(default))
        allowed = f"a number of seconds from {low:g} to {high:g}"
        try:
            seconds = float(value)
        except ValueError:
            raise ConfigurationError(name, value, allowed) from None
        # Written so that NaN, which compares false with everything, is refused.
        if not low <= seconds <= high:
            raise ConfigurationError(name, value, allowed)
        return seconds

    def switch(self, name: str, *, default: bool) -> bool:
        """Read on or off."""
        value = self.choice(name, "on" if default else "off", ("on", "off", "true", "false", "1", "0"))
        return value in ("on", "true", "1")

    def origins(self, name: str, default: str) -> frozenset[str]:
        """Read a comma-separated list of origins; `*` alone means any."""
        value = self.text(name, default)
        origins = frozenset(self.words(name, default))
        for origin in origins - {"*"}:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
                raise ConfigurationError(name, value, "* or origins such as https://shop.example, with commas")
        return frozenset(origin.rstrip("/") for origin in origins)

    def words(self, name: str, default: str) -> list[str]:
        """Read a comma-separated list."""
        return [part.strip() for part in self.text(name, default).split(",") if part.strip()]

    def name(self, name: str, default: str) -> str:
        """Read a name that stands in logs and frames: printable, on one line, not too long."""
        value = self.text(name, default)
        if not value.isprintable() or len(value) > 253:
            raise ConfigurationError(name, value, "1 to 253 printable characters")
        return value

    def redis_url(self) -> str:
        """Read the address of Redis: REDIS_URL, or else REDIS_HOST and REDIS_PORT."""
        url = self.text("REDIS_URL", "")
        if not url:
            host = self.text("REDIS_HOST", "localhost")
            if not host.isprintable() or any(mark in host for mark in "/@? "):
                raise ConfigurationError("REDIS_HOST", host, "a host name or an address")
            port = self.whole("REDIS_PORT", 6379, 1, 65535)
            return f"redis://[{host}]:{port}" if ":" in host else f"redis://{host}:{port}"
        allowed = "redis://, rediss:// or unix://, such as redis://user:password@host:6379/0"
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("redis", "rediss", "unix") and (parts.port is None or parts.port > 0)
        except ValueError:
            usable = False
        if not usable:
            # A URL may hold a password, and this text goes to a log.
            raise ConfigurationError("REDIS_URL", url.split("://")[0] + "://…", allowed)
        return url


def read_settings(values: Mapping[str, str]) -> StreamSettings:
    """Read every setting of the streams from environment variables.

    Raises ConfigurationError at the first that cannot be used.
    """
    env = Environment(values)
    environment = env.choice("ENVIRONMENT", "development", ("development", "production"))
    return StreamSettings(
        environment=environment,
        host=env.text("HOST", "127.0.0.1"),
        port=env.whole("PORT", 3000, 1, 65535),
        pod_name=env.name("POD_NAME", "local-pod"),
        redis_url=env.redis_url(),
        redis_is_default=not env.text("REDIS_URL", "") and not env.text("REDIS_HOST", ""),
        redis_channel=env.name("REDIS_CHANNEL", "events-to-store"),
        log_level=env.choice("LOG_LEVEL", "info", ("debug", "info", "warning", "error", "critical")),
        log_format=env.choice("LOG_FORMAT", "text", ("text", "json")),
        cors_allowed_origins=env.origins("CORS_ALLOWED_ORIGINS", "*" if environment == "development" else ""),
        heartbeat_seconds=env.seconds("HEARTBEAT_SECONDS", 30, 1, 3600),
        dead_after_seconds=env.seconds("DEAD_AFTER_SECONDS", 15, 1, 3600),
        stall_seconds=env.seconds("STALL_SECONDS", 10, 1, 3600),
        max_event_bytes=env.whole("MAX_EVENT_BYTES", 256 * KIB, 256, 64 * MIB),
        max_backlog_bytes=env.whole("MAX_BACKLOG_BYTES", 256 * KIB, 4 * KIB, 256 * MIB),
        max_connections=env.whole("MAX_CONNECTIONS", 0, 0, 10_000_000),
        max_connections_per_ip=env.whole("MAX_CONNECTIONS_PER_IP", 0, 0, 10_000_000),
        max_stream_seconds=env.seconds("MAX_STREAM_SECONDS", 0, 0, 30 * 86400),
        duel_limit=env.whole("DUEL_LIMIT", 5, 1, 10_000),
        drain_seconds=env.seconds("DRAIN_SECONDS", 20, 0, 3600),
        history_seconds=env.seconds("HISTORY_SECONDS", 300, 0, 86400),
        history_bytes=env.whole("HISTORY_BYTES", 64 * MIB, 0, 64 * 1024 * MIB),
        history_per_client=env.whole("HISTORY_PER_CLIENT", 100, 0, 100_000),
        durable_log=env.switch("DURABLE_LOG", default=True),
        canary_seconds=env.seconds("CANARY_SECONDS", 10, 1, 3600),
        admin_token=env.text("ADMIN_TOKEN", ""),
    )
