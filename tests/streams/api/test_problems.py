"""Problems as they are answered."""

from __future__ import annotations

import msgspec
import pytest

from streams.api.problems import MAX_FAULTS, Fault, Problem, ProblemKind, problem_of


def test_problem_says_what_it_is_and_where_that_is_explained():
    said = Problem(ProblemKind.NOT_FOUND, "There is nothing here.").said("/sse/api/v1")
    assert msgspec.to_builtins(said) == {
        "type": "/sse/api/v1/problems#not-found",
        "title": "There is nothing of this name",
        "status": 404,
        "detail": "There is nothing here.",
        "error": "There is nothing here.",
    }


def test_problem_of_faults_names_each():
    problem = problem_of(ProblemKind.INVALID_REQUEST, [Fault("?a", "One."), Fault("/b", "Two.")])
    assert problem.detail == "One. Two."
    assert msgspec.to_builtins(problem.said(""))["errors"] == [
        {"pointer": "?a", "detail": "One."},
        {"pointer": "/b", "detail": "Two."},
    ]


def test_problem_of_many_faults_stays_small():
    faults = [Fault(f"/{number}", f"{number}.") for number in range(1000)]
    problem = problem_of(ProblemKind.INVALID_REQUEST, faults)
    assert problem.detail == "0. 1. 2. And 997 more."
    assert len(problem.said("").errors) == MAX_FAULTS


@pytest.mark.parametrize("kind", ProblemKind)
def test_kinds_have_a_name_of_their_own_and_sentences(kind: ProblemKind):
    assert [each for each in ProblemKind if each.word == kind.word] == [kind]
    assert kind.meaning.endswith(".")
    assert 400 <= kind.status < 600
