"""The endpoints that publish."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec

from streams.api.bodies import read_whole
from streams.api.calls import Answer, Call, Change
from streams.api.clients import lane_here
from streams.api.fields import faults_of, read_body
from streams.api.problems import ClientSaid, Fault, Problem, ProblemKind, problem_of
from streams.api.router import API
from streams.api.tokens.publishers import check_look, check_rights
from streams.audit import sent, sent_together
from streams.delivery.connection import Headers
from streams.errors import InvalidEvent
from streams.http.answers import MAX_PUBLISH_BYTES
from streams.http.consumers import Receive
from streams.http.stream_request import header_of
from streams.publishing.publication import MAX_BATCH, Batch, Defaults, Draft, Publication, draft, idempotency_key
from streams.publishing.records import Kept, is_over, place_of
from streams.publishing.script import Fate, Lookup, Outcome, Published
from streams.publishing.sender import Doubtful, NotTaken
from streams.roster.reading.lanes import LaneState
from streams.roster.reading.shown import lane_of
from streams.wire.events import valid_event_id

AT_ONCE = (b"Retry-After", b"1")
REPLAYED = (b"Idempotent-Replayed", b"true")
KEY_FIELD = "Idempotency-Key"


class Accepted(msgspec.Struct, rename="camel"):
    """An event that was published: on the channel `receivers` pods heard it, in the journal it is at `logId`.

    `timestamp` is the event's own. Whether its client was given it is not known yet.
    """

    event_id: str
    client_name: str
    state: str
    durable: bool
    log_id: str | None
    receivers: int | None
    timestamp: str | int | float
    client: ClientSaid | msgspec.UnsetType = msgspec.UNSET


class AcceptedBatch(msgspec.Struct, rename="camel"):
    """Events that were published together, in the order of the request."""

    accepted: int
    events: list[Accepted]


async def read_bytes(scope: dict[str, Any], receive: Receive) -> bytes:
    """Return the body of a request to publish, which tools may leave without a type; raises Problem."""
    return await read_whole(scope, receive, MAX_PUBLISH_BYTES, unsaid=True)


def read_batch(body: bytes, _form: type[Batch]) -> Batch:
    """Read many events; raises Problem, which names what is wrong with each."""
    raw = read_body(body, RawBatch, ProblemKind.INVALID_EVENT).events
    if not 1 <= len(raw) <= MAX_BATCH:
        detail = f"events must be a list of 1 to {MAX_BATCH} events, not {len(raw)}."
        raise problem_of(ProblemKind.INVALID_EVENT, [Fault("/events", detail)])
    found: list[Publication] = []
    faults: list[Fault] = []
    kinds: set[ProblemKind] = set()
    for number, each in enumerate(raw):
        try:
            found.append(read_body(each, Publication, ProblemKind.INVALID_EVENT, f"Event {number}"))
        except Problem as problem:
            kinds.add(problem.kind)
            faults += faults_of(problem, f"/events/{number}")
    if faults:
        kind = kinds.pop() if len(kinds) == 1 else ProblemKind.INVALID_EVENT
        raise problem_of(kind, faults)
    return Batch(found)


class RawBatch(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Many events before they are read."""

    events: list[msgspec.Raw]


def read_event(body: bytes, form: type[Publication]) -> Publication:
    """Read one event; raises Problem."""
    return read_body(body, form, ProblemKind.INVALID_EVENT)


async def publish(call: Call) -> Answer:
    """POST /events."""
    check_rights(call, [call.body], [""])
    drafts, headers = _prepare(call, [call.body], [""])
    (published,) = await _send(call, drafts, [""], looked_up=True)
    accepted = _accepted(published, drafts[0])
    if published.client is not None:
        accepted.client = _client_said(call, drafts[0], published.client)
    headers += [(b"Location", _location(call, accepted.event_id))]
    headers += [REPLAYED] if published.earlier else []
    change = Change(sent(accepted.client_name, call.body.action, accepted.event_id), accepted.client_name, routine=True)
    return Answer(accepted, HTTPStatus.ACCEPTED, change, headers)


async def publish_batch(call: Call) -> Answer:
    """POST /events/batch."""
    places = [f"/events/{number}" for number in range(len(call.body.events))]
    check_rights(call, call.body.events, places)
    drafts, headers = _prepare(call, call.body.events, places)
    published = await _send(call, drafts, places, looked_up=False)
    accepted = [_accepted(each, said) for each, said in zip(published, drafts, strict=True)]
    headers += [REPLAYED] if all(each.earlier for each in published) else []
    change = Change(sent_together(len(accepted)), routine=True)
    return Answer(AcceptedBatch(len(accepted), accepted), HTTPStatus.ACCEPTED, change, headers)


async def event(call: Call) -> Answer:
    """GET /events/ID."""
    kept = await call.pod.publishing.sender.record(call.name) if valid_event_id(call.name) else None
    if kept is None:
        seconds = f"{call.pod.conf.idempotency_seconds:g}"
        detail = (
            f"There is no record of an event {call.name!a}: it was published over {seconds} s ago, or without an id of "
            "its publisher's, or never. That says nothing of its delivery."
        )
        raise Problem(ProblemKind.UNKNOWN_EVENT, detail)
    check_look(call, kept.record.client_name)
    accepted = _kept(kept)
    if is_over(kept.record, time.time()):
        accepted.state = "expired"
    return Answer(accepted)


def _prepare(call: Call, said: list[Publication], places: list[str]) -> tuple[list[Draft], Headers]:
    """Make all events of a request ready, and take them from its caller's allowance; raises Problem."""
    try:
        key = idempotency_key(_key_said(call.scope))
    except InvalidEvent as error:
        raise problem_of(ProblemKind.INVALID_EVENT, [Fault(KEY_FIELD, str(error))]) from None
    drafts = _drafts(call, said, places, f"{call.caller.name} {key}" if key else "")
    return drafts, _take_allowance(call, len(drafts)) if call.pod.conf.publish_rate else []


def _drafts(call: Call, said: list[Publication], places: list[str], key: str) -> list[Draft]:
    defaults = Defaults(call.pod.conf.publish_door == "log", call.pod.conf.max_event_bytes)
    drafts: list[Draft] = []
    faults: list[Fault] = []
    known: dict[str, int] = {}
    for number, (each, place) in enumerate(zip(said, places, strict=True)):
        try:
            made = draft(each, defaults, key, number, len(said))
        except InvalidEvent as error:
            faults.append(_fault_of(error, place))
            continue
        # Whom this pod has the roster may not know yet.
        here = call.pod.registry.get(each.client_name) is not None
        drafts.append(made._replace(require_online=made.require_online and not here))
        ids = {made.event.event_id, *(each.id for each in made.ids)}
        first = min(known.setdefault(event_id, number) for event_id in ids)
        if first != number:
            faults.append(Fault(f"{place}/eventId", f"eventId is also that of event {first} of this request."))
    if faults:
        raise problem_of(ProblemKind.INVALID_EVENT, faults)
    return drafts


def _fault_of(error: InvalidEvent, place: str) -> Fault:
    return Fault(f"{place}/{error.field}" if error.field else place, str(error))


def _take_allowance(call: Call, count: int) -> Headers:
    rate = call.pod.conf.publish_rate
    allowance = call.pod.publishing.rates.take(call.caller.account, count, time.monotonic())
    headers: Headers = [
        (b"RateLimit-Policy", b'"publish";q=%d;w=1' % rate),
        (b"RateLimit", b'"publish";r=%d;t=%d' % (allowance.left, allowance.seconds)),
    ]
    if allowance.refused:
        headers += [(b"Retry-After", b"%d" % allowance.seconds)]
        detail = f"This pod takes {rate} events a second from one caller (PUBLISH_RATE)."
        raise Problem(ProblemKind.RATE_LIMITED, detail, headers=headers)
    return headers


def _key_said(scope: dict[str, Any]) -> str | None:
    """Return the header of the key, which guards nothing where it is empty, and None where there is none."""
    is_there = any(name == b"idempotency-key" for name, _value in scope["headers"])
    return header_of(scope, b"idempotency-key") if is_there else None


async def _send(call: Call, drafts: list[Draft], places: list[str], *, looked_up: bool) -> list[Published]:
    publishing = call.pod.publishing
    if publishing.busy:
        detail = f"{call.pod.conf.publish_concurrency} requests to publish are under way here (PUBLISH_CONCURRENCY)."
        raise Problem(ProblemKind.OVERLOADED, detail, headers=[AT_ONCE])
    try:
        outcome = await publishing.publish(drafts, looked_up=looked_up)
    except NotTaken as error:
        raise Problem(ProblemKind.REDIS_UNAVAILABLE, f"Nothing was published: {error}.", headers=[AT_ONCE]) from error
    except Doubtful as error:
        raise Problem(ProblemKind.REDIS_UNAVAILABLE, _doubt(drafts), headers=[AT_ONCE]) from error
    if outcome.fate is Fate.TAKEN:
        return list(outcome.events)
    raise _refusal(call, outcome, drafts[outcome.number], places[outcome.number])


def _doubt(drafts: list[Draft]) -> str:
    if all(each.ids for each in drafts):
        return (
            "Redis gave no answer, so the request may have been taken. To send it again with the same eventId or "
            "Idempotency-Key is safe."
        )
    event, *others = (each.event for each in drafts if not each.ids)
    more = f", and of {len(others)} more event(s)" if others else ""
    return (
        f"Redis gave no answer, so the event may have been taken. To send the same again is safe with eventId "
        f"{event.event_id} and timestamp {event.timestamp}{more}: clients that have it are not given it again. "
        "With an eventId of your own a retry is safe from the first."
    )


def _refusal(call: Call, outcome: Outcome, refused: Draft, place: str) -> Problem:
    if outcome.fate is Fate.OFFLINE and outcome.client is not None:
        name = refused.event.client_name
        client = _client_said(call, refused, outcome.client)
        detail = f"{name} is not connected ({client.state}); nothing was published."
        faults = [Fault(f"{place}/requireOnline", detail)] if place else []
        return Problem(ProblemKind.CLIENT_OFFLINE, detail, faults, client=client)
    if outcome.fate is Fate.OVER and refused.over is not None:
        return problem_of(ProblemKind.INVALID_EVENT, [_fault_of(refused.over, place)])
    detail = (
        f"eventId {refused.event.event_id!a} was published before with something else in it. Nothing was published now."
    )
    return Problem(ProblemKind.IDEMPOTENCY_MISMATCH, detail, [Fault(f"{place}/eventId", detail)])


def _accepted(published: Published, made: Draft) -> Accepted:
    if published.earlier:
        return _kept(published.earlier)
    log_id, receivers = place_of(published.place)
    event = made.event
    return Accepted(event.event_id, event.client_name, "accepted", made.durable, log_id, receivers, event.timestamp)


def _kept(kept: Kept) -> Accepted:
    record = kept.record
    return Accepted(
        *(record.event_id, record.client_name, "accepted", record.durable),
        *(kept.log_id, kept.receivers, record.timestamp),
    )


def _client_said(call: Call, made: Draft, found: Lookup) -> ClientSaid:
    lane = lane_of(found.lane, found.view) if found.lane else None
    if lane is None or lane.state is not LaneState.CONNECTED:
        lane = lane_here(call.pod, made.event.client_name) or lane
    if lane is None:
        # Without a roster nobody knows who is there.
        return ClientSaid(LaneState.OFFLINE if found.view.began else LaneState.UNKNOWN)
    return ClientSaid(lane.state, lane.pod_name, lane.since)


def _location(call: Call, event_id: str) -> bytes:
    root: str = call.scope.get("root_path", "")
    return f"{root}{API}/events/{quote(event_id, safe='')}".encode()
