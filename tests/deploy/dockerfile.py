"""A reader of Dockerfiles, and a builder that carries out their steps in a directory.

It knows what ours uses. An absolute path of the image stands for the same path below
the stage's directory, so nothing outside of it is touched.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.pods import ROOT

# The paths that ours makes; all others are the base image's.
OWN_PATHS = re.compile(r"(?<![\w.])/(?=(?:opt/venv|opt/bytecode|build|app|data)\b)")


@dataclass(slots=True)
class Stage:
    """One FROM and what follows it."""

    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def values(self, keyword: str) -> list[str]:
        return [rest for found, rest in self.instructions if found == keyword]

    def value(self, keyword: str) -> str:
        (rest,) = self.values(keyword)
        return rest

    def environment(self) -> dict[str, str]:
        pairs = [pair.partition("=") for rest in self.values("ENV") for pair in shlex.split(rest)]
        return {name: value for name, _, value in pairs}

    def copies(self) -> list[tuple[str, list[str], str]]:
        """Return for each COPY: the stage it takes from, its sources and its target."""
        copies = []
        for rest in self.values("COPY"):
            words = shlex.split(rest)
            options = [word for word in words if word.startswith("--from=")]
            *sources, target = [word for word in words if not word.startswith("--")]
            copies.append((options[0].removeprefix("--from=") if options else "", sources, target))
        return copies


def read_dockerfile(path: Path) -> list[Stage]:
    """Return the stages in their order; the last is the image."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        keyword, _, rest = line.partition(" ")
        if keyword == "FROM":
            stages.append(Stage(rest.partition(" AS ")[2] or "image"))
        if stages:
            stages[-1].instructions.append((keyword, rest.strip()))
    return stages


def as_user(uid: int, gid: int) -> dict[str, Any]:
    """Return the options of subprocess that make a child another user's, where that is allowed."""
    return {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}


# A file system as a container has it with --read-only: a mount namespace of its own in which
# nothing can be written, by whichever user, but the volume on /data and /tmp. Then it does
# what a runtime does that drops all rights. Each step replaces the one before, so the
# process that signals are sent to is the pod.
CONFINE = """
root=$1 user=$2 group=$3; shift 3
mount --bind "$root" "$root"
mount --bind "$root/data" "$root/data"
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -o remount,bind,ro "$root"
mount -o remount,bind,ro /
cd "$root/app"
exec setpriv --reuid "$user" --regid "$group" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"
"""


def confined(root: Path, user: int, group: int, arguments: list[str]) -> list[str]:
    """Return a command that runs another one as a container with a read-only root would."""
    unshare = ["unshare", "--mount", "--propagation", "private", "--"]
    return [*unshare, "/bin/sh", "-ec", CONFINE, "confine", str(root), str(user), str(group), *arguments]


def obstacle(root: Path) -> str:
    """Say what keeps this machine from confining a process, or nothing."""
    if os.geteuid() != 0:
        return "only root may mount"
    missing = [tool for tool in ("unshare", "mount", "setpriv") if shutil.which(tool) is None]
    if missing:
        return f"{' and '.join(missing)} of util-linux is not installed"
    done = subprocess.run(confined(root, 0, 0, ["true"]), capture_output=True, text=True, check=False)
    return f"no mount namespace may be made here: {done.stderr.strip()}" if done.returncode else ""


class Build:
    """Carries out the steps of every stage below one directory."""

    def __init__(self, stages: list[Stage], directory: Path, python: str) -> None:
        self._stages = stages
        self._directory = directory
        self._bin = directory / "bin"
        self._bin.mkdir()
        # pip comes with the base image; here with the environment that runs the tests.
        shim = self._bin / "python"
        shim.write_text(f'#!/bin/sh\ncase "$2" in pip) exec {sys.executable} "$@";; *) exec {python} "$@";; esac\n')
        shim.chmod(0o755)

    @property
    def image(self) -> Stage:
        return self._stages[-1]

    def root(self, stage: str) -> Path:
        return self._directory / stage

    def localize(self, text: str, stage: str = "image") -> str:
        """Exchange the image's own paths in a text for those below the stage's directory."""
        return OWN_PATHS.sub(f"{self.root(stage)}/", text)

    def environment(self, stage: Stage) -> dict[str, str]:
        """Return what ENV sets, and nothing of the tests' own environment but PATH."""
        values = {name: self.localize(value, stage.name) for name, value in stage.environment().items()}
        path = os.environ.get("PATH", os.defpath)
        return values | {"PATH": values.get("PATH", "$PATH").replace("$PATH", f"{self._bin}{os.pathsep}{path}")}

    def run(self) -> None:
        """Build every stage; raises CalledProcessError where a step fails."""
        for stage in self._stages:
            self.root(stage.name).mkdir()
            for keyword, rest in stage.instructions:
                if keyword == "COPY":
                    self._copy(stage, rest)
                elif keyword == "RUN":
                    self._run(stage, rest)

    def _copy(self, stage: Stage, rest: str) -> None:
        source_stage, sources, target = next(iter(Stage("", [("COPY", rest)]).copies()))
        origin = self.root(source_stage) if source_stage else ROOT
        place = self.root(stage.name) / target.lstrip("/")
        for source in sources:
            path = origin / source.lstrip("/")
            if path.is_dir():
                ignore = None if source_stage else shutil.ignore_patterns("__pycache__", "*.pyc")
                shutil.copytree(path, place, symlinks=True, ignore=ignore)
            else:
                into = place / path.name if target.endswith("/") else place
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, into)

    def _run(self, stage: Stage, command: str) -> None:
        if command.startswith("groupadd"):
            # No test adds users to this machine; the directory is what the step leaves behind.
            data = self.root(stage.name) / "data"
            data.mkdir(mode=0o750)
            uid, gid = self.user()
            if os.geteuid() == 0:
                os.chown(data, uid, gid)
            return
        # The tests' own settings of pip, such as a mirror, are kept; its cache makes them quick.
        inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        environment = inherited | self.environment(stage)
        environment.pop("PIP_NO_CACHE_DIR", None)
        subprocess.run(
            ["/bin/sh", "-ec", self.localize(command, stage.name)],
            cwd=self.localize(next(iter(stage.values("WORKDIR")), str(self.root(stage.name))), stage.name),
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )

    def user(self) -> tuple[int, int]:
        uid, gid = self.image.value("USER").split(":")
        return int(uid), int(gid)

    def start(
        self, arguments: list[str], log_path: Path, variables: Mapping[str, str], *, read_only: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a command of the image as its user, in its directory, with its environment."""
        arguments = [self.localize(argument) for argument in arguments]
        if read_only:
            arguments = confined(self.root(self.image.name), *self.user(), arguments)
        with log_path.open("ab") as log:
            return subprocess.Popen(
                arguments,
                cwd=self.localize(self.image.value("WORKDIR")),
                env=self.environment(self.image) | dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **({} if read_only else as_user(*self.user())),
            )

    def command(self) -> list[str]:
        """Return CMD, which is in exec form."""
        words: list[str] = json.loads(self.image.value("CMD"))
        return words

    def healthcheck(self) -> list[str]:
        """Return the command of HEALTHCHECK, which is in exec form."""
        words: list[str] = json.loads(self.image.value("HEALTHCHECK").partition("CMD ")[2])
        return words
