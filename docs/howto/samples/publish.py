"""Ask a lane for a signature: python publish.py STORE001-LANE01 TXN-1001."""

import json
import os
import sys
import time
import urllib.error
import urllib.request

URL = os.environ.get("SSE_URL", "http://localhost:3000") + "/api/v1/events"
HEADERS = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ.get('ADMIN_TOKEN', '')}"}


def publish(event: dict) -> dict:
    """Publish an event, once however often it is sent."""
    request = urllib.request.Request(URL, json.dumps(event).encode(), HEADERS)
    for attempt in range(1, 6):
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                # Another attempt would be refused, too.
                raise ValueError(json.load(error)["error"]) from None
        except OSError:
            # It may have been taken: with the same id another attempt is safe.
            pass
        time.sleep(attempt)
    raise TimeoutError(f"{URL} took no event.")


if __name__ == "__main__":
    lane, transaction = sys.argv[1:]
    event = {
        "clientName": lane,
        "action": "signature",
        "eventId": f"signature-{transaction}",
        "ttlMs": 60_000,
        "data": {"transactionId": transaction, "amount": 99.99},
    }
    print(publish(event)["state"])
