from __future__ import annotations

import pytest

from streams.server.idle import LOOKS, Idle


class Client:
    """A connection that was closed or not."""

    def __init__(self, idle: Idle[Client]) -> None:
        self.idle = idle
        self.is_cut = False
        self.unread = False

    def has_unread(self) -> bool:
        return self.unread

    def cut(self) -> None:
        self.is_cut = True
        self.idle.forget(self)
        self.idle.closed()


def open_many(idle: Idle[Client], count: int) -> list[Client]:
    """Open connections as the server does: each may wait before it is counted."""
    clients = [Client(idle) for _ in range(count)]
    for number, client in enumerate(clients):
        idle.wait(client, float(number))
        idle.opened()
    return clients


@pytest.mark.parametrize(("most_open", "most_idle"), [(3, 100), (100, 3)])
def test_opened_closes_the_one_that_has_waited_longest(most_open: int, most_idle: int):
    idle: Idle[Client] = Idle(most_open, most_idle)
    clients = open_many(idle, 5)
    assert [client.is_cut for client in clients] == [True, True, False, False, False]
    assert (len(idle), idle.closed_early) == (3, 2)


def test_opened_closes_nobody_whose_request_has_come_and_is_not_read_yet():
    """A probe was reset behind which more opened in one turn of the loop than there may be."""
    idle: Idle[Client] = Idle(3)
    probe, second, _ = open_many(idle, 3)
    probe.unread = True
    open_many(idle, 1)
    assert (probe.is_cut, second.is_cut) == (False, True)
    assert len(idle) == 3


def test_opened_closes_the_oldest_where_all_have_sent_something():
    idle: Idle[Client] = Idle(LOOKS + 2)
    clients = open_many(idle, LOOKS + 2)
    for client in clients[: LOOKS + 1]:
        client.unread = True
    open_many(idle, 1)
    assert [client for client in clients if client.is_cut] == clients[:1]


def test_opened_closes_nobody_whose_request_is_under_way():
    idle: Idle[Client] = Idle(3)
    streams = open_many(idle, 3)
    for stream in streams:
        idle.forget(stream)
    (probe,) = open_many(idle, 1)
    assert probe.is_cut, "there is no other to give way"
    assert not any(stream.is_cut for stream in streams)


def test_opened_closes_nobody_where_none_waits():
    idle: Idle[Client] = Idle(0)
    idle.opened()
    assert idle.closed_early == 0


def test_closed_makes_room():
    idle: Idle[Client] = Idle(2)
    clients = open_many(idle, 2)
    idle.forget(clients[0])
    idle.closed()
    open_many(idle, 1)
    assert not clients[1].is_cut


def test_who_waits_again_is_the_youngest():
    idle: Idle[Client] = Idle(2)
    first, second = open_many(idle, 2)
    idle.forget(first)
    idle.wait(first, 9.0)
    open_many(idle, 1)
    assert (first.is_cut, second.is_cut) == (False, True)


def test_who_begins_a_request_after_a_long_wait_is_the_youngest():
    idle: Idle[Client] = Idle(2)
    first, second = open_many(idle, 2)
    idle.wait(first, 9.0)
    open_many(idle, 1)
    assert (first.is_cut, second.is_cut) == (False, True)


def test_overdue_are_those_whose_time_is_over():
    idle: Idle[Client] = Idle(10)
    clients = open_many(idle, 3)
    assert idle.overdue(1.0) == clients[:2]
    idle.forget(clients[0])
    idle.forget(clients[0])
    assert idle.overdue(1.0) == clients[1:2]
