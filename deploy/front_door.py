"""The front door of a local cluster: nginx or HAProxy, with the configuration that stands beside this file."""

from __future__ import annotations

import os
import re
import resource
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.processes import HOST, ROOT

# Debian keeps servers where a user's PATH does not look.
PATHS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
MAX_DESCRIPTORS = 65536
# Stands in both configurations where the networks of operators do; reserved for documentation.
NO_NETWORK = "192.0.2.0/24"


class FrontDoorError(Exception):
    """The front door that was asked for cannot be had."""


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """A program that can stand before the pods, and how to run it."""

    name: str
    configuration: str
    arguments: tuple[str, ...]

    def command(self, directory: Path, port: int, pod_ports: list[int], operators: str = NO_NETWORK) -> list[str]:
        """Write the configuration with local addresses into a directory; return what to run.

        `operators` is the network that sees their pages.
        """
        text = (ROOT / "deploy" / self.configuration).read_text().replace(NO_NETWORK, operators)
        text = localize(text, directory, port, pod_ports)
        path = directory / Path(self.configuration).name
        path.write_text(text)
        return [shutil.which(self.name, path=PATHS) or self.name, *self.arguments, str(path)]


FRONT_DOORS = (
    FrontDoor("nginx", "nginx/nginx.conf", ("-e", "stderr", "-g", "daemon off;", "-c")),
    FrontDoor("haproxy", "haproxy/haproxy.cfg", ("-db", "-f")),
)


def localize(text: str, directory: Path, port: int, pod_ports: list[int]) -> str:
    """Exchange the addresses and paths of a front door's configuration for local ones."""
    for number, pod_port in enumerate(pod_ports, 1):
        text = re.sub(rf"(server (?:pod-{number} )?)pod-{number}:3000", rf"\g<1>{HOST}:{pod_port}", text)
    text = re.sub(r"(listen |bind )(?::)?3000\b", rf"\g<1>{HOST}:{port}", text)
    # Asking for more open files than this user may have would only be an alarming line.
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        descriptors = min(hard, MAX_DESCRIPTORS)
        text = re.sub(r"(worker_rlimit_nofile) \d+", rf"\g<1> {descriptors}", text)
        text = re.sub(r"(worker_connections) \d+", rf"\g<1> {descriptors // 2}", text)
    return text.replace("/tmp/", f"{directory}/")  # noqa: S108 - the path that is exchanged


def find_front_door(wish: str) -> FrontDoor | None:
    """Return the front door to use, or None where there is or shall be none.

    `wish` is the name of one, `auto` for the first that is installed, or `none`.
    Raises FrontDoorError where the one that was asked for is not installed.
    """
    wanted = [door for door in FRONT_DOORS if wish in ("auto", door.name)]
    for door in wanted:
        if shutil.which(door.name, path=PATHS):
            return door
    if wanted and wish != "auto":
        raise FrontDoorError(f"{wish} is not installed; install it, or choose another --front-door.")
    return None
