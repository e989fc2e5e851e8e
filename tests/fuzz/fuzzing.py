"""Requests that a real pod's own document allows, and such as it forbids; each answer is held against the document."""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.http import HOST
from tests.support.pods import BIN, PRODUCTION, Pod, environment

TOKEN = "only-for-tests-" + "t" * 32
# What the examples of the document name.
CLIENT = "STORE001-LANE01"
SERVED = "/api/v1/openapi.json"


class Found(NamedTuple):
    """How many requests were made, whether all answers were as they are documented, and what was said of them."""

    requests: int
    clean: bool
    report: str


def variables(redis_url: str) -> dict[str, Any]:
    """Return what a pod is told whose answers depend on who asks."""
    own = {"REDIS_URL": redis_url, "ADMIN_TOKEN": TOKEN, "POD_NAME": "pod-fuzzed"}
    return {**PRODUCTION, "PUBLISH_AUTH": "required", **own}


def fuzz(pod: Pod, examples: int, *options: str, seed: int | None = None) -> Found:
    """Try every operation with so many requests beside those at the bounds of its rules."""
    command = [
        *(str(BIN / "schemathesis"), "--no-color", "--config-file", str(Path(__file__).with_name("schemathesis.toml"))),
        *("run", f"http://{HOST}:{pod.port}{SERVED}", "--header", f"Authorization: Bearer {TOKEN}"),
        *("--max-examples", str(examples), "--continue-on-failure", "--warnings", "off"),
        *(("--generation-deterministic",) if seed is None else ("--seed", str(seed))),
        *options,
    ]
    # It leaves files where it runs.
    with tempfile.TemporaryDirectory() as folder, connecting_again(pod.port):
        ran = subprocess.run(
            command, cwd=folder, env=environment(), capture_output=True, text=True, check=False, timeout=3600
        )
    report = ran.stdout + ran.stderr
    made = re.search(r"(?m)^\s*(\d+) generated", report)
    return Found(int(made[1]) if made else 0, ran.returncode == 0, report)


@contextmanager
def connecting_again(port: int) -> Iterator[None]:
    """Hold a client's stream open, and open it again whenever it is closed, for the length of a block."""
    ended = threading.Event()
    reading = threading.Thread(target=read_again, args=(port, ended))
    reading.start()
    try:
        yield
    finally:
        ended.set()
        reading.join()


def read_again(port: int, ended: threading.Event) -> None:
    while not ended.is_set():
        connection = HTTPConnection(HOST, port, timeout=0.2)
        try:
            connection.request("GET", f"/events/{CLIENT}")
            stream = connection.getresponse()
            while not ended.is_set():
                try:
                    if not stream.read1():
                        break
                except TimeoutError:
                    continue
        except (OSError, HTTPException):
            ended.wait(0.05)
        finally:
            connection.close()
