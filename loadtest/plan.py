"""What one load test does: the arguments after they were checked, and the names that follow from them."""

from __future__ import annotations

import ipaddress
import resource
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from loadtest.errors import ImpossiblePlan
from streams.conf import SPARE_DESCRIPTORS

# Five digits in a name keep all names, and so all messages, equally long.
MAX_CONNECTIONS = 100_000
# The kernel hands out about 28,000 ports to each source address, and those of closed
# connections stay taken for a minute.
CONNECTIONS_PER_SOURCE = 5_000


@dataclass(frozen=True, slots=True)
class Plan:
    """The arguments of one load test, one attribute for each option of the command.

    A rate of None means as fast as the pod delivers, with no more than `window`
    events on their way. `size` counts the bytes of the JSON message.
    """

    url: str = "http://127.0.0.1:3000"
    redis_url: str = "redis://127.0.0.1:6379"
    channel: str = "events-to-store"
    connections: int = 1000
    rate: float | None = 1000.0
    foreign: float = 0.0
    seconds: float = 10.0
    size: int = 250
    window: int = 1000
    processes: int = 1
    concurrency: int = 50
    timeout_seconds: float = 60.0
    reconnect: bool = False
    # Events in a request, where they are published over HTTP; 0 publishes them to Redis.
    http: int = 0
    # A secret or a private key, with which each client's token is signed, and what tokens say beside the name.
    key: str = field(default="", repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict)
    pid: int | None = None
    prefix: str = "LOAD"
    # Events of another test, or of an earlier one still on their way, are not counted.
    run: str = field(default_factory=lambda: secrets.token_hex(4))

    def client_name(self, index: int) -> str:
        """Give the name of one of the test's own clients."""
        return f"{self.prefix}{index // 100:03d}-LANE{index:05d}"

    def foreign_name(self, index: int) -> str:
        """Give the name, equally long, of a client that no pod holds."""
        return f"{self.prefix}{index // 100:03d}-ELSE{index:05d}"

    @property
    def publishes(self) -> bool:
        """Say whether there is anything to publish."""
        return self.rate is None or self.rate > 0

    @property
    def address(self) -> tuple[str, int]:
        """Give host and port of the pod."""
        parts = urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or 80

    @property
    def path(self) -> str:
        """Give what stands before /events/ in the URL, without a slash at its end."""
        return urlsplit(self.url).path.rstrip("/")

    def expected_events(self, index: int, deliverable: int) -> int:
        """Say how many of the published events were for one client.

        The publisher goes round all clients, so their number alone decides.
        """
        rounds, rest = divmod(deliverable, self.connections)
        return rounds + (index < rest)

    def shares(self) -> list[range]:
        """Divide the clients among the reader processes."""
        step, rest = divmod(self.connections, self.processes)
        bounds = [step * number + min(number, rest) for number in range(self.processes + 1)]
        return [range(first, last) for first, last in pairwise(bounds)]


@dataclass(frozen=True, slots=True)
class Target:
    """Where the streams lead: a resolved address, so that a connect asks no name server."""

    family: socket.AddressFamily
    address: tuple[Any, ...]

    @classmethod
    def resolve(cls, plan: Plan) -> Target:
        """Look the pod's name up, IPv4 first; raise ImpossiblePlan when nobody knows it."""
        host, port = plan.address
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ImpossiblePlan(f"--url names {host}, which cannot be resolved: {error.strerror}.") from None
        found.sort(key=lambda entry: entry[0] != socket.AF_INET)
        return cls(found[0][0], found[0][4])

    def source_address(self, index: int) -> str | None:
        """Choose the address that a client connects from, None where only the system knows."""
        if self.family != socket.AF_INET or not is_loopback(self.address[0]):
            return None
        return f"127.0.0.{1 + index // CONNECTIONS_PER_SOURCE}"


def check(plan: Plan) -> None:
    """Raise ImpossiblePlan, with what to do instead, where the plan cannot be run here."""
    parts = urlsplit(plan.url)
    if parts.scheme != "http" or not parts.hostname or parts.query or parts.fragment:
        raise ImpossiblePlan(f"--url is {plan.url!r}, but it must look like http://host:port (no TLS).")
    if plan.rate is None and plan.foreign >= 1:
        raise ImpossiblePlan("--rate max waits for delivered events: give a number with --foreign 1.")
    Target.resolve(plan)
    per_process = max(len(share) for share in plan.shares())
    limit = raise_descriptor_limit()
    if per_process + SPARE_DESCRIPTORS > limit:
        needed = -(-plan.connections // max(1, limit - SPARE_DESCRIPTORS))
        raise ImpossiblePlan(
            f"{per_process} connections need more than the {limit} open files allowed to a process: "
            f"raise `ulimit -n`, or use --processes {needed}."
        )


def raise_descriptor_limit() -> int:
    """Lift this process's own limit on open files as far as it may, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return MAX_CONNECTIONS * 2 if hard == resource.RLIM_INFINITY else hard


def is_loopback(host: str) -> bool:
    """Say whether a host name or address stands for this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
