"""Thousands of devices in one process, each of which comes back by itself wherever it is let in."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from tests.support.http import HOST, request_bytes

# Streams that are about to be greeted at any time, of all devices.
AT_ONCE = 200
GREETING_SECONDS = 30.0
RETRY_SECONDS = (0.05, 0.5)
GREETING = b'"type":"connected"'
REASON = re.compile(rb'"reason":"([^"]+)"')
KEPT_BYTES = 1_024


class Stream(asyncio.Protocol):
    """One connection of a device, of which the greeting and the end are read, and nothing between."""

    def __init__(self, name: str, user_agent: str) -> None:
        loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[bool] = loop.create_future()
        self.ended: asyncio.Future[str] = loop.create_future()
        self._request = request_bytes("GET", f"/events/{name}", {"User-Agent": user_agent})
        self._transport: asyncio.Transport | None = None
        self._last = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._last = (self._last + data)[-KEPT_BYTES:]
        if not self.greeted.done() and GREETING in self._last:
            self.greeted.set_result(True)
            self._last = b""

    def connection_lost(self, error: Exception | None) -> None:
        reason = REASON.findall(self._last)
        if not self.greeted.done():
            self.greeted.set_result(False)
        if not self.ended.done():
            self.ended.set_result(reason[-1].decode() if reason else "")

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Device:
    """One device; `stream` is what it has now, and `place` the number of the pod that it is on."""

    def __init__(self, fleet: Fleet, name: str, home: int) -> None:
        self.name = name
        self.home = home
        self.stream: Stream | None = None
        self.place: int | None = None
        self.connects = 0
        self._fleet = fleet
        self._moving = asyncio.Event()
        self._task = asyncio.create_task(self._live(), name=name)

    def move(self, place: int, *, silently: bool = False) -> None:
        """Go to another pod; silently, as one without power does, which leaves the old stream open."""
        self.home, stream = place, self.stream
        if stream is None:
            return
        if silently:
            self._fleet.left_open.append(stream)
            self._moving.set()
        else:
            stream.abort()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self.stream is not None:
            self.stream.abort()

    async def _live(self) -> None:
        while True:
            await self._fleet.coming.wait()
            if await self._connect():
                await self._until_over()
            self.stream = self.place = None
            await asyncio.sleep(random.uniform(*RETRY_SECONDS))

    async def _connect(self) -> bool:
        place = self._fleet.place_for(self)
        stream = Stream(self.name, f"Till of {self.name}")
        async with self._fleet.room:
            try:
                await asyncio.get_running_loop().create_connection(lambda: stream, HOST, self._fleet.port(place))
                async with asyncio.timeout(GREETING_SECONDS):
                    greeted = await asyncio.shield(stream.greeted)
            except (OSError, TimeoutError):
                greeted = False
        if not greeted:
            stream.abort()
            return False
        self.stream, self.place = stream, place
        self.connects += 1
        return True

    async def _until_over(self) -> None:
        assert self.stream is not None
        self._moving.clear()
        moving = asyncio.ensure_future(self._moving.wait())
        either: list[asyncio.Future[Any]] = [moving, self.stream.ended]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            moving.cancel()


class Fleet:
    """All devices; `port` gives that of a pod by its number, and `homes` where each device goes if it may."""

    def __init__(self, homes: Mapping[str, int], port: Callable[[int], int]) -> None:
        self.port = port
        # Pods that a front door would send devices to.
        self.open_places = sorted(set(homes.values()))
        # Cleared where devices that lost their stream are to stay away.
        self.coming = asyncio.Event()
        self.coming.set()
        self.room = asyncio.Semaphore(AT_ONCE)
        # Streams that devices went away from in silence.
        self.left_open: list[Stream] = []
        self.devices = [Device(self, name, home) for name, home in homes.items()]

    def place_for(self, device: Device) -> int:
        return device.home if device.home in self.open_places else random.choice(self.open_places)

    @property
    def connected(self) -> int:
        return sum(device.stream is not None for device in self.devices)

    def on(self, place: int) -> list[Device]:
        return [device for device in self.devices if device.place == place]

    async def stop(self) -> None:
        await asyncio.gather(*(device.stop() for device in self.devices))
        abort_all(self.left_open)


def abort_all(streams: Iterable[Stream]) -> None:
    for stream in streams:
        stream.abort()


def names_of(count: int, lanes: int) -> list[str]:
    """Return names of so many devices, of stores that have so many lanes each."""
    return [f"STORE{number // lanes:05}-LANE{number % lanes + 1:02}" for number in range(count)]
