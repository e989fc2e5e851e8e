"""The documents that a pod serves are those that are committed, however its Python was started."""

from __future__ import annotations

import pytest

from streams.management.commands.docs import PAGES
from tests.conftest import StartPod
from tests.fuzz.fuzzing import fuzz, variables
from tests.support.pods import ROOT, Pod
from tests.support.redis_server import RedisServer

# Of each operation, beside those at the bounds of what it takes; some seconds.
EXAMPLES = 3


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_document_is_the_committed_one_byte_for_byte(pod: Pod, name: str):
    served = pod.fetch(f"/api/v1/{name}")
    assert (served.status, served.headers["content-type"]) == (200, "application/json")
    assert served.body == (ROOT / "docs/reference" / name).read_bytes()
    assert f"docs/reference/{name}" in PAGES


def test_requests_that_the_document_allows_or_forbids_are_answered_as_it_says(
    start_pod: StartPod, redis_server: RedisServer
):
    """No 5xx, no status, header or body that the document does not have; `make fuzz` makes thousands."""
    pod = start_pod(**variables(redis_server.url))
    found = fuzz(pod, EXAMPLES, "--phases", "examples,coverage,fuzzing")
    assert found.clean, found.report
    assert found.requests > 300
