"""The manifests of each overlay in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.deploy.kubernetes.manifests import OVERLAYS, Documents, rendered


@pytest.fixture(params=OVERLAYS)
def documents(request: pytest.FixtureRequest) -> Documents:
    return rendered(request.param)


@pytest.fixture
def kind(documents: Documents) -> Callable[..., dict[str, Any]]:
    """Give the one document of a kind."""

    def find(kind: str, name: str = "") -> dict[str, Any]:
        (found,) = [
            document
            for document in documents
            if document["kind"] == kind and name in ("", document["metadata"]["name"])
        ]
        return found

    return find
