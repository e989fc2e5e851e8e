"""Ask a lane for a signature once the transaction is committed, and not where it is rolled back."""

from functools import partial

from django.db import transaction
from publish import publish


def ask_for_signature(sale) -> None:
    """Save a sale, and ask its lane."""
    with transaction.atomic():
        sale.state = "signing"
        sale.save()
        event = {
            "clientName": sale.lane,
            "action": "signature",
            "eventId": f"signature-{sale.pk}",
            "ttlMs": 60_000,
            "data": {"transactionId": str(sale.pk), "amount": float(sale.amount)},
        }
        # A device may ask for the sale at once, so it must be there. Raises what publish() does.
        transaction.on_commit(partial(publish, event))
