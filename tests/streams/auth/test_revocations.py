from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.auth.revocations import Revocation, Revocations
from streams.auth.rights import Holder

NOW = 1_000.0
device = Holder("till", "t1", issued_at=500)


def kept(*entries: Revocation, limit: int = 10) -> Revocations:
    revocations = Revocations(limit)
    assert all(revocations.add(entry, NOW) for entry in entries)
    return revocations


def test_nothing_is_revoked_at_first():
    assert not Revocations().revoked(device, NOW)
    assert not Revocations().revoked(Holder(), NOW)


def test_revoked_by_jti_until_its_end():
    revocations = kept(Revocation(NOW + 10, jti="t1"))
    assert revocations.revoked(device, NOW + 9)
    assert not revocations.revoked(device, NOW + 10)
    assert not revocations.revoked(Holder("till", "t2", issued_at=500), NOW)


def test_revoked_for_as_long_as_a_token_is_taken_behind_its_end():
    revocations = Revocations(late_seconds=60)
    assert revocations.add(Revocation(NOW + 10, jti="t1"), NOW)
    assert revocations.add(Revocation(NOW - 30, sub="till", issued_before=600), NOW)
    assert revocations.revoked(device, NOW + 69)
    assert not revocations.revoked(device, NOW + 70)
    assert not revocations.revoked(Holder("till", "t2", issued_at=500), NOW + 30)


def test_revoked_by_sub_where_issued_before():
    revocations = kept(Revocation(NOW + 10, sub="till", issued_before=600))
    assert revocations.revoked(device, NOW)
    assert revocations.revoked(Holder("till"), NOW), "a token that does not say when it was issued is old"
    assert not revocations.revoked(Holder("till", issued_at=600), NOW)
    assert not revocations.revoked(Holder("other", issued_at=500), NOW)
    assert not revocations.revoked(device, NOW + 10)


def test_an_entry_that_names_nobody_or_is_over_changes_nothing():
    revocations = kept(Revocation(NOW + 10), Revocation(NOW, jti="t1"))
    assert len(revocations) == 0
    assert not revocations.revoked(Holder(), NOW)


moments = st.integers(1, 100)


@given(moments, moments, moments, moments, moments)
def test_two_entries_for_one_holder_revoke_at_least_what_each_does(a: int, b: int, c: int, d: int, issued: int):
    entries = [Revocation(NOW + a, sub="till", issued_before=b), Revocation(NOW + c, sub="till", issued_before=d)]
    both = kept(*entries)
    holder = Holder("till", issued_at=issued)
    for moment in (NOW, NOW + 50):
        if any(kept(entry).revoked(holder, moment) for entry in entries):
            assert both.revoked(holder, moment)


def test_a_full_room_forgets_what_is_over_and_refuses_the_rest():
    revocations = kept(Revocation(NOW + 1, jti="a"), Revocation(NOW + 9, jti="b"), limit=2)
    assert not revocations.add(Revocation(NOW + 9, jti="c"), NOW)
    assert revocations.add(Revocation(NOW + 12, jti="b"), NOW), "one that is there needs no room"
    assert revocations.add(Revocation(NOW + 9, jti="c"), NOW + 1)
    assert len(revocations) == 2
    assert revocations.revoked(Holder(jti="b"), NOW + 11)
    assert revocations.revoked(Holder(jti="c"), NOW + 1)


def test_replace_takes_these_and_no_others():
    revocations = kept(Revocation(NOW + 9, jti="a"), limit=2)
    entries = [Revocation(NOW + 9, jti=jti) for jti in "bcd"]
    assert revocations.replace(entries, NOW) == 1
    assert not revocations.revoked(Holder(jti="a"), NOW)
    assert revocations.revoked(Holder(jti="b"), NOW)
