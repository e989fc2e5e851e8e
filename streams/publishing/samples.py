"""Plausible `data` for each action, for trying the service out."""

from __future__ import annotations

import random
import secrets
from typing import Any

STATUSES = ("online", "busy", "maintenance")
LEVELS = ("info", "warning", "critical")


def sample_data(action: str) -> dict[str, Any]:
    """Return data such as a back end would send with an action; KeyError for an unknown one."""
    code = secrets.token_hex(4).upper()
    amount = round(random.uniform(1, 500), 2)
    samples: dict[str, dict[str, Any]] = {
        "signature": {
            "transactionId": f"TXN-{code}",
            "amount": amount,
            "message": "Please capture signature",
        },
        "payment": {"transactionId": f"TXN-{code}", "amount": amount, "currency": "USD", "method": "card"},
        "receipt": {
            "receiptId": f"RCT-{code}",
            "total": amount,
            "items": random.randint(1, 20),
            "print": True,
        },
        "alert": {
            "alertId": f"ALT-{code}",
            "level": random.choice(LEVELS),
            "message": "Please call a supervisor",
        },
        "inventory": {"sku": f"SKU-{code}", "quantity": random.randint(0, 200), "location": "A-12"},
        "status": {"deviceStatus": random.choice(STATUSES), "battery": random.randint(5, 100)},
        "notification": {"title": "Shift change", "message": "Lane closes in 10 minutes"},
    }
    return samples[action]
