"""What the commands share that ask about lanes: Redis and the pods, errors on one line, and how a lane is written."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NoReturn, TypeVar

import msgspec
import redis
import redis.asyncio
from django.conf import settings
from django.core.management.base import CommandError

from streams.api.fields import STORE, STORE_RULE
from streams.broker.clients import REDIS_ERRORS, async_client
from streams.conf import StreamSettings, redis_place
from streams.errors import InvalidName
from streams.logs import quoted
from streams.management.explained import ExplainedCommand
from streams.roster.reading.lanes import LaneState
from streams.roster.reading.reader import RosterReader
from streams.roster.reading.similar import did_you_mean, similar_names
from streams.roster.tracing.entries import TraceEntry
from streams.wire.events import valid_name

T = TypeVar("T")

UNSEEN_STATUS = 3
EXIT_STATUS = "exit status: 0 it is told, 1 Redis cannot be reached, 2 wrong arguments, 3 not known"
# Names of pods and clients may be longer; the others keep their column then.
WIDTH = 24
COLOURS = {LaneState.CONNECTED: "SUCCESS", LaneState.UNKNOWN: "WARNING", LaneState.MISSING: "ERROR"}


class AskingCommand(ExplainedCommand):
    """A command that asks Redis, and exits with 1 and one line where that gives no answer."""

    def ask(self, question: Callable[[RosterReader], Awaitable[T]]) -> T:
        """Await a question to the roster."""
        return self.reach(lambda client: question(RosterReader(client, settings.STREAMS.redis_channel)))

    def reach(self, errand: Callable[[redis.asyncio.Redis], Awaitable[T]]) -> T:
        """Await what has to be done in Redis."""
        conf: StreamSettings = settings.STREAMS

        async def run() -> T:
            async with async_client(conf.redis_url) as client:
                return await errand(client)

        try:
            with quiet():
                return asyncio.run(run())
        except redis.ResponseError as error:
            raise CommandError(f"{redis_place(conf.redis_url)} refuses this: {error}.", returncode=1) from None
        except REDIS_ERRORS as error:
            why = str(error) or "it took too long"
            sentence = f"{redis_place(conf.redis_url)} gives no answer ({why}). Is it running? REDIS_URL names it."
            raise CommandError(sentence, returncode=1) from None

    def coloured(self, text: str, state: LaneState) -> str:
        """Return a text in the colour of a state, where a terminal has colours."""
        colour: Callable[[str], str] = getattr(self.style, COLOURS.get(state, "NOTICE"))
        return colour(text) if state in COLOURS else text


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what tells of itself in a pod's log from telling it to a person."""
    logger = logging.getLogger("sse")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def client_name(text: str) -> str:
    """Read an argument that names a client."""
    try:
        return valid_name(text)
    except InvalidName as error:
        raise argparse.ArgumentTypeError(str(error).replace("clientName", "NAME", 1)) from None


def store_name(text: str) -> str:
    """Read an argument that names a store."""
    if not STORE.match(text):
        raise argparse.ArgumentTypeError(f"STORE must be {STORE_RULE}.")
    return text


async def fail_unseen(reader: RosterReader, name: str) -> NoReturn:
    """Say that a client is not known, and which one may have been meant."""
    similar = did_you_mean(await similar_names(reader, name))
    raise CommandError(f"No client {name} is known.{similar}", returncode=UNSEEN_STATUS)


def entry_line(entry: TraceEntry) -> str:
    """Write an entry of a trace as a line of log is written: when, what, on which pod, and what else is known."""
    said: dict[str, Any] = msgspec.to_builtins(entry)
    facts = " ".join(
        f"{name}={quoted(value)}"
        for name, value in said.items()
        if name not in ("kind", "podName", "at", "stream", "digest")
    )
    return f"{entry.at:{WIDTH}}  {entry.kind:10}  {entry.pod_name:12}  {facts}".rstrip()
