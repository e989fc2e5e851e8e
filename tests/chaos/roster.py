"""Whether the roster agrees with the pods: each lane has one stream, and the roster says where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from streams.roster.keys import prefix
from tests.chaos.cluster import Cluster
from tests.support.redis_server import RedisServer

CHANNEL = "events-to-store"


def disagreements(cluster: Cluster, lanes: Iterable[str]) -> list[str]:
    """Return in words what is wrong of each lane now; nothing where all is as it should be."""
    held = {seat.name: held_by(seat.pod.json("/admin/connections")) for seat in cluster.seats if seat.alive}
    listed, streams = on_the_roster(cluster.redis), Counter(name for names in held.values() for name in names)
    found = []
    for lane in lanes:
        pod = next((name for name, names in held.items() if lane in names), "no pod")
        if streams[lane] != 1:
            found.append(f"{lane} has {streams[lane]} streams")
        elif listed.get(lane) != pod:
            found.append(f"{lane} is on {pod}, and on {listed.get(lane, 'no pod')} by the roster")
    return found


def held_by(page: dict[str, Any]) -> set[str]:
    """Return the names of the clients that one pod lists."""
    return {one["clientName"] for one in page["connections"]}


def on_the_roster(server: RedisServer) -> dict[str, str]:
    """Return the pod of each client that has one."""
    client: Any = server.client
    history, start = client.info("replication")["master_replid"], prefix(CHANNEL)
    pods = {life: about.partition(b" ")[2] for life, about in client.hgetall(f"{start}pods").items()}
    found = {}
    for key in client.scan_iter(f"{start}here:{history}:*"):
        for name, entry in client.hgetall(key).items():
            life = entry.split(b" ")[0]
            found[name.decode()] = pods.get(life, b"").partition(b'"podName":"')[2].partition(b'"')[0].decode()
    return found
