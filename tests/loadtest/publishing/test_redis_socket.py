"""The publishing socket against a real server."""

from __future__ import annotations

import pytest

from loadtest.errors import LoadTestError
from loadtest.publishing.redis_socket import RedisSocket
from tests.support.redis_server import RedisServer

PUBLISH = b"*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$1\r\nx\r\n"


def publish(connection: RedisSocket, command: bytes) -> None:
    connection.send([command])
    connection.receive(wait=True)


def test_counts_every_answer(redis_url):
    connection = RedisSocket(redis_url)
    for _ in range(10):
        connection.send([PUBLISH] * 1000)
    while connection.unacknowledged:
        connection.receive(wait=True)
    connection.close()
    assert connection.acknowledged == 10_000
    assert connection.unheard == 10_000


def test_an_answer_may_come_in_two_pieces(redis_url):
    connection = RedisSocket(redis_url)
    for piece in (b":1\r\n:1", b"0\r", b"\n:0\r\n"):
        connection._count_answers(piece)
    connection.close()
    assert (connection.acknowledged, connection.unheard) == (3, 1)


def test_a_refusal_is_one_sentence(redis_url):
    connection = RedisSocket(redis_url)
    with pytest.raises(LoadTestError, match="refused to publish: ERR unknown command"):
        publish(connection, b"*1\r\n$4\r\nNOPE\r\n")
    connection.close()


def test_a_password_is_given(mortal_redis: RedisServer):
    mortal_redis.start()
    mortal_redis.client.config_set("requirepass", "secret")
    connection = RedisSocket(f"redis://:secret@127.0.0.1:{mortal_redis.port}")
    publish(connection, PUBLISH)
    connection.close()
    assert connection.acknowledged == 1
    with pytest.raises(LoadTestError, match="refused the password"):
        RedisSocket(f"redis://:wrong@127.0.0.1:{mortal_redis.port}")


def test_a_url_that_cannot_be_used():
    with pytest.raises(LoadTestError, match="The Redis URL cannot be used"):
        RedisSocket("http://127.0.0.1")
