"""The API on a real pod: whatever is asked of it, for whom, and below which path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.api.problems import ProblemKind
from streams.api.routes import ROUTES
from tests.conftest import StartPod
from tests.support.http import HOST, Answer, exchange, fetch, open_stream, parse_answer, request_bytes
from tests.support.operators import Operator, make_databases
from tests.support.pods import PRODUCTION, Pod
from tests.support.redis_server import RedisServer

API = "/api/v1"
JSON = {"Content-Type": "application/json"}
TOKEN = "only-for-tests-" + "t" * 32
KINDS = {kind.word: kind.status for kind in ProblemKind}
# What is cut off before any path is known is answered by the reader of requests.
OWN_ANSWERS = (400, 408, 413, 414, 431)


def problem(answer: Answer) -> str:
    """Return the name of the problem that an answer is, which has all that a problem has."""
    assert answer.headers["content-type"] == "application/problem+json", answer
    said = json.loads(answer.body)
    assert said.keys() - {"errors"} == {"type", "title", "status", "detail", "error"}
    name: str = said["type"].rpartition("#")[2]
    assert (said["status"], KINDS[name], said["detail"]) == (answer.status, answer.status, said["error"])
    return name


def ask(pod: Pod, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
    return fetch(pod.port, target, method=method, body=body, headers=headers)


@pytest.fixture
def known(pod: Pod, client_name: str) -> str:
    """A client that was seen, by being expected."""
    store = client_name.partition("-")[0]
    answer = ask(pod, "PUT", f"{API}/stores/{store}/expected", JSON, json.dumps({"lanes": [client_name]}).encode())
    assert answer.status == 200
    return client_name


@pytest.mark.parametrize("start", ["streamworker", "daphne", "runserver", "uvicorn"])
def test_every_server_serves_the_api(pods: Any, start: str):
    pod = pods(start)
    answer = ask(pod, "GET", f"{API}/stores?limit=1")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json().keys() >= {"stores", "asOf"}
    assert problem(ask(pod, "GET", f"{API}/nothing")) == "not-found"
    head = ask(pod, "HEAD", f"{API}/problems")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) == len(ask(pod, "GET", f"{API}/problems").body)
    options = ask(pod, "OPTIONS", f"{API}/clients/A")
    assert (options.status, options.headers["allow"]) == (204, "GET, HEAD, DELETE, OPTIONS")


async def test_connected_client(pod: Pod, client_name: str):
    async with await open_stream(pod.port, client_name):
        said = ask(pod, "GET", f"{API}/clients/{client_name}").json()
        assert (said["state"], said["podName"]) == ("connected", "pod-streamworker")
        assert ask(pod, "DELETE", f"{API}/clients/{client_name}/stream").status == 202


PATHS = [route.path.replace("NAME", "A-1").replace("STORE", "A") for route in ROUTES]
METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "M-SEARCH"]
PARAMETERS = ["store", "state", "q", "cursor", "limit", "minutes", "LIMIT", "", "limit[]"]
VALUES = ["", "0", "1", "1000", "1001", "-1", "1e3", "null", "true", "%00", "%ff", "%F0%9F%92%A9", "connected", "dark"]
VALUES += [
    "A",
    "A-1",
    "A/",
    "/",
    "//",
    "..",
    "%2e%2e",
    "a" * 129,
    "{}",
    "[1]",
    "'",
    "%0d%0aX-Injected:%20yes",
    "*",
    "(",
]
BODIES: list[bytes] = [b"", b"{}", b"[]", b"null", b'{"lanes":[]}', b'{"lanes":["A-1"]}', b'{"lanes":["A-1",1]}', b'"']
BODIES += [
    b'{"lanes":"A-1"}',
    b'{"lanes":[{}]}',
    b'{"Lanes":[]}',
    b"\xff",
    b"{" * 9999,
    b"[" * 9999,
    b'{"lanes":[1e999]}',
    b'{"clientName":"A-1","action":"x"}',
    b'{"events":[{"clientName":"A-1","action":"x"}]}',
    b'{"events":[{"clientName":"A-1","action":"x","eventId":"\\r\\nX-Injected: yes"}]}',
]
texts = st.text(st.characters(codec="utf-8", exclude_characters=" \r\n"), max_size=12)
segments = st.sampled_from([*VALUES, "clients", "stores", "pods", "trace", "stream", "expected"]) | texts
paths = st.sampled_from(PATHS) | st.lists(segments, max_size=4).map("/".join).map("/".__add__)
queries = st.lists(
    st.tuples(st.sampled_from(PARAMETERS), st.sampled_from(VALUES) | texts).map("=".join), max_size=4
).map("&".join)
headers = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from(["application/json", "text/plain", "application/json;", ";", "\xff"]),
        "Origin": st.sampled_from(["", "null", "http://[", f"http://{HOST}", "https://evil.example"]),
        "Sec-Fetch-Site": st.sampled_from(["same-origin", "cross-site", "x"]),
        "Authorization": st.sampled_from(["", "Bearer", "Bearer x", "Basic \xff"]),
        "Cookie": st.sampled_from(["sessionid=x", "sessionid=a:b:c", "=;;=", "\xff"]),
        "Idempotency-Key": st.sampled_from(["", "k", '"k"', "\xff"]),
        "Accept": st.sampled_from(["text/html", "*/*", ""]),
    },
)


@given(st.sampled_from(METHODS), paths, queries, headers, st.sampled_from(BODIES) | st.binary(max_size=40))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_is_asked_fails(pod: Pod, method: str, path: str, query: str, head: dict[str, str], body: bytes):
    """A problem in JSON, or an answer in JSON, and never a 500."""
    target = f"{API}{path}?{query}".encode().decode("latin-1")
    request = request_bytes(method, target, {"Connection": "close", **head}, body)
    answer = parse_answer(exchange(pod.port, request))
    assert answer.status < 500, answer
    assert "x-injected" not in answer.headers
    if method == "HEAD":
        return
    if answer.status in (200, 202):
        answer.json()
    elif answer.status == 204:
        assert answer.body == b""
    elif answer.headers["content-type"] == "application/problem+json":
        problem(answer)
    else:
        assert answer.status in OWN_ANSWERS, answer
        assert answer.json()["error"]


def test_every_parameter_of_every_path(pod: Pod, known: str):
    """Each value alone, on each path that takes one."""
    for route in ROUTES:
        path = API + route.path.replace("NAME", known).replace("STORE", "TEST")
        if "GET" not in route.endpoints:
            continue
        for parameter in PARAMETERS:
            for value in VALUES:
                answer = ask(pod, "GET", f"{path}?{parameter}={value}")
                assert answer.status in (200, 400), (path, parameter, value, answer)
                if answer.status == 400:
                    assert problem(answer) in ("unknown-field", "invalid-request")


def test_access_in_production(start_pod: StartPod, redis_server: RedisServer, tmp_path: Path):
    """A stranger sees nothing, a token and an operator's cookie all, and a page of another site may not act."""
    (database,) = make_databases(tmp_path, 1)
    pod = start_pod(
        REDIS_URL=redis_server.url,
        REDIS_CHANNEL="api-production",
        DATABASE_URL=database,
        ADMIN_TOKEN=TOKEN,
        SECURE_COOKIES="off",
        LOG_LEVEL="warning",
        **PRODUCTION,
    )
    expected, body = f"{API}/stores/A/expected", b'{"lanes":["A-1"]}'
    for method, target in (("GET", "/pods"), ("GET", "/clients/A-1"), ("DELETE", "/clients/A-1"), ("HEAD", "/stores")):
        answer = ask(pod, method, API + target)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert problem(ask(pod, "PUT", expected, JSON | {"Cookie": "sessionid=forged"}, body)) == "unauthorized"
    assert ask(pod, "GET", f"{API}/problems").status == 200
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert ask(pod, "GET", f"{API}/pods", bearer).status == 200
    assert ask(pod, "PUT", expected, JSON | bearer, body).status == 200
    operator = Operator()
    operator.log_in(pod.port)
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in operator.cookies.items())}
    assert ask(pod, "GET", f"{API}/clients/A-1", cookie).json()["state"] in ("offline", "missing")
    for other in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}):
        assert problem(ask(pod, "PUT", expected, JSON | cookie | other, body)) == "other-site"
    own = {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
    assert ask(pod, "DELETE", f"{API}/clients/A-1", cookie | own).status == 204
    pod.wait_log("[AUDIT] ADMIN_TOKEN said which lanes the store A has: 1, A-1")
    # At LOG_LEVEL=warning, too.
    pod.wait_log("[AUDIT] operator retired A-1")
    operator.log_out(pod.port)
    assert ask(pod, "GET", f"{API}/pods", cookie).status == 401
    assert TOKEN not in pod.log


def test_api_that_is_off(start_pod: StartPod, redis_server: RedisServer):
    pod = start_pod(REDIS_URL=redis_server.url, HTTP_API="off")
    answer = ask(pod, "GET", f"{API}/pods")
    assert (answer.status, answer.json()["error"]) == (404, "There is nothing at /api/v1/pods.")


def test_api_without_redis(start_pod: StartPod, mortal_redis: RedisServer):
    mortal_redis.start()
    pod = start_pod(REDIS_URL=mortal_redis.url)
    assert ask(pod, "GET", f"{API}/pods").status == 200
    mortal_redis.kill()
    for method, target in (("GET", "/pods"), ("GET", "/clients/A/trace"), ("DELETE", "/clients/A")):
        answer = ask(pod, method, API + target)
        assert (problem(answer), answer.headers["retry-after"]) == ("redis-unavailable", "2")
    assert ask(pod, "GET", "/admin/client/A").status == 404
    assert ask(pod, "GET", "/admin/client/A?scope=cluster").status == 503
    mortal_redis.start()
    pod.wait_ready()
    assert ask(pod, "GET", f"{API}/pods").status == 200
