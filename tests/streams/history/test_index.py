from __future__ import annotations

from math import inf

from streams.history.index import Chains


def test_a_client_has_the_number_of_its_place_in_every_column():
    chains = Chains()
    numbers = [chains.add(name, place, [5.0, -inf]) for place, name in enumerate("ab", 10)]
    assert numbers == [0, 1] == list(chains.numbers.values())
    assert chains.names == ["a", "b"]
    assert (chains.firsts, chains.lasts) == ([10, 11], [10, 11])
    assert chains.counts == [1, 1]
    assert chains.dropped == [False, False]
    assert chains.forgotten_at == ([5.0, 5.0], [-inf, -inf])
    assert len(chains) == 2


def test_the_number_of_a_client_that_is_gone_is_given_to_the_next_with_nothing_left_of_it():
    chains = Chains()
    for place, name in enumerate("ab"):
        chains.add(name, place, [-inf, -inf])
    chains.lasts[0], chains.counts[0], chains.dropped[0] = 7, 3, True
    chains.forgotten_at[0][0] = 99.0
    assert chains.remove(0) == "a"
    assert len(chains) == 1
    assert chains.numbers == {"b": 1}
    assert chains.add("c", 20, [1.0, 2.0]) == 0
    assert chains.names == ["c", "b"]
    assert (chains.firsts[0], chains.lasts[0], chains.counts[0], chains.dropped[0]) == (20, 20, 1, False)
    assert [column[0] for column in chains.forgotten_at] == [1.0, 2.0]
    assert chains.add("d", 21, [1.0, 2.0]) == 2, "no other is free"


def test_a_client_may_come_again():
    chains = Chains()
    chains.remove(chains.add("a", 0, [-inf, -inf]))
    assert chains.names == [""]
    assert chains.numbers.get("a") is None
    assert chains.add("a", 5, [-inf, -inf]) == 0
    assert chains.firsts == [5]
