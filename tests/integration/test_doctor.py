"""The command `doctor`, against the Redis and the pods that it may meet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.roster.keys import prefix
from tests.conftest import StartPod
from tests.streams.auth.issuer import OTHER_SECRET, SECRET, private, public_pem, token
from tests.support.pods import TRACEBACK, Pod, environment, run_manage, run_on_terminal
from tests.support.redis_server import CHANNEL, RedisServer, free_port, running_redis
from tests.support.waiting import wait_until

Found = dict[str, dict[str, str]]
CHECKS = ["redis", "role", "rights", "canary", "journal", "persistence", "memory", "clock", "pods"]
OF_PODS = ["pod names", "versions", "pod clocks"]
OTHERS = ["descriptors", "settings", "locks", "front door"]


def diagnose(*arguments: str, status: int = 0, **variables: str | float) -> Found:
    """Run the command; return its findings by what they are of."""
    done = run_manage("doctor", "--json", *arguments, env=environment(**variables))
    assert (done.returncode, done.stderr) == (status, ""), done
    answer = json.loads(done.stdout)
    assert answer["ok"] is (status == 0)
    return {finding["check"]: finding for finding in answer["findings"]}


def states(found: Found) -> dict[str, str]:
    return {check: finding["state"] for check, finding in found.items()}


def failures(found: Found) -> set[str]:
    return {check for check, state in states(found).items() if state == "failure"}


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Valkey of the test's own, which keeps its journal."""
    with running_redis(appendonly="yes") as server:
        yield server


@pytest.fixture
def said_ready(start_pod: StartPod, server: RedisServer) -> Callable[..., Pod]:
    """Start a pod, and wait until it has said in the roster that it is ready: once in 5 s."""

    def start(name: str = "pod-1", **settings: Any) -> Pod:
        settings = {"REDIS_URL": server.url, "POD_NAME": name, **settings}
        pod = start_pod(**settings)
        key = prefix(CHANNEL) + "pods"
        admin: Any = server.client

        def all_are_ready() -> bool:
            # As the field `state` is left out where it is that.
            said = admin.hvals(key)
            return bool(said) and not any(b'"state"' in one for one in said)

        wait_until("its word", all_are_ready)
        return pod

    return start


def test_all_is_well(server: RedisServer, said_ready: Callable[..., Pod]):
    pod = said_ready()
    before = set(server.client.keys())
    found = diagnose("--url", f"http://127.0.0.1:{pod.port}/", REDIS_URL=server.url)
    assert list(found) == [*CHECKS, *OF_PODS, *OTHERS, "event"]
    assert set(states(found).values()) == {"ok"}
    assert "1 alive, with 0 clients: pod-1" in found["pods"]["says"]
    assert "greeting of pod-1" in found["front door"]["says"]
    left = set(server.client.keys()) - before - {f"{CHANNEL}:log".encode(), *roster("dirty", "stores")}
    # What became of a client is kept for a day, whoever it was; and the pod's stores are noted for the tally.
    kept: tuple[Any, ...] = (f"{CHANNEL}:trace:".encode(), f"{prefix(CHANNEL)}of:".encode())
    assert not [key for key in left if not key.startswith(kept)], "its own lane is gone from the roster"


def roster(*names: str) -> set[bytes]:
    return {f"{prefix(CHANNEL)}{name}".encode() for name in names}


@pytest.fixture
def asked(server: RedisServer) -> dict[str, Any]:
    """Settings of pods that ask for tokens, with a secret."""
    return {"REDIS_URL": server.url, "STREAM_AUTH": "required", "TOKEN_SECRET": SECRET}


def test_streams_that_need_a_token_get_one(said_ready: Callable[..., Pod], asked: dict[str, Any]):
    found = diagnose("--url", f"http://127.0.0.1:{said_ready(**asked).port}", **asked)
    assert set(states(found).values()) == {"ok"}, found
    assert [check for check in found if check not in [*CHECKS, *OF_PODS, *OTHERS]] == [
        "token clock",
        "secrets",
        "event",
    ]


@pytest.mark.long
def test_streams_that_need_a_token_which_it_cannot_make(
    said_ready: Callable[..., Pod], server: RedisServer, asked: dict[str, Any], tmp_path: Path
):
    """It takes one, and what it could not look at is no failure."""
    url = f"http://127.0.0.1:{said_ready(**asked).port}"
    (tmp_path / "keys.pem").write_text(public_pem(private("ES256")))
    found = diagnose("--url", url, **asked | {"TOKEN_SECRET": "", "TOKEN_KEYS": str(tmp_path / "keys.pem")})
    assert found["front door"]["state"] == "skipped"
    assert found["front door"]["says"].endswith("--token-file names a token for DOCTOR-*")
    # The settings here are not those of the pods.
    found = diagnose("--url", url, REDIS_URL=server.url)
    assert found["front door"]["state"] == "skipped"
    assert f"{url} asks for a token (401)" in found["front door"]["says"]
    found = diagnose("--url", url, status=1, **asked | {"TOKEN_SECRET": OTHER_SECRET})
    assert failures(found) == {"front door"}
    assert found["front door"]["says"] == f"{url} refuses the token: 401 invalid_token"
    given = token(sse={"subscribe": ["STORE001-*"]}, iat=None, exp=4_000_000_000)
    (tmp_path / "token").write_text(given)
    found = diagnose("--url", url, "--token-file", str(tmp_path / "token"), **asked)
    assert set(states(found).values()) == {"ok"}, found
    assert found["token"]["says"].startswith("it is good until 2096-")
    assert given not in json.dumps(found)
    assert server.client.hlen(f"{prefix(CHANNEL)}seen:STORE001") == 0, "its own lane is gone from the roster"


@pytest.mark.long
def test_a_lane_that_it_leaves_is_forgotten(server: RedisServer, said_ready: Callable[..., Pod]):
    """Otherwise each run would leave one that an operator takes for a device."""
    pod = said_ready()
    diagnose("--url", f"http://127.0.0.1:{pod.port}", REDIS_URL=server.url)
    for kind in ("seen", "known"):
        assert server.client.hlen(f"{prefix(CHANNEL)}{kind}:DOCTOR") == 0


def test_without_pods(server: RedisServer):
    assert failures(diagnose(status=1, REDIS_URL=server.url)) == {"pods"}


@pytest.mark.long
def test_two_pods_of_one_name(server: RedisServer, said_ready: Callable[..., Pod]):
    said_ready("twice")
    said_ready("twice")
    found = diagnose(status=1, REDIS_URL=server.url)
    assert failures(found) == {"pod names"}
    assert "twice" in found["pod names"]["says"]


def test_without_redis():
    found = diagnose(status=1, REDIS_URL=f"redis://pod:very-secret@127.0.0.1:{free_port()}")
    assert failures(found) == {"redis"}
    assert {check for check, state in states(found).items() if state == "skipped"} == {*CHECKS[1:], "front door"}
    assert "very-secret" not in json.dumps(found)


def test_a_redis_that_stands_still(mortal_redis: RedisServer):
    mortal_redis.start()
    mortal_redis.freeze()
    try:
        found = diagnose(status=1, REDIS_URL=mortal_redis.url)
    finally:
        mortal_redis.thaw()
    assert failures(found) == {"redis"}


def test_a_wrong_password(server: RedisServer):
    url = server.url.replace("redis://", "redis://nobody:very-secret@")
    found = diagnose(status=1, REDIS_URL=url)
    assert failures(found) == {"redis"}
    assert "very-secret" not in json.dumps(found)


def test_a_replica(server: RedisServer):
    with running_redis() as replica:
        replica.replicate(server)
        found = diagnose(status=1, REDIS_URL=replica.url)
    assert failures(found) == {"role", "pods"}
    assert f"a read-only replica of 127.0.0.1:{server.port}" in found["role"]["says"]


def test_a_user_that_lacks_rights(server: RedisServer):
    admin: Any = server.client
    rule = "+@all -xadd -psubscribe -xinfo|stream ~events-to-store:log resetchannels"
    admin.execute_command("ACL", "SETUSER", "weak", "on", ">secret", *rule.split())
    found = diagnose(status=1, REDIS_URL=server.url.replace("redis://", "redis://weak:secret@"))
    assert failures(found) == {"rights"}
    remedy = found["rights"]["remedy"]
    given = f"ACL SETUSER weak +xadd +xinfo|stream +psubscribe ~{CHANNEL}:*"
    given += f" &{CHANNEL} &{CHANNEL}:canary:* &{CHANNEL}:pods:*"
    assert remedy.startswith(f"{given}; ")
    # What it says is what helps.
    admin.execute_command(*given.split())
    assert failures(diagnose(status=1, REDIS_URL=server.url.replace("redis://", "redis://weak:secret@"))) == {"pods"}


def test_settings_of_redis_that_lose_events():
    with running_redis(maxmemory="100mb", **{"maxmemory-policy": "allkeys-lru"}) as server:
        found = diagnose(status=1, REDIS_URL=server.url)
    assert failures(found) == {"memory", "pods"}
    assert found["persistence"]["state"] == "warning"


def test_settings_that_contradict_each_other(server: RedisServer):
    found = diagnose(status=1, REDIS_URL=server.url, REBALANCE="on", MAX_CONNECTIONS=10_000_000)
    assert failures(found) == {"settings", "pods"}
    assert "streams.E001" in found["settings"]["says"]
    assert "10000000" in found["descriptors"]["says"]


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "127.0.0.1:3000", "http://", "http://a:b:c", "http://a:0", "http://a?b"]
)
def test_a_url_that_is_none(url: str):
    done = run_manage("doctor", "--url", url, env=environment(REDIS_URL="redis://127.0.0.1"))
    assert done.returncode == 2
    usage, sentence = done.stderr.splitlines()
    assert usage == "usage: manage.py doctor [--url URL] [--json] [-h lists all options]"
    assert sentence == f"manage.py doctor: error: argument --url: {url!r} is no address such as http://localhost:3000"


def test_a_url_with_a_password_is_not_shown():
    done = run_manage("doctor", "--url", "http://user:secret@a", env=environment(REDIS_URL="redis://127.0.0.1"))
    assert (done.returncode, "secret" in done.stdout + done.stderr) == (2, False)


def test_a_front_door_that_is_away_or_no_front_door(server: RedisServer):
    url = f"http://127.0.0.1:{free_port()}"
    found = diagnose("--url", url, status=1, REDIS_URL=server.url)
    assert f"{url} cannot be reached" in found["front door"]["says"]
    found = diagnose("--url", server.url.replace("redis", "http"), status=1, REDIS_URL=server.url)
    assert found["front door"]["state"] == "failure"


def test_a_person_reads_a_line_and_a_remedy_for_each():
    done = run_manage("doctor", env=environment(REDIS_URL=f"redis://127.0.0.1:{free_port()}"))
    assert done.returncode == 1
    assert TRACEBACK not in done.stderr
    first, second, *rest = done.stdout.splitlines()
    assert first.startswith("failure  redis        Redis on 127.0.0.1:")
    assert second.strip().startswith("Is it running")
    assert [line[9:20].strip() for line in rest if line.startswith("skipped")] == [*CHECKS[1:], "front door"]
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(("variables", "coloured"), [({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_a_terminal_and_can_be_switched_off(variables: dict[str, str], coloured: bool):
    env = environment(REDIS_URL=f"redis://127.0.0.1:{free_port()}", **variables)
    status, shown = run_on_terminal("doctor", env=env)
    assert status == 1
    assert "failure" in shown
    assert ("\x1b[" in shown) is coloured
