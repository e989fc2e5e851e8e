from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from streams.doctor.roles import Role
from tests.docs.newcomer import REDIS_CLI, Newcomer, write_script
from tests.docs.redis_users import PASSWORD, USERS, make_users
from tests.support.http import HOST
from tests.support.pods import ROOT
from tests.support.redis_server import RedisServer, free_port, free_ports
from tests.support.waiting import wait_until


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


@pytest.fixture
def oldest(tmp_path: Path) -> Iterator[str]:
    """Start the oldest Redis that the page names; give its URL."""
    server = shutil.which("redis-server")
    version = subprocess.run([server, "--version"], capture_output=True, text=True).stdout if server else ""
    if server is None or " v=7.0." not in version:
        pytest.skip("there is no redis-server 7.0 here")
    port = free_port()
    process = subprocess.Popen(
        [server, "--port", str(port), "--bind", HOST, "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
    )
    client = redis.Redis(HOST, port)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    wait_until("Redis to answer", answers)
    yield f"redis://{HOST}:{port}"
    client.close()
    process.terminate()
    process.wait()


@pytest.fixture
def newest(mortal_redis: RedisServer) -> str:
    mortal_redis.start()
    return mortal_redis.url


@pytest.fixture(params=["oldest", "newest"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def admin(url: str) -> Iterator[Any]:
    """Redis' administrator, who has made the users of the page and looked at no refusal yet."""
    client = redis.Redis.from_url(url)
    make_users(client)
    client.acl_log_reset()
    yield client
    client.close()


@pytest.fixture
def users(url: str, admin: Any) -> dict[Role, str]:
    """The URL of each role's user."""
    return {role: url.replace("redis://", f"redis://{user}:{PASSWORD}@") for role, user in USERS.items()}
