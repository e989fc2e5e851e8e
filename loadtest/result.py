"""What a load test found, and what it says about it in one sentence each."""

from __future__ import annotations

import msgspec


class Result(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=False):
    """The figures of one test, one attribute for each name in its JSON; None where the plan did not ask for it."""

    url: str
    run: str
    interrupted: bool = False
    connections: int
    connected: int = 0
    connect_failures: int = 0
    connect_seconds: float = 0.0
    connects_per_second: float = 0.0
    reconnect_seconds: float | None = None
    closed_by_server: int = 0
    errors: dict[str, int] = {}
    named_events: dict[str, int] = {}
    seconds: float = 0.0
    planned: int = 0
    published: int = 0
    published_foreign: int = 0
    acknowledged: int = 0
    unheard: int = 0
    published_per_second: float = 0.0
    read: int = 0
    read_per_second: float = 0.0
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    latency_p999_ms: float | None = None
    latency_max_ms: float | None = None
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    base_pss_kib: int | None = None
    base_rss_kib: int | None = None
    kib_per_connection: float | None = None
    cpu_connect_microseconds: float | None = None
    cpu_seconds: float | None = None
    cpu_share: float | None = None
    cpu_event_microseconds: float | None = None
    publisher_lag_ms: float = 0.0
    publisher_cpu_share: float = 0.0
    reader_cpu_shares: list[float] = []
    limits: list[str] = []

    def faults(self) -> list[str]:
        """Say in one sentence each what a pod must never do."""
        found = []
        if self.connect_failures:
            reasons = ", ".join(f"{reason} ({count})" for reason, count in list(self.errors.items())[:3])
            found.append(f"{self.connect_failures} of {self.connections} could not connect: {reasons}.")
        if self.closed_by_server:
            found.append(f"{self.closed_by_server} streams ended during the test.")
        if self.lost or self.doubled or self.out_of_order:
            found.append(f"{self.lost} events lost, {self.doubled} doubled, {self.out_of_order} out of order.")
        if self.published and self.unheard == self.acknowledged:
            found.append("No pod listens on this channel of this Redis: does the pod use another one?")
        return found


def limits(result: Result) -> list[str]:
    """Say where this tool, rather than the pod, decided a figure."""
    found = [
        f"Reader {number} used {share:.0%} of a core: this tool was the limit, use more --processes."
        for number, share in enumerate(result.reader_cpu_shares)
        if share >= 0.95
    ]
    if result.publisher_cpu_share >= 0.95:
        found.append(f"The publisher used {result.publisher_cpu_share:.0%} of a core: it was the limit.")
    published = result.published + result.published_foreign
    if result.planned and not result.interrupted and published < 0.99 * result.planned:
        found.append(
            f"Only {published} of {result.planned} events were published in time: "
            "this tool or Redis was the limit, not the pod."
        )
    elif result.planned and result.publisher_lag_ms > 100:
        found.append(
            f"The publisher was up to {result.publisher_lag_ms:.0f} ms behind its schedule: "
            "latencies count from the real publish."
        )
    if published and not result.planned and result.cpu_share is not None and result.cpu_share < 0.9:
        found.append(
            f"The pod used {result.cpu_share:.0%} of a core: the limit was this tool, Redis, --window, "
            "or another process on the same core."
        )
    return found
