"""Ask a lane for a signature through Redis: python publish_redis.py STORE001-LANE01 TXN-1001."""

import json
import os
import sys
import time
from datetime import UTC, datetime

import redis

client = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://localhost:6379"), socket_timeout=5)


def publish(event: dict) -> str:
    """Add an event to the journal; the pods deliver it once however often it is there."""
    message = json.dumps(event)
    for attempt in range(1, 6):
        try:
            return client.xadd("events-to-store:log", {"event": message}, maxlen=100_000, approximate=True).decode()
        except (redis.ConnectionError, redis.TimeoutError):
            # It may have been taken: the same message, with the same id and timestamp, is safe.
            time.sleep(attempt)
    raise TimeoutError("Redis took no event.")


if __name__ == "__main__":
    lane, transaction = sys.argv[1:]
    event = {
        "clientName": lane,
        "action": "signature",
        "eventId": f"signature-{transaction}",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "ttlMs": 60_000,
        "data": {"transactionId": transaction, "amount": 99.99},
    }
    print(publish(event))
