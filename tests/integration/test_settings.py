"""What a person sees who set a variable wrongly, and where all variables are listed."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.pods import (
    LOCKS_OFF,
    PRODUCTION,
    ROOT,
    command,
    documented_variables,
    environment,
    run_manage,
    run_python,
)
from tests.support.redis_server import free_port


def variables_read(path: Path) -> set[str]:
    """Return the variables that a module asks the environment for by name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and re.search(r"environ\.(get|pop|setdefault)$|getenv$", ast.unparse(node.func)):
            found.add(ast.unparse(node.args[0]).strip("'"))
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            found.add(ast.unparse(node.slice).strip("'"))
    return found


def test_no_module_reads_a_variable_that_is_not_declared():
    packages = ("streams", "dashboard", "loadtest", "sseproject", "deploy")
    paths = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    read = set().union(*(variables_read(path) for path in [*paths, ROOT / "manage.py"]))
    assert "DRAIN_SECONDS" in read, "what reads the environment is no longer found"
    assert read - set(documented_variables()) == {
        "DJANGO_SETTINGS_MODULE",
        "DJANGO_SUPERUSER_PASSWORD",
        "NO_COLOR",
        "PATH",
    }


def test_env_example_as_it_stands_is_a_usable_env():
    values = dict(re.findall(r"(?m)^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text()))
    finished = run_manage("check", "--fail-level", "WARNING", env=environment() | values)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "http", "65535"),
        ("REDIS_PORT", "0", "65535"),
        ("REDIS_URL", "http://redis", "redis://"),
        ("ENVIRONMENT", "staging", "production"),
        ("LOG_LEVEL", "loud", "debug"),
        ("LOG_FORMAT", "xml", "json"),
        ("HEARTBEAT_SECONDS", "soon", "seconds"),
        ("MAX_CONNECTIONS", "many", "number"),
        ("MAX_EVENT_BYTES", "256K", "number"),
        ("CORS_ALLOWED_ORIGINS", "shop", "origins"),
        ("POD_NAME", "x" * 300, "253"),
        ("DATABASE_URL", "nonsense", "sqlite"),
        ("DATABASE_URL", "foo://bar", "sqlite"),
        ("DEBUG", "perhaps", "on"),
    ],
)
def test_an_unusable_variable_stops_the_start_with_one_line(name: str, value: str, allowed: str):
    finished = run_python("-c", "import sseproject.settings", env=environment() | {name: value})
    assert finished.returncode == 1
    lines = finished.stderr.strip().splitlines()
    assert len(lines) == 1, finished.stderr
    assert lines[0].startswith(name)
    assert allowed in lines[0]
    if name not in ("REDIS_URL", "DATABASE_URL"):
        assert value in lines[0]


@pytest.mark.parametrize("command", [["streamworker"], ["runserver", "--noreload"], ["publish_event", "a", "alert"]])
def test_every_command_says_so(command: list[str]):
    finished = run_manage(*command, env=environment(HEARTBEAT_SECONDS="soon", REDIS_PORT=free_port()))
    assert finished.returncode != 0
    assert finished.stderr.strip().splitlines() == [
        "HEARTBEAT_SECONDS is 'soon', but it must be a number of seconds from 1 to 3600."
    ]


def test_production_needs_a_secret_key():
    env = environment(ENVIRONMENT="production", **LOCKS_OFF, REDIS_URL=f"redis://127.0.0.1:{free_port()}")
    finished = run_manage("streamworker", env=env)
    assert finished.returncode != 0
    (line,) = finished.stderr.strip().splitlines()
    assert line.startswith("SECRET_KEY")


@pytest.mark.parametrize("start", ["streamworker", "daphne", "uvicorn"])
@pytest.mark.parametrize("variable", [*LOCKS_OFF])
def test_production_has_to_be_told_what_is_open(variable: str, start: str):
    env = environment(**(PRODUCTION | {variable: ""}), REDIS_PORT=free_port())
    asked = command(start, free_port())
    finished = subprocess.run(asked, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert finished.returncode != 0
    (line,) = finished.stderr.strip().splitlines()
    assert line.startswith(f"{variable} is '', but it must be said when ENVIRONMENT is production: off")


def test_empty_variables_count_as_not_set():
    env = environment() | dict.fromkeys(documented_variables(), "")
    script = "import sseproject.settings as s; print(s.ALLOWED_HOSTS, s.DATABASES['default']['ENGINE'])"
    finished = run_python("-c", script, env=env)
    assert finished.stdout.strip() == "['*'] django.db.backends.sqlite3", finished.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--port", "http"], "--port"),
        (["--port", "70000"], "65535"),
        (["--port", "-1"], "65535"),
        (["--colour"], "--colour"),
    ],
)
def test_wrong_arguments_of_streamworker_are_status_2(arguments: list[str], word: str):
    finished = run_manage("streamworker", *arguments, env=environment(REDIS_PORT=free_port()))
    assert finished.returncode == 2
    assert word in finished.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("host", "word"), [("192.0.2.1", "192.0.2.1"), ("no.such.host.invalid", "no.such.host.invalid")]
)
def test_an_address_that_cannot_be_listened_on_is_one_line(host: str, word: str):
    env = environment(REDIS_URL=f"redis://127.0.0.1:{free_port()}")
    finished = run_manage("streamworker", "--host", host, "--port", str(free_port()), env=env, timeout=30)
    assert finished.returncode != 0
    assert word in finished.stderr.strip().splitlines()[-1]
    assert "Traceback" not in finished.stderr


def settings_with(env_file: bytes, directory: Path) -> subprocess.CompletedProcess[str]:
    """Load the settings in a copy of the project that has this `.env`, and no variable set."""
    shutil.copytree(ROOT / "sseproject", directory / "sseproject")
    (directory / ".env").write_bytes(env_file)
    script = "import sseproject.settings as s; print(s.STREAMS.environment, s.STREAMS.redis_channel)"
    unset = {name: value for name, value in os.environ.items() if name not in documented_variables()}
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=directory,
        env=unset | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


SECRET = b"SECRET_KEY=abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\nSTREAM_AUTH=off\nPUBLISH_AUTH=off\n"


@pytest.mark.parametrize(
    ("env_file", "said"),
    [
        (b"\xef\xbb\xbfENVIRONMENT=production\n" + SECRET, "production events-to-store"),
        (b"ENVIRONMENT = production\n" + SECRET, "production events-to-store"),
        (b"ENVIRONMENT='production' # for real\n" + SECRET, "production events-to-store"),
        (b"REDIS_CHANNEL=lane-events # ours\n", "development lane-events"),
        (b'export REDIS_CHANNEL="lane-events"\n', "development lane-events"),
    ],
)
def test_an_env_file_is_read_as_people_mean_it(env_file: bytes, said: str, tmp_path: Path):
    finished = settings_with(env_file, tmp_path)
    assert (finished.stdout.strip(), finished.stderr) == (said, "")


@pytest.mark.parametrize("line", [b"ENVIRONMENT production", b"ENVIRONMENT:production", b"POD_NAME=caf\xe9"])
def test_a_line_of_an_env_file_that_cannot_be_read_stops_the_start(line: bytes, tmp_path: Path):
    """A pod that skipped it would start in development, with its pages open to everybody."""
    finished = settings_with(SECRET + line, tmp_path)
    assert finished.returncode == 1
    (sentence,) = finished.stderr.splitlines()
    assert sentence.startswith("Line 4 of .env cannot be read: ")


def test_an_auditor_finds_nothing_in_production():
    """`check --deploy` knows Django's own middlewares by name, and not those of this project."""
    locked = {"STREAM_AUTH": "required", "PUBLISH_AUTH": "required", "TOKEN_SECRET": PRODUCTION["SECRET_KEY"]}
    finished = deploy_check(**PRODUCTION | locked)
    assert finished.returncode == 0, finished.stderr


def test_an_auditor_finds_what_is_open():
    finished = deploy_check(**PRODUCTION)
    assert finished.returncode == 1
    for variable in LOCKS_OFF:
        assert f"{variable} is off" in finished.stderr


def deploy_check(**variables: Any) -> subprocess.CompletedProcess[str]:
    return run_manage("check", "--deploy", "--fail-level", "WARNING", env=environment(**variables, POD_NAME="pod-1"))


@pytest.mark.parametrize(
    ("variables", "told"), [({}, "2592000 True True"), ({"SECURE_COOKIES": "off"}, "0 False False")]
)
def test_production_is_for_tls_unless_somebody_says_otherwise(variables: dict[str, str], told: str):
    script = (
        "import sseproject.settings as s; print(s.SECURE_HSTS_SECONDS, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE)"
    )
    finished = run_python("-c", script, env=environment(**PRODUCTION, **variables))
    assert finished.stdout.strip() == told, finished.stderr
