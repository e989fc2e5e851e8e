"""Which server is the primary, and since when another may have been; real servers are in tests/e2e/faults."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from streams.broker.side import (
    LONGEST_HISTORY_SECONDS,
    OFFSETS_KEPT,
    UPTIME_SECONDS,
    Opened,
    Side,
    Standing,
    read_standing,
)

ZEROS = "0" * 40
OLD = Standing(role="master", run_id="old", replid="first", offset=100, uptime=900.0)
# It was a replica of the old one up to offset 130.
NEW = Standing("master", run_id="new", replid="second", former_replid="first", former_end=130, offset=7, uptime=900.0)
UNRELATED = NEW._replace(former_replid="", former_end=-2)
REPLICA = OLD._replace(role="slave", primary="10.0.0.2:6379")
ANOTHER = Opened("", True, None)


@pytest.fixture
def side() -> Side:
    """A side that opened its connection at 1, and checked the server each second until 5."""
    side = Side(0.0)
    assert side.opened(OLD, 1.0, 1.0) == Opened()
    for moment in range(2, 6):
        assert side.checked(OLD._replace(offset=100 + 10 * (moment - 1)), float(moment)) == ""
    return side


# Connections that open


def test_opened_replica_is_refused_with_its_primary():
    assert Side(0.0).opened(REPLICA, 1.0, 1.0).refusal == "it is a read-only replica, and its primary is 10.0.0.2:6379"


def test_opened_other_role_is_refused():
    assert "sentinel" in Side(0.0).opened(Standing("sentinel"), 1.0, 1.0).refusal


def test_opened_same_server_shows_nothing(side: Side):
    assert side.opened(OLD, 6.0, 6.0) == Opened()
    assert side.proved_at == 6.0


def test_opened_server_that_says_nothing_is_used_as_it_is():
    side = Side(0.0)
    assert side.opened(Standing(), 1.0, 1.0) == side.opened(Standing(), 2.0, 2.0) == Opened()
    assert side.checked(Standing(), 3.0) == ""


@pytest.mark.parametrize(
    ("former_end", "since"),
    [(130, 3.0), (131, 4.0), (1_000, 5.0), (100, 1.0), (1, 1.0 - LONGEST_HISTORY_SECONDS)],
    ids=["not where both may have ended", "within", "after the last proof", "at the first", "before all that is known"],
)
def test_opened_former_replica_tells_where_it_parted(former_end: int, since: float, side: Side):
    """Of the offsets that the old one had, 100 at 1 up to 140 at 5, those before the end were shared."""
    opened = side.opened(NEW._replace(former_end=former_end), 9.0, 9.0)
    assert opened == Opened("", True, since)
    assert side.proved_at == 9.0


def test_opened_former_replica_of_a_time_that_is_forgotten_parted_at_the_first_connect(side: Side):
    for number in range(OFFSETS_KEPT + 10):
        side.checked(OLD._replace(offset=1_000 + number), 6.0 + number)
    assert side.opened(NEW, 700.0, 700.0).wrong_since == 1.0


def test_opened_unrelated_server_counts_from_the_first_connect(side: Side):
    """Others may have been primaries between the two."""
    assert side.opened(UNRELATED, 9.0, 9.0) == Opened("", True, 1.0)


def test_opened_server_that_was_restarted_at_once_took_nothing_before(side: Side):
    """Its uptime counts from the second in which it started."""
    restarted = UNRELATED._replace(uptime=1.0)
    assert side.opened(restarted, 5.1, 5.0 + 1.0 - UPTIME_SECONDS) == ANOTHER


def test_opened_replica_that_was_promoted_was_restarted_only_where_that_is_sure(side: Side):
    """It may have begun before the last proof, and publishers have had another primary between the two."""
    promoted = UNRELATED._replace(uptime=1.0, former_replid="of-another", former_end=5)
    assert side.opened(promoted, 5.1, 5.0 + 1.0 + UPTIME_SECONDS - 0.01).wrong_since == 1.0


def test_opened_replica_that_was_surely_restarted_took_nothing_before(side: Side):
    promoted = UNRELATED._replace(uptime=1.0, former_replid="of-another", former_end=5)
    assert side.opened(promoted, 5.1, 5.0 + 1.0 + UPTIME_SECONDS) == ANOTHER


def test_opened_server_that_ran_before_the_last_proof_may_have_been_another_primary(side: Side):
    started = UNRELATED._replace(uptime=2.0)
    assert side.opened(started, 5.9, 5.0 + 2.0 - UPTIME_SECONDS - 0.01).wrong_since == 1.0


def test_opened_same_server_that_was_a_replica_meanwhile(side: Side):
    back = OLD._replace(replid="third", former_replid="second", former_end=500)
    assert side.opened(back, 9.0, 9.0) == Opened("", False, 1.0)


def test_opened_next_connection_to_the_same_server_is_told_nothing_more(side: Side):
    side.opened(NEW, 9.0, 9.0)
    assert side.opened(NEW, 9.5, 9.5) == Opened()


# Connections in use


def test_checked_before_any_opened_shows_nothing():
    assert Side(0.0).checked(REPLICA, 1.0) == ""


def test_checked_demoted_server_is_left_once(side: Side):
    assert side.checked(REPLICA, 6.0) == "it is a replica of 10.0.0.2:6379 now"
    assert side.checked(REPLICA, 7.0) == "", "it is left already"
    assert side.proved_at == 5.0


def test_checked_another_server_is_left(side: Side):
    assert side.checked(NEW, 6.0) == "another Redis answers there now"


def test_checked_server_that_was_a_replica_meanwhile_is_left(side: Side):
    assert side.checked(OLD._replace(replid="third", former_replid="second"), 6.0) == "it was a replica meanwhile"


def test_checked_primary_with_a_new_history_is_the_same_primary(side: Side):
    """It takes one when its first replica comes, and an hour after its last one went."""
    renamed = OLD._replace(replid="renamed", offset=150)
    assert side.checked(renamed, 6.0) == ""
    assert side.opened(NEW._replace(former_replid="renamed", former_end=145), 9.0, 9.0).wrong_since == 5.0


def test_checked_answer_older_than_the_last_proof_shows_nothing(side: Side):
    """It was asked before a connection to the new primary opened."""
    side.opened(NEW, 9.0, 9.0)
    assert side.checked(REPLICA, 8.5) == ""
    assert side.checked(NEW, 10.0) == ""


def test_left_server_counts_from_its_last_proof_at_the_latest(side: Side):
    side.checked(REPLICA, 6.0)
    assert side.opened(NEW._replace(former_end=1_000), 30.0, 30.0) == Opened("", True, 5.0)


def test_left_server_is_not_taken_for_one_that_was_restarted(side: Side):
    side.checked(REPLICA, 6.0)
    assert side.opened(UNRELATED._replace(uptime=0.0), 30.0, 30.0) == Opened("", True, 1.0)


def test_left_server_that_is_the_primary_again_was_none_meanwhile(side: Side):
    side.checked(REPLICA, 6.0)
    assert side.opened(REPLICA, 7.0, 7.0).refusal
    assert side.opened(OLD, 9.0, 9.0) == Opened("", False, 1.0)


def test_left_name_that_comes_back_counts_from_when_it_was_last_seen(side: Side):
    for moment in (6.0, 7.0):
        side.named("10.0.0.1", ["10.0.0.2"], moment)
    assert side.opened(OLD, 9.0, 9.0).wrong_since == 0.0


# Names


def test_named_as_before_shows_nothing(side: Side):
    assert side.named("10.0.0.1", ["10.0.0.3", "10.0.0.1"], 6.0) == ""
    assert side.named("::1", ["0:0:0:0:0:0:0:1"], 7.0) == ""
    assert side.named("fe80::1%eth0", ["fe80::1"], 7.0) == ""
    assert side.named("redis", ["redis"], 7.0) == ""


def test_named_nothing_shows_nothing(side: Side):
    for moment in range(6, 20):
        assert side.named("10.0.0.1", [], float(moment)) == ""


def test_named_otherwise_twice_is_left(side: Side):
    side.named("10.0.0.1", ["10.0.0.1"], 4.5)
    assert side.named("10.0.0.1", ["10.0.0.2"], 5.5) == "", "some of several addresses may be left out"
    assert side.named("10.0.0.1", ["10.0.0.3", "10.0.0.2"], 6.5) == "its name now means 10.0.0.2, 10.0.0.3"
    assert side.named("10.0.0.1", ["10.0.0.2"], 7.5) == "", "it is left already"
    assert side.opened(UNRELATED, 9.0, 9.0) == Opened("", True, 4.5)


def test_named_otherwise_now_and_then_is_no_move(side: Side):
    for moment in range(6, 20):
        addresses = ["10.0.0.1"] if moment % 2 else ["10.0.0.2"]
        assert side.named("10.0.0.1", addresses, float(moment)) == ""


def test_named_otherwise_once_counts_where_the_link_is_lost_then(side: Side):
    side.named("10.0.0.1", ["10.0.0.1"], 3.5)
    side.named("10.0.0.1", ["10.0.0.2"], 4.5)
    assert side.opened(UNRELATED, 9.0, 9.0).wrong_since == 3.5


def test_named_otherwise_is_forgotten_with_the_next_server(side: Side):
    side.named("10.0.0.1", ["10.0.0.2"], 5.5)
    side.opened(UNRELATED, 9.0, 9.0)
    assert side.named("10.0.0.2", ["10.0.0.1"], 9.5) == ""


# What servers say

SERVER = {"run_id": "abc", "uptime_in_seconds": 42}
HISTORY: dict[str, Any] = {
    "role": "slave",
    "master_host": "10.0.0.2",
    "master_port": 6379,
    "master_replid": "f7343b84",
    "master_replid2": "a51c",
    "second_repl_offset": 131,
    "master_repl_offset": 140,
}
WHOLE = Standing("slave", "10.0.0.2:6379", "abc", "f7343b84", "a51c", 130, 140, 42.0)
REFUSED = PermissionError("NOPERM")


def info(fields: dict[str, Any]) -> str:
    return "# Section\r\n" + "".join(f"{name}:{value}\r\n" for name, value in fields.items()) + "\r\n"


@pytest.mark.parametrize(
    "replies",
    [
        [[b"slave", b"10.0.0.2", 6379, b"connected", 140], SERVER, HISTORY],
        [["slave", "10.0.0.2", 6379, "connected", 140], info(SERVER), info(HISTORY)],
        [[b"slave", b"10.0.0.2", 6379, b"sync", -1], info(SERVER).encode(), info(HISTORY).encode()],
        [REFUSED, SERVER, HISTORY],
        [[], SERVER, HISTORY],
    ],
    ids=["redis-py", "text", "bytes", "ROLE is refused", "ROLE is empty"],
)
def test_read_standing_of_a_replica(replies: list[Any]):
    assert read_standing(replies) == WHOLE


@pytest.mark.parametrize("none", [ZEROS, 0])
def test_read_standing_without_a_former_history(none: str | int):
    standing = read_standing([[b"master", 0, []], SERVER, HISTORY | {"role": "master", "master_replid2": none}])
    assert (standing.role, standing.primary, standing.former_replid) == ("master", "", "")


def test_read_standing_where_only_role_may_be_asked():
    assert read_standing([[b"master", 0, []], REFUSED, REFUSED]) == Standing("master", former_end=-1, uptime=inf)


def test_read_standing_where_nothing_may_be_asked():
    assert read_standing([REFUSED, REFUSED, REFUSED]).role == ""
