from __future__ import annotations

import pytest

from streams.auth.decision import Decision, decide, identify, permit
from streams.auth.presented import IN_QUERY, OTHER_SITE, Presented
from streams.auth.results import Result
from streams.auth.revocations import Revocation, Revocations
from streams.auth.rights import Right
from tests.streams.auth.issuer import NAME, NOW, token, verifier


def decided(presented: Presented, right: Right = Right.SUBSCRIBE, name: str = NAME, revoked: str = "") -> Decision:
    revocations = Revocations()
    revocations.add(Revocation(NOW + 60, jti=revoked), NOW)
    return decide(presented, verifier(), revocations, right, name, NOW)


def test_decide_ok():
    decision = decided(Presented(token()))
    assert decision.ok
    assert (decision.result, decision.sentence) == (Result.OK, "")
    assert decision.holder is not None
    assert decision.holder.sub == NAME


def test_decide_none():
    assert decided(Presented())[:2] == (Result.NONE, None)
    assert "Authorization: Bearer" in decided(Presented()).sentence
    assert decided(Presented(remark=OTHER_SITE)).sentence == OTHER_SITE


def test_decide_that_a_request_is_malformed():
    decision = decided(Presented(fault=IN_QUERY, in_query=True))
    assert decision == Decision(Result.INVALID, None, IN_QUERY, malformed=True)
    assert not decision.ok


@pytest.mark.parametrize(("given", "result"), [("a.b.c", Result.INVALID), (token(exp=NOW - 60), Result.EXPIRED)])
def test_decide_that_a_token_is_bad(given: str, result: Result):
    decision = decided(Presented(given))
    assert (decision.result, decision.holder, decision.malformed) == (result, None, False)
    assert decision.sentence


def test_decide_that_it_is_expired_only_where_all_else_is_right():
    """Whom time alone keeps out is told so in a stream; for another's lane, or revoked, a token is no better old."""
    expired = Presented(token(jti="t1", exp=NOW - 60))
    assert decided(expired).result is Result.EXPIRED
    assert decided(expired, name="STORE001-LANE02").result is Result.SCOPE
    assert decided(expired, revoked="t1").result is Result.REVOKED


@pytest.mark.parametrize("right", [*Right])
def test_decide_that_it_is_out_of_scope(right: Right):
    decision = decided(Presented(token()), right, "STORE001-LANE02")
    assert decision.result is Result.SCOPE
    assert "gives no right" in decision.sentence
    assert not decision.ok


def test_decide_that_a_name_in_another_case_is_another_name():
    assert decided(Presented(token()), name=NAME.lower()).result is Result.SCOPE


def test_decide_that_it_was_revoked_also_where_it_was_verified_before():
    locks, revocations, presented = verifier(), Revocations(), Presented(token(jti="t1"))
    assert decide(presented, locks, revocations, Right.SUBSCRIBE, NAME, NOW).ok
    revocations.add(Revocation(NOW + 60, jti="t1"), NOW)
    decision = decide(presented, locks, revocations, Right.SUBSCRIBE, NAME, NOW)
    assert (decision.result, decision.sentence) == (Result.REVOKED, "The token was revoked.")


def test_permit_leaves_every_other_decision_as_it_is():
    for decision in (identify(Presented(), verifier(), Revocations(), NOW), Decision(Result.REVOKED)):
        assert permit(decision, Right.READ) is decision
