"""Back ends that publish over HTTP, by any pod, and try again with the same id until one says that it has the event."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.chaos.cluster import PODS, Cluster
from tests.chaos.faults import rest
from tests.chaos.publishing import Ledger
from tests.chaos.verdict import Ingress, Published
from tests.support.http import HOST, Answer, parse_answer, request_bytes

EVENTS = "/api/v1/events"
# A pod that says nothing for so long is left for another one.
ANSWER_SECONDS = 4.0
RETRY_SECONDS = (0.1, 1.0)
# What is not to be tried again without a change: https://www.rfc-editor.org/rfc/rfc9110#section-15.5
FINAL = range(400, 500)
LATER = (408, 429)


class BackEnd:
    """One of many: it publishes an event, waits until that is accepted, and rests for a while."""

    def __init__(
        self, cluster: Cluster, ledger: Ledger, lanes: Sequence[str], pause_seconds: float, draw: random.Random
    ) -> None:
        self._cluster = cluster
        self._ledger = ledger
        self._lanes = lanes
        self._pause_seconds = pause_seconds
        self._draw = draw

    async def publish_until(self, over: asyncio.Event) -> None:
        """Publish until it is over; an event that is not accepted by then is neither lost nor required."""
        # Not all at one moment.
        await rest(over, self._draw.uniform(0, self._pause_seconds))
        while not over.is_set():
            await self._publish(over)
            await rest(over, self._draw.expovariate(1 / self._pause_seconds))

    async def _publish(self, over: asyncio.Event) -> None:
        lane, ledger = self._draw.choice(self._lanes), self._ledger
        draft = ledger.draft(lane, Ingress.HTTP)
        timestamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said = {"clientName": lane, "action": "payment", "eventId": draft.event_id, "timestamp": timestamp}
        earliest = time.time()
        while not over.is_set():
            answer = await self._post(json.dumps(said).encode())
            if answer is not None and answer.status == 202:
                ledger.acknowledged.append(Published(draft.event_id, lane, Ingress.HTTP, earliest, time.time()))
                return
            if answer is not None and answer.status in FINAL and answer.status not in LATER:
                ledger.wrong.append(f"{draft.event_id}: {answer.status} {answer.body.decode()}")
                return
            ledger.retries += 1
            await rest(over, self._draw.uniform(*RETRY_SECONDS))
        ledger.uncertain += 1

    async def _post(self, body: bytes) -> Answer | None:
        """Ask some pod; return nothing where no whole answer came."""
        headers = {"Content-Type": "application/json", "Connection": "close"}
        request = request_bytes("POST", EVENTS, headers, body)
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                port = self._cluster.port(self._draw.randrange(PODS))
                reader, writer = await asyncio.open_connection(HOST, port)
                writer.write(request)
                return parse_answer(await reader.read())
        except (OSError, TimeoutError, AssertionError):
            # A pod that is killed within its answer leaves half of it.
            return None
        finally:
            if writer is not None:
                writer.transport.abort()
