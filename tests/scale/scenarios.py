"""All scenarios, by name."""

from __future__ import annotations

from tests.scale import lanes, pods, servers
from tests.scale.idle import idle
from tests.scale.scenario import Scenario
from tests.scale.stores import stores

_ALL = (
    Scenario("killed", "a pod is killed with its clients on it", 5_000, 300, pods.killed),
    Scenario("frozen", "a pod stands still for a minute, and its clients go elsewhere", 5_000, 300, pods.frozen),
    Scenario("flushed", "Redis forgets everything", 5_000, 180, servers.flushed),
    Scenario("redis-frozen", "Redis stands still while clients move", 3_000, 240, servers.redis_frozen),
    Scenario("redis-restarted", "Redis begins anew with nothing", 3_000, 240, servers.redis_restarted),
    Scenario("redis-failed-over", "a replica is promoted", 3_000, 240, servers.redis_failed_over),
    Scenario("flapping", "one lane comes and goes all the time", 100, 240, lanes.flapping),
    Scenario("night", "an operator looks for one lane of sixty", 60, 120, lanes.night),
    Scenario("stores", "a chain of 10,000 stores in Redis", 100_000, 240, stores),
    Scenario("idle", "one pod whose clients are sent nothing", 10_000, 240, idle),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}
