from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.newcomer import REDIS_CLI, Newcomer, write_script
from tests.support.pods import ROOT
from tests.support.redis_server import free_port, free_ports


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    """Someone in a clone of the project, whose `.venv` has everything installed already."""
    # In a row, because three pods of one machine take the ports after their front door's.
    ports = zip(("3000", "3001", "3002", "3003"), free_ports(4), strict=True)
    folder = tmp_path / "clone"
    left_behind = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "*.sqlite3", "staticfiles", "tests")
    shutil.copytree(ROOT, folder, ignore=left_behind)
    write_script(folder / ".venv/bin/python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / ".venv/.installed-base").touch()
    (folder / "stand-ins").mkdir()
    if not shutil.which("redis-cli"):
        write_script(folder / "stand-ins/redis-cli", f"#!{sys.executable}\n{REDIS_CLI}")
    newcomer = Newcomer(folder, {**dict(ports), "6379": free_port()})
    yield newcomer
    newcomer.leave()
