"""The Dockerfile: linted, read, and its steps carried out without a container engine."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from tests.deploy.dockerfile import Build, Stage, as_user, confined, obstacle, read_dockerfile
from tests.deploy.files import DEPLOY, run, tool
from tests.support.http import fetch, open_stream
from tests.support.marks import long
from tests.support.pods import LOCKS_OFF, ROOT
from tests.support.redis_server import RedisServer, event, free_port
from tests.support.waiting import wait_until

DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
NO_INDEX = ("Max retries exceeded", "Failed to establish", "Temporary failure", "Connection refused", "timed out")


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    return read_dockerfile(DOCKERFILE)


def test_passes_the_linter():
    run(tool("hadolint", "requirements/dev.txt"), "--failure-threshold", "style", str(DOCKERFILE))


def test_the_image_has_no_step_that_needs_tools(stages: list[Stage]):
    *_, image = stages
    assert len(stages) == 2
    for step in image.values("RUN"):
        assert not {"apt-get", "pip", "gcc", "curl", "wget"} & set(step.split())
    assert {stage for stage, _, _ in image.copies()} == {"build"}


def test_the_image_runs_as_a_fixed_user_that_is_not_root(stages: list[Stage]):
    assert stages[-1].value("USER") == "10001:10001"
    assert "--uid 10001" in stages[-1].values("RUN")[0]


def test_signals_reach_the_pod(stages: list[Stage]):
    image = stages[-1]
    assert json.loads(image.value("CMD")) == ["python", "manage.py", "streamworker"]
    environment = image.environment()
    assert (environment["HOST"], environment["PORT"]) == ("0.0.0.0", "3000")
    assert image.value("EXPOSE") == environment["PORT"]
    assert image.value("STOPSIGNAL") == "SIGTERM"
    assert not image.values("ENTRYPOINT")


def test_is_labelled(stages: list[Stage]):
    labels = " ".join(stages[-1].values("LABEL"))
    for name in ("title", "description", "licenses", "version", "revision", "created"):
        assert f"org.opencontainers.image.{name}=" in labels


def test_every_application_of_ours_is_copied(stages: list[Stage]):
    copied = {source for stage, sources, _ in stages[0].copies() if not stage for source in sources}
    ours = {name.partition(".")[0] for name in settings.INSTALLED_APPS if (ROOT / name.partition(".")[0]).is_dir()}
    assert {"manage.py", "sseproject", "templates", *ours} <= copied
    assert "tests" not in copied


def test_the_context_holds_what_is_copied_and_little_else(stages: list[Stage]):
    copied = {source for stage, sources, _ in stages[0].copies() if not stage for source in sources}
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied


@pytest.fixture(scope="module")
def build(stages: list[Stage]) -> Iterator[Build]:
    """The steps of the Dockerfile, carried out in a clean directory and a fresh environment."""
    # Not below /tmp, on which a container has a file system of its own. pytest's own
    # directories are closed to the other user who is to read this one.
    with tempfile.TemporaryDirectory(prefix="sse-image-", dir="/var/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)
        build = Build(stages, directory, find_python(build_user(stages)))
        try:
            build.run()
        except subprocess.CalledProcessError as error:
            if any(sign in error.stderr for sign in NO_INDEX):
                pytest.skip("pip reaches no package index")
            pytest.fail(f"{error.cmd}:\n{error.stdout}{error.stderr}")
        yield build


def build_user(stages: list[Stage]) -> int:
    return int(stages[-1].value("USER").partition(":")[0])


def find_python(uid: int) -> str:
    """Return a Python that the image's user may run; a developer's own may lie in a closed home."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(sys.base_prefix) / "bin" / version
    for candidate in (str(base), f"/usr/local/bin/{version}", f"/usr/bin/{version}"):
        try:
            subprocess.run(
                [candidate, "-c", "import venv, sqlite3"], check=True, capture_output=True, cwd="/", **as_user(uid, uid)
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    pytest.skip(f"there is no {version} that user {uid} may run")


WRITABLE = ("/data/x", "/tmp/x")
READ_ONLY = ("/app/x", "/opt/venv/x", "/var/tmp/x", "/x")


def assert_read_only(build: Build) -> None:
    root = build.root("image")
    for paths, (user, group), error in ((WRITABLE, build.user(), ""), (READ_ONLY, (0, 0), "Read-only file system")):
        for path in paths:
            command = confined(root, user, group, ["touch", build.localize(path)])
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert (done.returncode == 0) is (not error), f"{path}: {done.stderr}"
            assert error in done.stderr
    (root / "data/x").unlink()
    assert not Path("/tmp/x").exists(), "its /tmp is its own"


@pytest.mark.timeout(400)
@pytest.mark.parametrize("read_only", [long(False, "another-user"), pytest.param(True, id="read-only")])
@pytest.mark.long
async def test_a_pod_starts_from_it_as_another_user_who_may_write_nothing(
    build: Build, redis_server: RedisServer, read_only: bool
):
    root = build.root("image")
    if read_only and (reason := obstacle(root)):
        pytest.skip(reason)
    assert not (root / "opt/venv/bin/pip").exists()
    if os.geteuid() != 0:
        run("chmod", "-R", "a-w", str(root / "app"), str(root / "opt"))
    before = {path: path.stat().st_mtime_ns for path in (root / "app").rglob("*")}
    port = free_port()
    variables = {
        "SECRET_KEY": "for-this-test-of-the-image-and-no-other",
        **LOCKS_OFF,
        "REDIS_URL": redis_server.url,
        "POD_NAME": "image",
        "PORT": str(port),
    }
    log_path = root.parent / "log"

    def start(arguments: list[str]) -> subprocess.Popen[bytes]:
        return build.start(arguments, log_path, variables, read_only=read_only)

    assert start(["python", "manage.py", "migrate", "--verbosity", "0"]).wait(60) == 0, log_path.read_text()
    pod = start(build.command())
    try:
        wait_until("the pod to be ready", lambda: answers(port, pod, log_path), 40)
        process = psutil.Process(pod.pid)
        assert process.cwd() == str(root / "app")
        assert process.uids().real == (build.user()[0] if os.geteuid() == 0 else os.geteuid())
        assert start(build.healthcheck()).wait(20) == 0, log_path.read_text()
        async with await open_stream(port, "IMAGE-1") as stream:
            redis_server.publish(event("IMAGE-1"))
            assert await stream.next_json() == event("IMAGE-1")
        login = await asyncio.to_thread(fetch, port, "/admin/login/")
        assert (login.status, b"csrfmiddlewaretoken" in login.body) == (200, True), "the users' database is there"
    finally:
        pod.terminate()
        status = pod.wait(60)
    assert status == 0, log_path.read_text()
    assert start(build.healthcheck()).wait(20) != 0, "nobody answers any more"
    assert {path: path.stat().st_mtime_ns for path in (root / "app").rglob("*")} == before


# Prints the modules of a pod that Python would have to compile at each start.
UNCOMPILED = """
import os, sys
import sseproject.asgi, sseproject.urls, streams.server.daphne
# A module that is frozen into Python itself has none.
cached = [getattr(getattr(module, "__spec__", None), "cached", None) for module in sys.modules.values()]
len(cached) > 500 or sys.exit("too few modules")
print(*(path for path in cached if path and path.endswith(".pyc") and not os.path.exists(path)))
"""


@pytest.mark.first
@pytest.mark.timeout(400)
def test_it_is_compiled_and_a_read_only_root_refuses_even_those_who_own_it(build: Build, tmp_path: Path):
    """Without docstrings and asserts, whatever a pod loads; one test for both, so that one worker builds it."""
    log_path = tmp_path / "log"
    variables = {"SECRET_KEY": "for-this-test-of-the-image-and-no-other", **LOCKS_OFF}
    assert build.environment(build.image)["PYTHONOPTIMIZE"] == "2"
    status = build.start(["python", "-c", UNCOMPILED], log_path, variables).wait(60)
    assert (status, log_path.read_text().split()) == (0, [])
    if reason := obstacle(build.root("image")):
        pytest.skip(reason)
    assert_read_only(build)


def answers(port: int, pod: subprocess.Popen[bytes], log_path: Path) -> bool:
    assert pod.poll() is None, log_path.read_text()
    try:
        return fetch(port, "/health/ready", timeout=5).status == 200
    except OSError:
        return False
