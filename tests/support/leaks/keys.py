"""Searches all that a Redis holds."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import redis

from tests.support.leaks.watch import watch

BATCH = 1000
# How the whole of a key is read, by its type.
READERS: dict[bytes, Callable[[Any, bytes], Any]] = {
    b"string": lambda pipeline, key: pipeline.get(key),
    b"hash": lambda pipeline, key: pipeline.hgetall(key),
    b"list": lambda pipeline, key: pipeline.lrange(key, 0, -1),
    b"set": lambda pipeline, key: pipeline.smembers(key),
    b"zset": lambda pipeline, key: pipeline.zrange(key, 0, -1),
    b"stream": lambda pipeline, key: pipeline.xrange(key),
}


def search_keys(client: redis.Redis) -> None:
    """Look for secrets in the names of all keys, and in what they hold."""
    every = client.scan_iter(count=BATCH)
    while keys := tuple(itertools.islice(every, BATCH)):
        watch.search("the names of keys", b"\n".join(keys))
        for key, held in zip(keys, contents(client, keys), strict=True):
            watch.search(f"the key {key!r}", flat(held))


def contents(client: redis.Redis, keys: tuple[bytes, ...]) -> list[Any]:
    """Return what keys hold; nothing of those that end meanwhile."""
    with client.pipeline(transaction=False) as asking:
        for key in keys:
            asking.type(key)
        types = asking.execute()
    with client.pipeline(transaction=False) as asking:
        for key, kind in zip(keys, types, strict=True):
            READERS.get(kind, READERS[b"string"])(asking, key)
        return asking.execute()


def flat(held: Any) -> bytes:
    """Return all that is in a value, each piece on a line of its own."""
    if isinstance(held, dict):
        held = itertools.chain.from_iterable(held.items())
    if isinstance(held, bytes) or not hasattr(held, "__iter__"):
        return held if isinstance(held, bytes) else b""
    return b"\n".join(map(flat, held))
