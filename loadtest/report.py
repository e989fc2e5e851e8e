"""A result as a table for people."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.result import Result


def table(result: Result) -> str:
    """Write a result as two columns."""
    rows = list(_rows(result))
    width = max(len(label) for label, _ in rows)
    values = max(len(value) for _, value in rows)
    return "\n".join(f"{label:<{width}}  {value:>{values}}" for label, value in rows)


def _rows(result: Result) -> Iterator[tuple[str, str]]:
    yield "connected", f"{result.connected:,} of {result.connections:,}"
    yield "connect failures", f"{result.connect_failures:,}"
    yield "connects per second", f"{result.connects_per_second:,.0f}"
    if result.reconnect_seconds is not None:
        yield "all back after a drop, seconds", f"{result.reconnect_seconds:.2f}"
    if result.closed_by_server:
        yield "ended by the server", f"{result.closed_by_server:,}"
    if result.published or result.published_foreign:
        yield from _event_rows(result)
    for name, count in sorted(result.named_events.items()):
        yield f"named events: {name}", f"{count:,}"
    if result.kib_per_connection is not None:
        yield "base memory, PSS / RSS MiB", f"{_mib(result.base_pss_kib)} / {_mib(result.base_rss_kib)}"
        yield "KiB per connection (PSS)", f"{result.kib_per_connection:.1f}"
        yield "CPU per connect, µs", f"{result.cpu_connect_microseconds or 0:.0f}"
    if result.cpu_share is not None:
        yield "CPU of the pod", f"{result.cpu_share:.0%} of a core"
    if result.cpu_event_microseconds is not None:
        yield f"CPU per {_kind(result)} event, µs", f"{result.cpu_event_microseconds:.1f}"


def _event_rows(result: Result) -> Iterator[tuple[str, str]]:
    yield "events published", f"{result.published + result.published_foreign:,}"
    if result.published_foreign:
        yield "of them for clients elsewhere", f"{result.published_foreign:,}"
    yield "events published per second", f"{result.published_per_second:,.0f}"
    yield "events read", f"{result.read:,}"
    yield "events read per second", f"{result.read_per_second:,.0f}"
    if result.latency_p50_ms is not None:
        yield "latency p50, ms", f"{result.latency_p50_ms:.2f}"
        yield "latency p99, ms", f"{result.latency_p99_ms:.2f}"
        yield "latency p99.9, ms", f"{result.latency_p999_ms:.2f}"
        yield "latency max, ms", f"{result.latency_max_ms:.2f}"
    yield "lost", f"{result.lost:,}"
    yield "doubled", f"{result.doubled:,}"
    yield "out of order", f"{result.out_of_order:,}"


def _kind(result: Result) -> str:
    if not result.published_foreign:
        return "delivered"
    return "published" if result.published else "foreign"


def _mib(kib: int | None) -> str:
    return f"{(kib or 0) / 1024:.1f}"
