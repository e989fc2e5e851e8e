from __future__ import annotations

import random
from itertools import pairwise
from statistics import mean

import pytest

from streams.delivery.connection import Connection
from streams.delivery.phases import PER_NEIGHBOUR, Slots
from tests.streams.builders import Recorder

COUNT = 120


@pytest.fixture(autouse=True)
def same_draws() -> None:
    random.seed(5)


def opened(slots: Slots, number: int) -> list[Connection]:
    connections = [Connection(f"a{n}", Recorder()) for n in range(number)]
    for total, connection in enumerate(connections, 1):
        slots.add(connection, total)
    return connections


def sizes(slots: Slots) -> list[int]:
    return [len(slot) for slot in slots]


def test_a_connection_is_in_its_slot_until_it_is_taken_out():
    slots = Slots(COUNT)
    assert len(slots) == len(list(slots)) == COUNT
    connection, other = opened(slots, 2)
    assert connection in slots[connection.slot]
    slots.discard(connection)
    slots.discard(connection)
    assert sum(sizes(slots)) == 1
    assert other in slots[other.slot]


@pytest.mark.parametrize("number", [120, 1200, 20_000])
def test_no_slot_has_much_more_than_the_others(number: int):
    slots = Slots(COUNT)
    opened(slots, number)
    assert sum(sizes(slots)) == number
    # As wide as a few blocks of neighbours.
    assert max(sizes(slots)) <= mean(sizes(slots)) + 4 * (1 + number // PER_NEIGHBOUR)


def test_those_that_are_few_are_each_on_their_own():
    slots = Slots(COUNT)
    connections = opened(slots, 100)
    assert len({connection.slot for connection in connections}) > 50


def test_neighbours_of_many_share_a_slot_in_the_order_in_which_they_were_opened():
    slots = Slots(COUNT)
    connections = opened(slots, 20 * PER_NEIGHBOUR)
    moves = sum(one.slot != other.slot for one, other in pairwise(connections[-4000:]))
    assert moves <= 4000 / 16
    place = {connection: number for number, connection in enumerate(connections)}
    for slot in slots:
        places = [place[connection] for connection in slot]
        assert places == sorted(places)


def test_slots_fill_up_again_evenly_when_a_part_of_them_has_left():
    slots = Slots(COUNT)
    for connection in opened(slots, 5000):
        if connection.slot < COUNT / 2:
            slots.discard(connection)
    opened(slots, 5000)
    first, second = sizes(slots)[: COUNT // 2], sizes(slots)[COUNT // 2 :]
    # A draw of one slot would leave the second half with twice as many more.
    assert sum(first) > 0.6 * sum(second)


def test_the_share_is_the_place_in_the_period():
    slots = Slots(COUNT)
    shares = [slots.share(connection) for connection in opened(slots, 1000)]
    assert 0 <= min(shares) < 0.1
    assert 0.9 < max(shares) < 1
