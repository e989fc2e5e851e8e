"""What a pod would do with events, without sending them."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from streams.api.pages import Client
from streams.api.problems import ClientSaid
from streams.management.publishing.given import Given, Refusal
from streams.management.publishing.lint import expires_at, warnings
from streams.roster.reading.lanes import LaneState

WhereIs = Callable[[str], Client | str]


class Checked(msgspec.Struct, rename="camel", omit_defaults=True):
    """One event that was looked at; `error` says why it would be refused. What is not known is left out."""

    line: int = 0
    error: str | None = None
    client_name: str = ""
    action: str = ""
    event_id: str | None = None
    durable: bool | None = None
    deliver_until: str | None = None
    client: ClientSaid | None = None
    warnings: list[str] = []


def examine(found: Sequence[Given | Refusal], where_is: WhereIs | None) -> Iterator[Checked]:
    """Look at events, and with `where_is` ask a pod for their clients."""
    ask = functools.cache(where_is) if where_is else None
    for each in found:
        if isinstance(each, Refusal):
            yield Checked(each.line, each.detail)
            continue
        said, now = each.said, time.time()
        client = ask(said.client_name) if ask else None
        yield Checked(
            line=each.line,
            client_name=said.client_name,
            action=said.action,
            event_id=said.event_id,
            # Which of the two a pod chooses that is not told is its own setting.
            durable=said.durable if ask else bool(said.durable),
            deliver_until=expires_at(said, now),
            client=ClientSaid(client.state, client.pod_name, client.since) if isinstance(client, Client) else None,
            warnings=[
                each.place + text for text in [*warnings(said, now), *([client] if isinstance(client, str) else [])]
            ],
        )


def found_sentence(checked: Checked) -> str:
    """Return what would become of an event."""
    place = f"line {checked.line}: " if checked.line else ""
    if checked.error is not None:
        return f"{place}{checked.error}"
    ways = {True: "would go into the journal", False: "would go over the channel", None: "would be taken"}
    until = f"to be delivered until {checked.deliver_until}" if checked.deliver_until else "without a deadline"
    client = f"; its client is {client_sentence(checked.client)}" if checked.client else ""
    return f"{place}{checked.action} to {checked.client_name} {ways[checked.durable]}, {until}{client}"


def client_sentence(client: ClientSaid) -> str:
    """Return where a client is, as the end of a sentence."""
    if client.state == LaneState.CONNECTED and client.pod_name:
        return f"connected to {client.pod_name}"
    return f"{client.state} since {client.since}" if client.since else client.state
