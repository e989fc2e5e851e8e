"""Our Daphne: the same server with a start, a stop and a listen queue fit for many long streams."""

# The event loop's policy has to stand before daphne.server makes Twisted's reactor of it.
# uvloop takes 10 to 30 % off each event, and is not made for every platform.
import asyncio  # isort:skip
import contextlib  # isort:skip

with contextlib.suppress(ImportError):
    import uvloop  # isort:skip

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

import logging
import signal
import time
from typing import Any

from daphne.server import Server
from twisted.internet import defer, reactor
from twisted.internet.endpoints import quoteStringArgument
from twisted.python.failure import Failure

from streams.worker import Worker

log = logging.getLogger("sse.server")

# Daphne's own is 50: after a restart thousands of devices knock within a second. The
# kernel caps it at net.core.somaxconn.
LISTEN_BACKLOG = 4096


class ListenError(Exception):
    """The pod's address cannot be listened on."""


class StreamServer(Server):
    """A Daphne server that starts its worker before it listens and stops it before it ends."""

    def __init__(self, application: Any, worker: Worker, *, host: str, port: int) -> None:
        interface = quoteStringArgument(host)
        super().__init__(
            application,
            endpoints=[f"tcp:port={port}:interface={interface}:backlog={LISTEN_BACKLOG}"],
            signal_handlers=False,
            # A stream has no end of its own, so nothing here may limit its duration.
            http_timeout=None,
            ready_callable=self._ready,
            server_name="",
        )
        self._worker = worker
        self._stopping: asyncio.Task[None] | None = None
        self._listen_failure = ""

    def run(self) -> None:
        """Serve until a signal ends it.

        Raises ListenError where the address cannot be listened on.
        """
        super().run()
        if self._listen_failure:
            raise ListenError(self._listen_failure)

    def listen_success(self, port: Any) -> None:
        """Say where the pod is found."""
        super().listen_success(port)
        address = port.getHost()
        log.info("SSE Server started on port %d (http://%s:%d)", address.port, address.host, address.port)

    def listen_error(self, failure: Failure) -> None:
        """Keep the reason for whoever called run()."""
        self._listen_failure = failure.getErrorMessage()
        self.stop()

    def kill_all_applications(self) -> defer.Deferred[Any]:
        """Cancel every request's task; one that was only half received has none."""
        tasks = [
            details["application_instance"]
            for details in self.connections.values()
            if "application_instance" in details
        ]
        for task in tasks:
            task.cancel()
        return defer.Deferred.fromFuture(asyncio.ensure_future(asyncio.wait(tasks))) if tasks else defer.succeed(None)

    def _ready(self) -> None:
        loop = reactor._asyncioEventloop  # noqa: SLF001 - Daphne itself takes the loop from here
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_on_signal, number)
        loop.call_soon(self._worker.start)

    def _stop_on_signal(self, number: int) -> None:
        if self._stopping is not None:
            log.warning("%s again: stopping now", signal.Signals(number).name)
            self.stop()
            return
        log.info("%s: stopping; %d connection(s) open", signal.Signals(number).name, len(self._worker.registry))
        self._stopping = asyncio.ensure_future(self._stop())

    async def _stop(self) -> None:
        try:
            await self._worker.stop()
        finally:
            log.info("Stopped after %.0f s", time.time() - self._worker.started_at)
            self.stop()
