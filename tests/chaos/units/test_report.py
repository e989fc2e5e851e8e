"""A loss is told with what a person needs in order to look for its cause."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.chaos.faults import Fault
from tests.chaos.publishing import Ledger
from tests.chaos.report import as_json, causes, chosen, failures, story, table
from tests.chaos.running import Outcome, Plan
from tests.chaos.verdict import Ending, Ingress, LaneRecord, Published, Reading, Told, Visit, judge

BEGAN = 1_000.0


def outcome(*, calm: bool = False) -> Outcome:
    """Return a run in which a lane lost an event on pod-2, whose journal had just stood still."""
    record = LaneRecord("LANE")
    record.visits += [
        Visit(0, 1_000, "", 1_000.1, 1_018, Ending.MOVED),
        Visit(1, 1_018.5, "evt-1", 1_018.6, 1_022, Ending.CUT),
        Visit(0, 1_022.5, "evt-3", 1_022.6),
    ]
    record.readings += [Reading("evt-1", 1_010, 0), Reading("evt-3", 1_021, 1), Reading("evt-3", 1_023, 2)]
    record.gaps += [Told(1_018, 1_018.5, "pod-started", 1_018.6, 1)]
    ledger = Ledger()
    ledger.acknowledged += [
        Published(f"evt-{number}", "LANE", Ingress.JOURNAL, at, at + 0.01)
        for number, at in ((1, 1_009.0), (2, 1_020.0), (3, 1_020.5))
    ]
    faults = [
        Fault("kill", "pod-3", 1_019, 1_021),
        Fault("redis-freeze", "redis", 1_013, 1_014),
        Fault("flap", "pod-1", 1_019.5, 1_020.5),
        Fault("half-open-journal", "pod-2", 1_019, 1_022),
        Fault("freeze", "pod-2", 1_040, 1_041),
    ]
    plan = Plan(seed=7, seconds=60, lanes=1, events_per_second=1, calm=calm)
    records = {"LANE": record}
    return Outcome(plan, BEGAN, BEGAN + 60, faults, ledger, records, judge(ledger.acknowledged, records))


def test_story_tells_of_a_loss_what_was_around_it():
    found = outcome()
    assert [event.event_id for event in chosen(found, 5)] == ["evt-2"]
    told = story(found.verdict.silent[0], found).splitlines()
    assert told[0] == "LOST IN SILENCE evt-2 for LANE, by journal"
    assert "between 20.000 and 20.010 s" in told[1]
    assert told[2:] == [
        "  of those published before it: evt-1 (journal, 9.000), read at 10.000 on pod-1",
        "  of those published after it: evt-3 (journal, 20.500), read at 21.000 on pod-2",
        "  on pod-1 from 0.000 to 18.000 (moved), greeted at 0.100, came with no id",
        "  on pod-2 from 18.500 to 22.000 (cut), greeted at 18.600, came with evt-1 (journal, 9.000)",
        "  on pod-1 from 22.500 to the end (still open), greeted at 22.600, came with evt-3 (journal, 20.500)",
        "  gap pod-started from 18.000 to 18.500, told at 18.600",
        "  nearest fault: half-open-journal of pod-2",
        "  fault kill of pod-3 from 19.000 to 21.000",
        "  fault redis-freeze of redis from 13.000 to 14.000",
        "  fault flap of pod-1 from 19.500 to 20.500",
        "  fault half-open-journal of pod-2 from 19.000 to 22.000",
    ]


def test_causes_name_the_fault_of_the_pod_that_the_lane_was_on():
    assert causes(outcome()) == {"half-open-journal": 1}


def test_failures_name_all_that_must_not_be():
    found = outcome()
    assert failures(found) == ["1 acknowledged event(s) lost in silence"]
    found.verdict.silent.clear()
    assert failures(found) == []
    found.stranded.append("LANE")
    found.tracebacks.append("Traceback")
    found.not_ready = "pod-1 is not ready"
    found.verdict.misdelivered = 1
    assert len(failures(found)) == 4


def test_failures_of_a_calm_run_count_what_was_read_twice():
    found = outcome(calm=True)
    assert failures(found)[1:] == ["33.33% of what was read was read twice, more than 0.1%"]


def test_table_and_json_say_the_same():
    found = outcome()
    text, data = table(found), json.loads(as_json(found, 5))
    assert "seed 7" in text
    assert "LOST IN SILENCE           1" in text
    assert "read twice                1: after: cut 1 (33.33% of all read)" in text
    assert (data["seed"], data["silent"], data["doubled"]) == (7, 1, {"after: cut": 1})
    assert data["silentNear"] == {"half-open-journal": 1}
    assert data["stories"][0].startswith("LOST IN SILENCE evt-2")
    assert data["faults"][0]["kind"] == "kill"


def test_failures_name_what_went_wrong_over_http():
    """A double on one stream that a retry made, and a refusal that nothing deserved."""
    found = outcome()
    http = Published("evt-4", "LANE", Ingress.HTTP, 1_050, 1_050.2)
    found.ledger.acknowledged.append(http)
    found.records["LANE"].readings += [Reading("evt-4", 1_050.1, 2), Reading("evt-4", 1_050.3, 2)]
    found.ledger.wrong.append("evt-5: 400 no")
    found = replace(found, verdict=judge(found.ledger.acknowledged, found.records))
    said = failures(found)
    assert "1 event(s) of back ends that tried again read twice on one stream" in said
    assert "1 event(s) refused over HTTP: evt-5: 400 no" in said
