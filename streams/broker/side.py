"""Whether the Redis that answers is the primary, and since when another may have been; pure.

A server that was demoted keeps its connections and answers as before, and so does one that its name
no longer means. What publishers give to the new primary meanwhile comes late, or never.
https://redis.io/docs/latest/commands/role/
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, NamedTuple

# What is asked of each server, in this order, before and while a connection to it is used.
QUESTIONS: tuple[tuple[str, ...], ...] = (("ROLE",), ("INFO", "server"), ("INFO", "replication"))
PRIMARY, REPLICA = "master", "slave"
# Redis counts whole seconds by its clock: its uptime is off by less than this.
UPTIME_SECONDS = 1.0
# A name that has several addresses may be answered with some of them.
ABSENT_LOOKS = 2
LONGEST_HISTORY_SECONDS = 7 * 86400.0
# As many as are taken in ten minutes.
OFFSETS_KEPT = 600


class Standing(NamedTuple):
    """What a server says of itself; empty where its user may not ask.

    `replid` names the history that a primary writes, `former_replid` the one that it shared until the
    offset `former_end`, as replica of another. `uptime` is in seconds, `offset` how far its history is.
    """

    role: str = ""
    primary: str = ""
    run_id: str = ""
    replid: str = ""
    former_replid: str = ""
    former_end: int = 0
    offset: int = 0
    uptime: float = inf


class Opened(NamedTuple):
    """Whether a connection that opened may be used, and what that shows.

    `refusal` is why not, or an empty string. `another` says that earlier connections are to another server.
    `wrong_since` is the moment since which these may have been to the wrong one, or None.
    """

    refusal: str = ""
    another: bool = False
    wrong_since: float | None = None


class Side:
    """What is known of the primary that a pod is connected to.

    Call opened() for each connection, checked() and named() again and again. Moments are monotonic
    seconds of this process; `asked` is one before the question was sent.
    """

    def __init__(self, now: float) -> None:
        # The last moment at which the server was the primary for sure.
        self.proved_at = now
        self._server: Standing | None = None
        self._adopted_at, self._adopted_offset = now, 0
        self._named_at = now
        self._absent = 0
        # Since when a server that was left may have been the wrong one, until another is found.
        self._left_since: float | None = None
        # How far the server's history was at moments, or shortly after them.
        self._offsets: deque[tuple[float, int]] = deque(maxlen=OFFSETS_KEPT)

    def opened(self, standing: Standing, asked: float, answered: float) -> Opened:
        """Take in what the server of a new connection says."""
        if standing.role == REPLICA:
            return Opened(f"it is a read-only replica, and its primary is {standing.primary}")
        if standing.role not in ("", PRIMARY):
            return Opened(f"it is no primary but a {standing.role}")
        before, left_since = self._server, self._left_since
        if before is None:
            self._adopt(standing, asked)
            return Opened()
        another = standing.run_id != before.run_id
        if not another and left_since is None and not _was_replica(before, standing):
            self._prove(standing, asked)
            return Opened()
        wrong_since = self._wrong_since(before, standing, answered)
        self._adopt(standing, asked)
        return Opened("", another, wrong_since)

    @property
    def history(self) -> str:
        """The id of the history that the primary writes; empty where it is not known."""
        return "" if self._server is None else self._server.replid

    def checked(self, standing: Standing, asked: float) -> str:
        """Take in what the server of a connection in use says; return why all are to be left, or nothing."""
        server = self._server
        if server is None or self._left_since is not None or asked < self.proved_at:
            # A connection that is left already, or an answer older than the last proof.
            return ""
        if standing.role == REPLICA:
            return self._leave(self.proved_at, f"it is a replica of {standing.primary} now")
        if standing.run_id != server.run_id:
            return self._leave(self.proved_at, "another Redis answers there now")
        if _was_replica(server, standing):
            return self._leave(self.proved_at, "it was a replica meanwhile")
        self._prove(standing, asked)
        return ""

    def named(self, peer: str, addresses: Iterable[str], asked: float) -> str:
        """Take in what the name means; return why its old meaning is to be left, or nothing.

        `peer` is the address of the connection in use, `addresses` are empty where none is known.
        """
        found = {_plain(address) for address in addresses}
        if _plain(peer) in found:
            self._named_at, self._absent = asked, 0
        elif found and self._left_since is None:
            self._absent += 1
            if self._absent >= ABSENT_LOOKS:
                return self._leave(self._named_at, f"its name now means {', '.join(sorted(found))}")
        return ""

    def _leave(self, since: float, reason: str) -> str:
        self._left_since = since
        return reason

    def _adopt(self, standing: Standing, asked: float) -> None:
        self._offsets.clear()
        self._adopted_at, self._left_since, self._absent = asked, None, 0
        self._adopted_offset = standing.offset
        self._prove(standing, asked)

    def _prove(self, standing: Standing, asked: float) -> None:
        # A primary takes a new id for its history where no replica has the old one.
        self._server = standing
        self.proved_at = max(self.proved_at, asked)
        self._offsets.append((asked, standing.offset))

    def _wrong_since(self, before: Standing, standing: Standing, answered: float) -> float | None:
        moved_since = self._named_at if self._absent else None
        since = self._left_since if self._left_since is not None else moved_since
        # A replica that was promoted may have been restarted before, as was the one that it replaced.
        slack = -UPTIME_SECONDS if standing.former_replid else UPTIME_SECONDS
        if since is None and answered - standing.uptime + slack >= self.proved_at:
            # It was restarted since, as a replica that is promoted was not: publishers had no other meanwhile.
            return None
        if standing.former_replid and standing.former_replid == before.replid:
            parted_at = self._parted_at(standing.former_end)
        else:
            # There may have been others in between, or publishers followed the name.
            parted_at = self._adopted_at if moved_since is None else moved_since
        return min(self.proved_at, parted_at) if since is None else min(since, parted_at)

    def _parted_at(self, end: int) -> float:
        """Return a moment before which no other server was the primary: a history that both have was not at its end."""
        shared = [moment for moment, offset in self._offsets if offset < end]
        if shared:
            return shared[-1]
        # One that lacks what came before this pod was there parted before that; nobody here knows when.
        return self._adopted_at - (LONGEST_HISTORY_SECONDS if end < self._adopted_offset else 0.0)


def _was_replica(before: Standing, standing: Standing) -> bool:
    """Say whether a server became a replica and a primary again: it then has a former history."""
    return standing.replid != before.replid and standing.former_replid != ""


def _plain(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return address


def read_standing(replies: list[Any]) -> Standing:
    """Read the answers to QUESTIONS, in redis-py's form or as they came; one that is an exception was refused."""
    role_reply, server, replication = replies
    about, history = _fields(server), _fields(replication)
    role = _role(role_reply) or (str(history.get("role", "")), _place(history) if "master_host" in history else "")
    former = str(history.get("master_replid2", "")).strip("0")
    return Standing(
        role=role[0],
        primary=role[1],
        run_id=str(about.get("run_id", "")),
        replid=str(history.get("master_replid", "")),
        former_replid=str(history["master_replid2"]) if former else "",
        # The offset is that of the first byte that is not shared.
        former_end=int(history.get("second_repl_offset", 0)) - 1,
        offset=int(history.get("master_repl_offset", 0)),
        uptime=float(about.get("uptime_in_seconds", inf)),
    )


def _role(reply: Any) -> tuple[str, str] | None:
    if not isinstance(reply, list) or not reply:
        return None
    words = [word.decode(errors="replace") if isinstance(word, bytes) else str(word) for word in reply[:3]]
    return words[0], ":".join(words[1:]) if words[0] == REPLICA else ""


def _place(history: Mapping[str, Any]) -> str:
    return f"{history.get('master_host', '')}:{history.get('master_port', '')}"


def _fields(reply: Any) -> Mapping[str, Any]:
    """Return what INFO says, by name."""
    if isinstance(reply, Mapping):
        return reply
    if not isinstance(reply, (bytes, str)):
        return {}
    text = reply if isinstance(reply, str) else reply.decode(errors="replace")
    lines = (line.partition(":") for line in text.splitlines())
    return {name: value for name, mark, value in lines if mark}
