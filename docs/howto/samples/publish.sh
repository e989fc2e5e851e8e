#!/bin/sh
# Ask a lane for a signature: sh publish.sh STORE001-LANE01 TXN-1001
# After 503, a time-out or a refused connection curl sends the same again; a 4xx ends it, and says what to change.
curl --silent --show-error --fail-with-body --max-time 5 --retry 4 --retry-connrefused \
  "${SSE_URL:-http://localhost:3000}/api/v1/events" \
  --header 'Content-Type: application/json' --header "Authorization: Bearer $ADMIN_TOKEN" \
  --data '{"clientName": "'"$1"'", "action": "signature", "eventId": "signature-'"$2"'", "ttlMs": 60000,
    "data": {"transactionId": "'"$2"'", "amount": 99.99}}'
