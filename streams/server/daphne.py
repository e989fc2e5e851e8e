"""Our Daphne: the same server with a start, a stop and a listen queue fit for many long streams."""

# isort: off - the order of these imports is what they are for
import asyncio
import contextlib

from streams.footprint import without_unspoken_protocols

# The event loop's policy has to stand before daphne.server makes Twisted's reactor of it.
# uvloop takes 10 to 30 % off each event, and is not made for every platform.
with contextlib.suppress(ImportError):
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

with without_unspoken_protocols():
    from daphne.server import Server
# isort: on

import errno
import logging
import resource
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet import defer, reactor
from twisted.internet.endpoints import quoteStringArgument
from twisted.logger import STDLibLogObserver, globalLogPublisher
from twisted.python.failure import Failure

from streams.http.stream_request import headers_read, place
from streams.pod import Pod, possible_connections
from streams.server.http_channel import RequestReader
from streams.server.idle import Idle
from streams.server.inbox import Inbox
from streams.server.invitation import invitation
from streams.server.readiness import Readiness
from streams.server.transport import Transport
from streams.transport.listen_queue import LISTEN_BACKLOG, widen_queue
from streams.transport.reactor_clock import use_steady_clock

logger = logging.getLogger("sse.server")
use_steady_clock()

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# How often it is looked for requests that take too long.
LOOK_SECONDS = 1.0


def log_everything() -> None:
    """Let what Twisted and Python have to say go where the log goes, which waits for no reader."""
    # Daphne has begun Twisted's log already, to nowhere.
    globalLogPublisher.addObserver(STDLibLogObserver())
    logging.captureWarnings(True)


def look_and_accept(readiness: Readiness, accept: Callable[[], None]) -> None:
    """Accept connections, once those that have ended are: a client that comes back is to evict nobody."""
    readiness.look()
    accept()


class ListenError(Exception):
    """The pod's address cannot be listened on; `port` is which of its ports."""

    def __init__(self, reason: str, port: int) -> None:
        super().__init__(reason)
        self.port = port


class StreamServer(Server):
    """A Daphne server that starts its pod before it listens and stops it before it ends."""

    def __init__(self, application: Any, pod: Pod, *, host: str, port: int, root_path: str = "") -> None:
        interface = quoteStringArgument(host)
        ports = [port, *([pod.conf.admin_port] if pod.conf.admin_port else [])]
        super().__init__(
            application,
            endpoints=[f"tcp:port={each}:interface={interface}:backlog={LISTEN_BACKLOG}" for each in ports],
            signal_handlers=False,
            # A stream has no end of its own, so nothing here may limit its duration.
            http_timeout=None,
            ready_callable=self._ready,
            server_name="",
            root_path=root_path,
        )
        self._pod = pod
        self.headers_read = headers_read(pod.conf.stream_auth)
        # Daphne itself takes the loop from here.
        self._loop = reactor._asyncioEventloop  # noqa: SLF001
        self.idle: Idle[RequestReader] = Idle(possible_connections())
        self._draining: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._port = port
        self._listen_failure: ListenError | None = None

    # Read by the writer, which sets them on each connection of any other server.
    socket_options_inherited = True

    def run(self) -> None:
        """Serve until a signal ends it.

        Raises ListenError where the address cannot be listened on.
        """
        super().run()
        for number in STOP_SIGNALS:
            # It has stopped: another one, such as a supervisor's, must not make a failure of that.
            signal.signal(number, signal.SIG_IGN)
        if self._listen_failure:
            raise self._listen_failure

    def listen_success(self, port: Any) -> None:
        """Say where the pod is found."""
        super().listen_success(port)
        readiness = Readiness(self._loop)
        # Linux hands a listening socket's options on to every connection that it accepts.
        for each in widen_queue(port, self._pod.socket_options.set_on):
            each.transport = partial(Transport, readiness)
            each.doRead = partial(look_and_accept, readiness, each.doRead)
        address = port.getHost()
        shown = place(address.host, address.port)
        if address.port == self._pod.conf.admin_port:
            logger.info("Pages for operators on port %d (http://%s%s/admin)", address.port, shown, self.root_path)
            return
        logger.info("SSE Server started on port %d (http://%s%s)", address.port, shown, self.root_path)
        for line in invitation(self._pod.conf, address.host, address.port, self.root_path):
            logger.info(line)

    def listen_error(self, failure: Failure) -> None:
        """Keep the reason for whoever called run()."""
        reason = getattr(failure.value, "socketError", failure.value)
        sentence = f"{getattr(reason, 'strerror', None) or reason}."
        port = getattr(failure.value, "port", self._port)
        if getattr(reason, "errno", None) == errno.EADDRINUSE:
            another = "PORT or --port" if port == self._port else "ADMIN_PORT"
            sentence += f" Stop what listens there, or choose another with {another}."
        self._listen_failure = ListenError(sentence, port)
        self.stop()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Inbox | None:
        """Run the application for a request, and look after it when it ends."""
        # The request may be gone before its application was made.
        if protocol not in self.connections:
            return None
        inbox = Inbox(self._loop)
        scope["asgi"] = {"version": "3.0"}
        coroutine = self.application(scope, inbox.get, partial(self.handle_reply, protocol))
        task = self.connections[protocol]["application_instance"] = self._loop.create_task(coroutine)
        task.add_done_callback(partial(self._application_ended, protocol))
        return inbox

    def _application_ended(self, protocol: Any, task: asyncio.Task[None]) -> None:
        details = self.connections[protocol]
        del details["application_instance"]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("A request failed: %s", error, exc_info=error)
        if "disconnected" in details:
            del self.connections[protocol]
        elif error is not None:
            protocol.handle_exception(error)

    def protocol_disconnected(self, protocol: Any) -> None:
        """Forget a request once both it and its application have ended."""
        details = self.connections.get(protocol)
        if details is None:
            return
        details["disconnected"] = True
        if "application_instance" not in details:
            del self.connections[protocol]

    def application_checker(self) -> None:
        """Do nothing: Daphne looks at every connection each second for what callbacks tell here."""

    def timeout_checker(self) -> None:
        """End the connections whose requests take too long to come, and look again in a second."""
        for reader in self.idle.overdue(time.monotonic()):
            reader.setTimeout(None)
            reader.timeoutConnection()
        if count := self.idle.closed_early:
            self.idle.closed_early = 0
            logger.warning(
                "Closed %d connection(s) that sent no request, to make room for others (ulimit -n is %g).",
                count,
                resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            )
        reactor.callLater(LOOK_SECONDS, self.timeout_checker)

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

    def _build_reader(self, peer: Any) -> RequestReader:
        reader = RequestReader(peer)
        reader.factory = self.http_factory
        return reader

    def _ready(self) -> None:
        # Daphne has made its factory by now, and the loop that accepts connections does not turn yet.
        self.http_factory.buildProtocol = self._build_reader
        log_everything()
        for number in STOP_SIGNALS:
            # nohup has hang-ups ignored.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                self._loop.add_signal_handler(number, self._stop_on_signal, number)
        self._loop.call_soon(self._pod.start)

    def _stop_on_signal(self, number: int) -> None:
        name = signal.Signals(number).name
        if self._draining is not None and number == signal.SIGHUP:
            # A terminal that closes sends one, and so does its shell.
            return
        if self._draining is not None:
            logger.warning("%s again: stopping now", name)
            self._draining.cancel()
            return
        logger.info("%s: stopping; %d connection(s) open", name, len(self._pod.registry))
        # Ctrl-C is a person who waits; an orchestrator has planned for the drain, and who closed a terminal is gone.
        drain = asyncio.sleep(0) if number == signal.SIGINT else self._pod.drain()
        self._draining = asyncio.ensure_future(drain)
        # A callback, because a task that is cancelled before its first step runs no line of its own.
        self._draining.add_done_callback(self._drained)

    def _drained(self, draining: asyncio.Task[None]) -> None:
        if not draining.cancelled() and (error := draining.exception()) is not None:
            logger.error("The drain failed: %s", error, exc_info=error)
        self._stopping = asyncio.ensure_future(self._stop())

    async def _stop(self) -> None:
        try:
            await self._pod.stop()
        except Exception:
            # Nobody awaits this task, and the server ends all the same.
            logger.exception("The stop failed")
        finally:
            logger.info("Stopped; this pod was up for %.0f s", self._pod.uptime_seconds)
            self.stop()
