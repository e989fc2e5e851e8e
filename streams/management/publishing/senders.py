"""How a command publishes: through Redis, or through the API of a pod."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Protocol
from urllib.parse import quote

import msgspec
from django.core.management.base import CommandError
from msgspec import UNSET, UnsetType

from streams.api.events import Accepted, AcceptedBatch
from streams.api.pages import Client
from streams.api.problems import NAMED, ClientSaid, ProblemSaid
from streams.broker import publisher
from streams.errors import InvalidEvent, PublishUnknown, RedisUnavailable
from streams.management.publishing.api import Answer, Api, Unanswered
from streams.management.publishing.given import Given
from streams.publishing.publication import MAX_BATCH
from streams.roster.reading.lanes import LaneState
from streams.wire.publication import Outgoing

UNHEARD_STATUS = 3
# Of a request, in which there is more than its events.
MAX_BATCH_BYTES = 1_000_000


class Sent(msgspec.Struct, rename="camel"):
    """What is known of an event that was published; `client` is where its client was, where that is known."""

    client_name: str
    action: str
    event_id: str
    receivers: int | None
    log_id: str | None
    client: ClientSaid | UnsetType = UNSET

    @property
    def unheard(self) -> bool:
        """Say whether surely nobody was there for it."""
        return self.receivers == 0 or (self.client is not UNSET and self.client.state != LaneState.CONNECTED)


class Sender(Protocol):
    """Publishes events."""

    # What is said of those for which nobody was there.
    unheard: str

    def send(self, events: Sequence[Given]) -> Iterator[Sent]:
        """Publish events in order; raises CommandError."""
        ...


class RedisSender:
    """Publishes one event after the other through Redis."""

    unheard = "no pod was listening for {unheard} of {count} event(s)."

    def send(self, events: Sequence[Given]) -> Iterator[Sent]:
        """Publish events in order; raises CommandError."""
        for done, each in enumerate(events):
            event = outgoing(each)
            try:
                receipt = publisher.send(event, durable=bool(each.said.durable))
            except InvalidEvent as error:
                raise CommandError(f"{each.place}{error}", returncode=2) from None
            except RedisUnavailable as error:
                doubtful = 1 if isinstance(error, PublishUnknown) else 0
                raise CommandError(f"{each.place}{error}{_rest(events, done, doubtful)}", returncode=1) from None
            yield Sent(event.client_name, event.action, receipt.event_id, receipt.receivers, receipt.log_id)


class ApiSender:
    """Publishes through a pod, as many at once as it takes."""

    unheard = "for {unheard} of {count} event(s) no client was connected, or no pod was listening."

    def __init__(self, api: Api) -> None:
        self._api = api

    def send(self, events: Sequence[Given]) -> Iterator[Sent]:
        """Publish events in order; raises CommandError."""
        done = 0
        for batch in batches(events):
            try:
                answer = self._post(batch)
            except Unanswered as error:
                alone = len(events) == 1 and error.doubtful
                rest = _again(batch[0]) if alone else _rest(events, done, len(batch) if error.doubtful else 0)
                raise CommandError(f"{error}{rest}", returncode=1) from None
            accepted = _accepted(answer)
            if len(accepted) != len(batch):
                raise refusal(self._api, answer, batch, _rest(events, done, 0))
            for each, said in zip(batch, accepted, strict=True):
                name, action = each.said.client_name, each.said.action
                yield Sent(name, action, said.event_id, said.receivers, said.log_id, said.client)
            done += len(batch)

    def where_is(self, name: str) -> Client | str:
        """Return where a client is, or a sentence about a name that was never seen; raises CommandError."""
        answer = self._api.ask("GET", f"/clients/{quote(name, safe='')}")
        if answer.status == HTTPStatus.OK and (client := answer.read(Client)):
            return client
        problem = answer.read(ProblemSaid)
        if answer.status == HTTPStatus.NOT_FOUND and problem:
            return problem.detail
        raise refusal(self._api, answer, [])

    def _post(self, batch: list[Given]) -> Answer:
        bodies = [msgspec.json.encode(each.said) for each in batch]
        if len(bodies) == 1:
            return self._api.ask("POST", "/events", bodies[0])
        return self._api.ask("POST", "/events/batch", b'{"events":[%b]}' % b",".join(bodies))


def outgoing(given: Given) -> Outgoing:
    """Return an event as it is published through Redis, with the present time unless it has one."""
    fields = {name: getattr(given.said, name) for name in Outgoing.__struct_fields__}
    return Outgoing(**{name: value for name, value in fields.items() if value is not None})


def batches(events: Iterable[Given]) -> Iterator[list[Given]]:
    """Part events into requests that a pod takes."""
    batch: list[Given] = []
    size = 0
    for each in events:
        more = len(msgspec.json.encode(each.said)) + 1
        if batch and (len(batch) == MAX_BATCH or size + more > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += more
    if batch:
        yield batch


def refusal(api: Api, answer: Answer, batch: Sequence[Given], rest: str = "") -> CommandError:
    """Return the error that an answer is which took nothing."""
    if answer.status == HTTPStatus.UNAUTHORIZED:
        who = "it is not known who asks. ADMIN_TOKEN, in the environment, or --token-file has the pods' token."
        return CommandError(f"{api.place} answered 401: {who}", returncode=2)
    problem = answer.read(ProblemSaid)
    detail = problem_of(problem, batch) if problem else answer.detail
    status = UNHEARD_STATUS if answer.status == HTTPStatus.CONFLICT else 1 if answer.status >= 500 else 2
    return CommandError(f"{api.place} answered {answer.status}: {detail}{rest}", returncode=status)


def problem_of(problem: ProblemSaid, batch: Sequence[Given]) -> str:
    """Return what is wrong with a request, and with which of its events."""
    details = []
    for fault in problem.errors[:NAMED]:
        number = fault.pointer.removeprefix("/events/").partition("/")[0]
        place = batch[int(number)].place if number.isdecimal() and int(number) < len(batch) else ""
        details.append(f"{place}{fault.detail}")
    alone = batch[0].place if len(batch) == 1 else ""
    return alone + (" ".join(details) or problem.detail)


def _accepted(answer: Answer) -> list[Accepted]:
    if answer.status != HTTPStatus.ACCEPTED:
        return []
    if several := answer.read(AcceptedBatch):
        return several.events
    one = answer.read(Accepted)
    return [one] if one else []


def _rest(events: Sequence[Given], done: int, doubtful: int) -> str:
    """Say how many of many events were published, and which may have been."""
    if len(events) == 1:
        return ""
    parts = [f"{done} of {len(events)} event(s) were published"]
    if doubtful:
        first, last = events[done], events[done + doubtful - 1]
        parts.append(f"those of lines {first.line} to {last.line} may have been")
    return f" {', '.join(parts)}, and the others were not."


def _again(given: Given) -> str:
    name = "eventId" if given.line else "--event-id"
    return f" It may have been published: to do so again with {name} {given.said.event_id} is safe."
