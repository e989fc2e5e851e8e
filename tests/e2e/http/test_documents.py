"""The documents that a pod serves are those that are committed, however its Python was started."""

from __future__ import annotations

import pytest

from streams.management.commands.docs import PAGES
from tests.support.pods import ROOT, Pod


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_document_is_the_committed_one_byte_for_byte(pod: Pod, name: str):
    served = pod.fetch(f"/api/v1/{name}")
    assert (served.status, served.headers["content-type"]) == (200, "application/json")
    assert served.body == (ROOT / "docs/reference" / name).read_bytes()
    assert f"docs/reference/{name}" in PAGES
