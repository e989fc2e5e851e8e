"""What pods tell each other about the roster and of their clients, over the channel layer."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec

from streams.auth.revocations import Revocation
from streams.delivery.duels.turns import News
from streams.roster.tracing.questions import Answer, Ask


class Taken(NamedTuple):
    """A connection whose name another one has now: its name and number, and the origin of that other one."""

    client_name: str
    number: int
    origin: str


class Traced(NamedTuple):
    """A client whose events are noted for so many seconds more, 0 for no longer."""

    client_name: str
    seconds: float


class Renewal(NamedTuple):
    """A new token for an open stream, as the pod that verified it says it; Unix seconds, and the number of the wait."""

    number: int
    client_name: str
    sub: str
    jti: str
    issued_at: float
    expires_at: float


class Renewed(NamedTuple):
    """The answer to a renewal of the pod that has the stream: whether the token is for the holder of the stream."""

    number: int
    taken: bool


class Told(msgspec.Struct, omit_defaults=True):
    """What one pod tells another, or all of them.

    `taken` are connections of the pod that hears it, and `kept` those of them whose incumbents elsewhere stay:
    the newcomers are to be turned away. `news` are turns in fights over names. `close` are clients whose streams
    end wherever they are. `traces` are clients whose events are noted, `asks` what is asked of all pods about
    clients, and `answers` are for the pod that asked. `revoked` are tokens that open nothing from now on, `renewals`
    new tokens for streams wherever they are, and `renewed` are the answers to those. `welcome` are clients that have
    shown a good token, and how many seconds ago.
    """

    life: Annotated[str, msgspec.Meta(max_length=64)]
    pod_name: Annotated[str, msgspec.Meta(max_length=253)]
    taken: list[Taken] = []
    kept: list[Taken] = []
    news: list[News] = []
    close: list[str] = []
    traces: list[Traced] = []
    asks: list[Ask] = []
    answers: list[Answer] = []
    revoked: list[Revocation] = []
    renewals: list[Renewal] = []
    renewed: list[Renewed] = []
    welcome: list[tuple[str, float]] = []
