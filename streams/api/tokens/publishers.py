"""Whether those who publish may do it to all clients that they name."""

from __future__ import annotations

from collections.abc import Sequence

from streams.api.calls import Call
from streams.api.problems import Fault, Problem, ProblemKind, problem_of
from streams.auth.access import denied, no_scope
from streams.auth.decision import NO_RIGHT, Decision
from streams.auth.results import Result
from streams.auth.rights import Right
from streams.publishing.publication import Publication


def check_rights(call: Call, said: Sequence[Publication], places: Sequence[str]) -> None:
    """Raise Problem, which names all events to whose clients the caller may not publish; nothing else is looked at."""
    faults = [
        Fault(f"{place}/clientName", f"The token gives no right to publish to {each.client_name}.")
        for each, place in zip(said, places, strict=True)
        if not call.caller.may_publish(each.client_name)
    ]
    if faults:
        raise no_right(call, faults)
    if call.caller.decision is not None:
        call.pod.locks.count_publisher(call.caller.decision)


def check_look(call: Call, client_name: str) -> None:
    """Raise Problem for who may neither publish to the client of an event nor look at all of them."""
    if not (call.caller.may_read or call.caller.may_publish(client_name)):
        raise no_right(call, [Fault("ID", NO_RIGHT[Right.PUBLISH])])


def no_right(call: Call, faults: Sequence[Fault]) -> Problem:
    """Return the problem of a caller who is known and has no right."""
    decision, refused = call.caller.decision, denied(call.caller, acts=True)
    if decision is None and refused is not None:
        return Problem(ProblemKind.INSUFFICIENT_SCOPE, refused.sentence)
    decision = decision or Decision(Result.SCOPE)
    call.pod.locks.count_publisher(decision._replace(result=Result.SCOPE))
    problem = problem_of(ProblemKind.INSUFFICIENT_SCOPE, faults)
    problem.headers = [(b"WWW-Authenticate", no_scope(NO_RIGHT[Right.PUBLISH]).challenge.encode())]
    return problem
