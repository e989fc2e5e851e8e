"""The soak of `make soak`, short: enough to see a leak that each connect or each way to leave makes."""

from __future__ import annotations

from tests.soak.soaking import MIB, assert_flat, soak

CONNECTS = 4_000
# The allocator still moves after so few; 1 KiB a connect would be as much.
SLACK_BYTES = 3 * MIB


def test_a_pod_is_as_large_after_many_clients_as_after_few():
    looks = soak(CONNECTS, 60, print)
    assert looks[-1].connects > CONNECTS / 4, "too slow to tell anything"
    assert_flat(looks, SLACK_BYTES)
