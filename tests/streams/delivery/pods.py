"""A pod's pure rooms, wired as in streams.pod, on a clock that the test turns."""

from __future__ import annotations

from typing import Any

from streams.delivery.connection import Connection, Resume
from streams.delivery.recovery import Recovery
from streams.delivery.registry import Registry
from streams.delivery.router import Router
from streams.history.messages import History
from streams.wire.pods import PodMessage
from streams.wire.timestamps import unix_seconds
from tests.streams.builders import MAX_EVENT_BYTES, STALL_SECONDS, Recorder, connect, message
from tests.streams.clocks import WALL_AHEAD, HandClock
from tests.support.event_stream import ServerSentEvent, parse

HISTORY_SECONDS = 300.0
GAP = "stream-gap"


class PurePod:
    """Registry, router, history and recovery of one pod; Redis is what the test hands in."""

    def __init__(
        self,
        hands: HandClock,
        life: str = "one",
        *,
        history_seconds: float = HISTORY_SECONDS,
        per_client: int = 100,
        max_backlog_bytes: int = 100_000,
    ) -> None:
        self.hands = hands
        self.registry = Registry(
            life,
            max_backlog_bytes=max_backlog_bytes,
            stall_seconds=STALL_SECONDS,
            duel_limit=1000,
            clock=hands.clock,
        )
        self.history = History(history_seconds, 2**22, per_client, hands.now)
        self.router = Router(self.registry, self.history, max_event_bytes=MAX_EVENT_BYTES, clock=hands.clock)
        self.recovery = Recovery(self.registry, self.router, self.history, life=life, clock=hands.clock)

    def start(self, *, journal: bool = True) -> None:
        """Hear both ingresses from now on, or the channel alone; the journal's past was read whole."""
        self.recovery.subscribed()
        self.recovery.came_back(self.hands.now - HISTORY_SECONDS if journal else None)

    def come_back(self) -> None:
        """Hear the channel again, and tell everybody what was missed."""
        self.recovery.subscribed()
        self.recovery.came_back(None)
        self.tell()

    def tell(self) -> None:
        while self.recovery.telling.tell(200):
            pass

    def connect(
        self, name: str = "a", last_event_id: str | None = None, *, since: float | None = None
    ) -> tuple[Connection, Recorder]:
        resume = None if last_event_id is None and since is None else Resume(last_event_id, since)
        return connect(self.registry, name, resume=resume, clock=self.hands.clock)

    def channel(self, *event_ids: str, name: str = "a") -> None:
        self.recovery.take_channel([event(event_id, name) for event_id in event_ids])

    def journal(self, *event_ids: str, name: str = "a", moment: float | None = None) -> None:
        """Read events from the journal that Redis took at a moment, by default now; all before now was read."""
        taken = self.hands.now if moment is None else moment
        self.recovery.take_journal([event(event_id, name) for event_id in event_ids], [taken] * len(event_ids))
        self.prove_journal()

    def prove_journal(self, moment: float | None = None) -> None:
        """Note that all that the journal took before a moment, by default now, was read."""
        self.recovery.prove_journal(self.hands.now if moment is None else moment)

    def live(self, seconds: int) -> None:
        """Let seconds pass, in each of which both ingresses prove that they are heard."""
        for _ in range(seconds):
            self.hands.turn(1)
            talk(self)
            self.prove_journal()
            self.history.expire(self.hands.now)

    def settle(self) -> None:
        """Let the questions of this pod come back, and the wait of its clients be over."""
        self.recovery.take_pod_messages(outgoing(self))
        self.hands.turn(0.375)
        self.recovery.resumption.settle()


def talk(*pods: PurePod, state: bool = True) -> None:
    """Let pods hear what each states, then their questions and answers, until nothing is left to say."""
    said = outgoing(*pods)
    if state:
        said += [pod.recovery.statement("pod") for pod in pods]
    while said:
        for pod in pods:
            pod.recovery.take_pod_messages(said)
        said = outgoing(*pods)


def outgoing(*pods: PurePod) -> list[PodMessage]:
    """Take what pods want to say."""
    said: list[PodMessage] = []
    for pod in pods:
        said += pod.recovery.handover.outgoing
        pod.recovery.handover.outgoing = []
    return said


def event(event_id: str, name: str = "a") -> bytes:
    return message(name, event_id)


def gaps(writer: Recorder) -> list[dict[str, Any]]:
    return [event.json() for event in writer.events if event.type == GAP]


def story(writer: Recorder) -> list[str]:
    """Return what a client read, in order: its events by their ids, everything else by its name."""
    return [name_of(event) for event in parse(writer.written)]


def name_of(event: ServerSentEvent) -> str:
    if event.type != "message":
        return event.type
    data = event.json()
    name: str = data.get("eventId") or data["type"]
    return name


def moment(text: str) -> float:
    """Return a time of a frame in the hand clock's monotonic seconds."""
    seconds = unix_seconds(text)
    assert seconds is not None
    return round(seconds - WALL_AHEAD, 3)


def spans(writer: Recorder) -> list[tuple[float | None, float]]:
    """Return from when to when each gap that a client read goes, in the hand clock's seconds."""
    return [(None if gap["from"] is None else moment(gap["from"]), moment(gap["to"])) for gap in gaps(writer)]


def two_pods(hands: HandClock) -> tuple[PurePod, PurePod]:
    pods = PurePod(hands, "one"), PurePod(hands, "two")
    for pod in pods:
        pod.start()
    live(*pods)
    return pods


def live(*pods: PurePod, seconds: int = 10) -> None:
    """Let seconds pass, in each of which the pods hear each other."""
    for _ in range(seconds):
        pods[0].hands.turn(1)
        talk(*pods)
        for pod in pods:
            pod.prove_journal()


def publish(event_id: str, *pods: PurePod) -> None:
    """Let pods hear an event of the channel."""
    for pod in pods:
        pod.channel(event_id)
