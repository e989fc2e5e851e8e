"""The tutorial runs as it stands."""

from __future__ import annotations

import shutil

import pytest

from tests.deploy.files import PATHS
from tests.docs.newcomer import Newcomer, take, typed
from tests.docs.pages import DOCS, section

TUTORIAL = DOCS / "tutorial.md"


@typed
def test_tutorial_tour_runs_as_it_stands(newcomer: Newcomer):
    assert take(newcomer, section(TUTORIAL, "A tour")) >= 11


@typed
def test_tutorial_three_pods_run_as_they_stand(newcomer: Newcomer):
    if not shutil.which("nginx", path=PATHS) and not shutil.which("haproxy", path=PATHS):
        pytest.skip("neither nginx nor haproxy is installed, and this tour goes through one")
    assert take(newcomer, section(TUTORIAL, "Three pods on one machine")) == 5
