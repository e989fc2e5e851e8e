from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from streams import VERSION
from streams.conf import read_settings
from streams.errors import CloseReason
from streams.history.coverage import GapReason
from streams.http.metrics import METRICS, render
from streams.http.readings import Declared
from streams.pod import Pod
from streams.roster.lives import Cluster
from streams.roster.worker import Roster
from tests.streams.builders import connect


@pytest.fixture
def local_pod() -> Pod:
    return Pod(read_settings({}))


def families(local_pod: Pod) -> dict[str, Metric]:
    text, content_type = render(local_pod)
    assert content_type.startswith("text/plain")
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


def values(family: Metric) -> dict[str, float]:
    """Return the values of a metric by its label."""
    return {sample.labels["reason"]: sample.value for sample in family.samples}


def test_declared_names_each_metric_once():
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_declared_metric_can_be_documented(metric: Declared):
    assert re.fullmatch(r"(sse|process)_[a-z_]+", metric.name)
    assert not metric.name.endswith("_total")
    assert re.fullmatch(r"[A-Z0-9][^|\n]+\.", metric.help)


def test_render_shows_what_is_declared_and_nothing_else(local_pod: Pod):
    shown = families(local_pod)
    assert [(family.name, family.type, family.documentation) for family in shown.values()] == [
        (metric.name, metric.kind, metric.help) for metric in METRICS
    ]
    text = render(local_pod)[0].decode()
    assert not [metric.exposed for metric in METRICS if f"# TYPE {metric.exposed} {metric.kind}\n" not in text]


def test_render_tells_which_build_this_is(local_pod: Pod):
    (sample,) = families(local_pod)["sse_build_info"].samples
    assert sample.value == 1
    assert sample.labels.keys() == {"version", "python", "django"}
    assert sample.labels["version"] == VERSION


def test_render_shows_every_reason_from_the_start(local_pod: Pod):
    shown = families(local_pod)
    assert values(shown["sse_closes"]) == dict.fromkeys(CloseReason, 0)
    assert values(shown["sse_stream_gaps"]) == dict.fromkeys(GapReason, 0)


def test_render_reads_the_pod(local_pod: Pod):
    local_pod.registry.subscribed = True
    first, _ = connect(local_pod.registry, "LANE1")
    connect(local_pod.registry, "LANE2")
    local_pod.registry.close(first, CloseReason.OPERATOR)
    shown = families(local_pod)
    assert [sample.value for sample in shown["sse_connections"].samples] == [1]
    assert [sample.value for sample in shown["sse_connects"].samples] == [2]
    assert values(shown["sse_closes"])["operator"] == 1


def numbers(local_pod: Pod) -> dict[str, list[float]]:
    shown = families(local_pod)
    names = ("sse_pods_alive", "sse_lanes_missing", "sse_stores_dark")
    return {name: [sample.value for sample in shown[name].samples] for name in names}


def test_render_has_no_line_for_what_nobody_knows(local_pod: Pod, monkeypatch: pytest.MonkeyPatch):
    """A 0 would be taken for all is well."""
    assert numbers(local_pod) == {"sse_pods_alive": [], "sse_lanes_missing": [], "sse_stores_dark": []}
    monkeypatch.setattr(Roster, "cluster", Cluster(3))
    assert numbers(local_pod) == {"sse_pods_alive": [3], "sse_lanes_missing": [], "sse_stores_dark": []}
    monkeypatch.setattr(Roster, "cluster", Cluster(3, 0, 2))
    assert numbers(local_pod) == {"sse_pods_alive": [3], "sse_lanes_missing": [0], "sse_stores_dark": [2]}


def test_render_shows_which_part_of_the_roster_fails(local_pod: Pod):
    local_pod.tally.errors = 4
    samples = families(local_pod)["sse_roster_errors"].samples
    assert {sample.labels["part"]: sample.value for sample in samples} == {
        "claims": 0,
        "members": 0,
        "recorder": 0,
        "tally": 4,
        "unclaimed": 0,
    }


def test_render_counts_all_entries_that_no_trace_has(local_pod: Pod):
    local_pod.roster.tracer.recorder.lost, local_pod.roster.tracer.refused = 2, 3
    (sample,) = families(local_pod)["sse_trace_entries_lost"].samples
    assert sample.value == 5


def test_render_shows_delays_as_a_histogram(local_pod: Pod):
    local_pod.router.delays.observe(0.02)
    samples = families(local_pod)["sse_publish_to_write_seconds"].samples
    buckets = {sample.labels["le"]: sample.value for sample in samples if sample.labels}
    assert (buckets["0.01"], buckets["0.025"], buckets["+Inf"]) == (0, 1, 1)
    assert [sample.value for sample in samples if sample.name.endswith("_sum")] == [pytest.approx(0.02)]


@pytest.fixture
def without_proc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A system that has no /proc, such as macOS."""

    def refuse(path: Path, *_arguments: object) -> None:
        raise FileNotFoundError(path)

    with monkeypatch.context() as patched:
        for method in ("read_text", "stat", "iterdir"):
            patched.setattr(Path, method, refuse)
        yield


@pytest.mark.usefixtures("without_proc")
def test_render_leaves_out_what_the_system_does_not_tell(local_pod: Pod):
    missing = {metric.name for metric in METRICS} - families(local_pod).keys()
    assert missing == {"process_resident_memory_bytes", "process_open_fds"}
