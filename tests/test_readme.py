"""The README holds: its tables agree with the code, its links lead somewhere, its tour runs as it stands."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

import pytest

from streams.conf import StreamSettings, read_settings
from streams.delivery.registry import FAREWELLS
from streams.errors import CloseReason
from streams.history.messages import GapReason
from streams.management.commands.publish_event import EXAMPLES
from streams.urls import urlpatterns
from tests.support.redis_server import free_port, free_ports
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()

# Debian keeps servers where a user's PATH does not look.
PATHS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
OUTPUT_SECONDS = 30.0
COMMAND_SECONDS = 30.0


def section(title: str) -> str:
    """Return the text under a heading, without the sections that follow."""
    found = re.search(rf"(?ms)^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README)
    assert found, f"README.md has no section {title!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Return the cells of a section's tables, row by row, without heads."""
    lines = re.findall(r"(?m)^\| (`.*) \|$", text)
    return [[cell.strip() for cell in re.split(r"(?<!\\) \| ", line)] for line in lines]


def words(cell: str) -> list[str]:
    """Return what stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def sources(*packages: str) -> str:
    """Return the code of packages, without the two modules that only name things."""
    paths = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    return "\n".join(path.read_text() for path in paths if path.name not in ("conf.py", "errors.py"))


class Setting(NamedTuple):
    name: str
    default: str | None


def settings_table() -> list[Setting]:
    settings = []
    for name, default, _unit, _meaning in rows(section("Settings")):
        literal = re.match(r"`([^`]*)`", default)
        settings.append(Setting(name.strip("`"), literal and literal[1]))
    return settings


def example() -> dict[str, str]:
    return dict(re.findall(r"(?m)^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text()))


def settings_read() -> set[str]:
    """Return the names that conf.py and settings.py take from the environment."""
    calls = r'(?:env|self)\.(?!is_)[a-z_]+\(\s*"([A-Z_]+)"'
    texts = [(ROOT / "streams/conf.py").read_text(), (ROOT / "sseproject/settings.py").read_text()]
    return {name for text in texts for name in re.findall(calls, text)}


def test_settings_table_and_example_file_name_the_same_variables_in_the_same_number():
    names = [setting.name for setting in settings_table()]
    assert sorted(names) == sorted(example())
    assert len(names) == len(set(names))


def test_every_variable_that_is_read_is_documented_and_the_other_way_round():
    assert settings_read() == set(example())


@pytest.mark.parametrize("setting", settings_table(), ids=lambda setting: setting.name)
def test_documented_default_is_the_default(setting: Setting):
    in_file = example()[setting.name]
    if setting.default is None:
        assert in_file == "", "the README says that there is none"
        return
    assert in_file in ("", setting.default), "README.md and .env.example differ"
    unset = read_settings({})
    # Naming a host, even the default one, says that a Redis is to be there.
    assert replace(read_settings({setting.name: setting.default}), redis_is_default=True) == unset


def test_example_file_holds_the_defaults():
    assert read_settings(example()) == read_settings({})


def test_every_setting_has_an_effect():
    code = sources("streams", "dashboard", "sseproject")
    assert not [field.name for field in fields(StreamSettings) if not re.search(rf"\.{field.name}\b", code)]


def test_table_of_close_reasons_is_complete_and_says_what_the_client_reads():
    table = {row[0].strip("`"): row[2] for row in rows(section("When a connection ends"))}
    assert table.keys() == {reason.value for reason in CloseReason}
    for reason in CloseReason:
        farewell = FAREWELLS.get(reason)
        expected = "nothing" if farewell is None else f"`event: {farewell}`"
        assert table[reason].startswith(expected), reason


def test_every_close_reason_is_used():
    # A page may have words for a reason long before anything ends for it.
    issued = sources("streams") + "".join(re.findall(r"\bclose\(.*", sources("dashboard")))
    assert not [reason for reason in CloseReason if f"CloseReason.{reason.name}" not in issued]


def test_table_of_farewells_names_every_reason():
    told = {(row[0].strip("`"), reason) for row in rows(section("The stream")) for reason in words(row[1])}
    assert {(name, reason.value) for reason, name in FAREWELLS.items()} <= told


def test_table_of_gaps_names_every_reason():
    named = {row[0].strip("`") for row in rows(section("The stream"))}
    assert {reason.value for reason in GapReason} <= named


def test_exit_statuses_are_those_of_the_command():
    documented = [row[0].strip("`") for row in rows(section("Publishing")) if re.fullmatch(r"`\d`", row[0])]
    promised = next(line for line in EXAMPLES.splitlines() if line.startswith("exit status"))
    assert documented == re.findall(r"\b\d\b", promised)


def test_make_targets_are_those_of_the_makefile():
    targets = set(re.findall(r"(?m)^([a-z]+):.*## ", (ROOT / "Makefile").read_text()))
    named = set(re.findall(r"`make ([a-z]+)", README))
    assert named <= targets
    assert {"run", "test", "format", "bench", "cluster", "screenshots", "soak"} <= named


def test_http_table_names_every_json_path():
    named = {row[0].strip("`").partition(" /")[2] for row in rows(section("HTTP"))}
    assert {str(url.pattern).replace("<str:name>", "NAME") for url in urlpatterns} <= named


def test_metrics_that_the_readme_names_exist():
    named = set(re.findall(r"\bsse_[a-z_]+", README))
    assert named
    metrics = sources("streams")
    assert not [name for name in named if f'"{name.removesuffix("_total")}"' not in metrics]


def test_packages_that_the_readme_names_are_all_that_there_are():
    named = {name for row in rows(section("The code")) for name in re.findall(r"`(\w+)/`", row[0])}
    assert named == {path.parent.name for path in (ROOT / "streams").glob("*/__init__.py")} | {"management"}


def test_links_lead_somewhere():
    targets = set(re.findall(r"\]\(([^)\s]+)\)", README))
    files = {target for target in targets if not target.startswith(("http", "#"))}
    assert not sorted(target for target in files if not (ROOT / target.partition("#")[0]).exists())
    headings = re.findall(r"(?m)^#+ (.*)$", README)
    anchors = {"#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert {target for target in targets if target.startswith("#")} <= anchors


class Step(NamedTuple):
    """A command of the tour, and the lines that the README shows after it."""

    command: str
    stays_open: bool
    expected: list[str]


def tour(title: str) -> list[Step]:
    steps: list[Step] = []
    for kind, body in re.findall(r"(?ms)^```([\w -]+)\n(.*?)^```$", section(title)):
        if kind.startswith("sh"):
            steps.append(Step(body.strip(), kind.endswith("keep-open"), []))
        else:
            steps[-1].expected.extend(line for line in body.splitlines() if line)
    return steps


def normal(text: str) -> str:
    """Blot out what differs from one run to the next."""
    for pattern, stand_in in (
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"evt-[0-9A-F]{16}", "EVENT-ID"),
        (r"TXN-[0-9A-F]{8}", "TXN"),
        (r"\b\d{13}-\d+\b", "LOG-ID"),
        (r'"amount":[\d.]+', '"amount":N'),
        (r'"uptime": \d+', '"uptime": N'),
        (r"retry: \d+", "retry: N"),
        # Which of three it is decides a hash of its port.
        (r'"podName":"pod-[123]"', '"podName":"POD"'),
        (r"\(process \d+\)", "(process N)"),
        (r"\((nginx|haproxy)\)", "(FRONT-DOOR)"),
    ):
        text = re.sub(pattern, stand_in, text)
    return text


class Newcomer:
    """Types what the tour says into terminals whose output all goes to one file."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self._folder = folder
        self._ports = ports
        self._output = folder / "terminals.txt"
        self._output.touch()
        self._open: list[subprocess.Popen[bytes]] = []
        self._env = {
            name: value for name, value in os.environ.items() if name not in {*example(), "MAKEFLAGS", "MFLAGS"}
        }
        self._env |= {"PORT": str(ports["3000"]), "REDIS_PORT": str(ports["6379"]), "PYTHONUNBUFFERED": "1"}
        # Off a terminal curl draws a progress meter, unless its own settings say otherwise.
        (folder / ".curlrc").write_text("silent\nshow-error\n")
        self._env["CURL_HOME"] = str(folder)
        self._env["PATH"] = f"{folder / 'stand-ins'}{os.pathsep}{os.environ['PATH']}"

    def follow(self, step: Step) -> None:
        """Type a command, and wait until everything that the README shows after it is there."""
        offset = self._output.stat().st_size
        self._type(self._with_ports(step.command), step.stays_open)
        expected = [normal(self._with_ports(line)) for line in step.expected]

        def missing() -> list[str]:
            shown = normal(self._output.read_bytes()[offset:].decode()).splitlines()
            return [line for line in expected if line not in shown]

        try:
            wait_until("the output", lambda: not missing(), OUTPUT_SECONDS)
        except AssertionError:
            pytest.fail(f"{step.command}\ndid not show {missing()}\nbut\n{self._output.read_text()[offset:]}")

    def wait_until_ready(self) -> None:
        """Ask the pod until it says that it hears everything."""
        url = self._with_ports("http://localhost:3000/health/ready")
        ask = ["curl", "--fail", "--silent", "--output", os.devnull, url]
        wait_until("the pod to be ready", lambda: subprocess.run(ask).returncode == 0)

    def leave(self) -> None:
        """Press Ctrl-C in every terminal, the last one first."""
        for process in reversed(self._open):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                process.wait(COMMAND_SECONDS)

    def _type(self, command: str, stays_open: bool) -> None:
        with self._output.open("ab") as output:
            process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._open.append(process)
        if not stays_open:
            assert process.wait(COMMAND_SECONDS) == 0, f"{command}\n{self._output.read_text()}"

    def _with_ports(self, text: str) -> str:
        for written, free in self._ports.items():
            text = re.sub(rf"\b{written}\b", str(free), text)
        return text.replace("redis-cli ", f"redis-cli -p {self._ports['6379']} ")


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


# Enough of redis-cli for `redis-cli -p PORT PUBLISH CHANNEL MESSAGE`.
REDIS_CLI = """
import sys, redis
_, _, port, *command = sys.argv
print(redis.Redis(port=int(port)).execute_command(*command))
"""


def write_script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.skipif(not shutil.which("make") or not shutil.which("curl"), reason="the tour needs make and curl")
@pytest.mark.parametrize(("title", "steps"), [("A tour", 11), ("Several pods", 4)])
def test_tour_runs_as_it_stands(newcomer: Newcomer, title: str, steps: int):
    if title == "Several pods" and not any(shutil.which(door, path=PATHS) for door in ("nginx", "haproxy")):
        pytest.skip("neither nginx nor haproxy is installed, and this tour goes through one")
    found = tour(title)
    assert len(found) >= steps
    for step in found:
        newcomer.follow(step)
        if step.command == "make run":
            # The pod says that it is subscribed a moment before it has caught up; nobody types that fast.
            newcomer.wait_until_ready()
