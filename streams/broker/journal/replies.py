"""Replies of Redis that are bounded in bytes: XREAD itself counts entries, of whatever size they are."""

from __future__ import annotations

import functools
from math import inf
from typing import Any

import redis
from redis._parsers.hiredis import _AsyncHiredisParser


class ReplyTooLarge(redis.RedisError):
    """A reply was longer than asked for; its connection is closed, and nothing of it is kept."""


class ReplyLimit:
    """How many bytes the next replies may have; it may change between two commands."""

    def __init__(self) -> None:
        self.bytes: float = inf

    @property
    def parser(self) -> Any:
        """Return what makes the parser of a connection, as redis-py's `parser_class`."""
        return functools.partial(BoundedParser, self)


class BoundedParser(_AsyncHiredisParser):
    """redis-py's parser, which gives a reply up once it has fed the reader so much of it."""

    def __init__(self, limit: ReplyLimit, socket_read_size: int) -> None:
        super().__init__(socket_read_size)
        self._limit = limit
        self._read_bytes = 0

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Return the next reply; raises ReplyTooLarge."""
        self._read_bytes = 0
        return await super().read_response(*arguments, **options)

    async def read_from_socket(self) -> bool:
        """Read more of a reply."""
        stream: Any = self._stream
        reader: Any = self._reader
        data = await stream.read(self._read_size)
        if not data:
            raise redis.ConnectionError("Redis closed the connection")
        self._read_bytes += len(data)
        if self._read_bytes > self._limit.bytes:
            raise ReplyTooLarge(f"a reply has more than {self._limit.bytes} bytes")
        reader.feed(data)
        return True
