"""Pods, links and Redis break at random under lanes that move, and nothing is lost in silence: a short `make chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.report import chosen, failures, story, table
from tests.chaos.running import Plan, run

# A minute of it; a seed that draws in that time each kind of fault of a pod, and three of Redis or more.
PLAN = Plan(seed=18, seconds=60.0, lanes=24, events_per_second=10.0)
STORIES = 3


@pytest.mark.first
@pytest.mark.timeout(240)
async def test_random_faults_lose_nothing_in_silence(tmp_path: Path):
    outcome = await run(PLAN, tmp_path, print)
    print(table(outcome))
    assert outcome.verdict.acknowledged.total() > 3_500, "too slow to tell anything"
    stories = [story(event, outcome) for event in chosen(outcome, STORIES)]
    assert failures(outcome) == [], "\n\n".join([*stories, *outcome.tracebacks, outcome.not_ready])
