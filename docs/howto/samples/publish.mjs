// Ask a lane for a signature: node publish.mjs STORE001-LANE01 TXN-1001
import { setTimeout as sleep } from "node:timers/promises";

const url = `${process.env.SSE_URL ?? "http://localhost:3000"}/api/v1/events`;
const headers = { "Content-Type": "application/json", Authorization: `Bearer ${process.env.ADMIN_TOKEN ?? ""}` };

// Publish an event, once however often it is sent.
async function publish(event) {
  const request = { method: "POST", headers, body: JSON.stringify(event) };
  for (let attempt = 1; attempt <= 5; attempt++) {
    // Without an answer it may have been taken: with the same id another attempt is safe.
    const answer = await fetch(url, { ...request, signal: AbortSignal.timeout(5000) }).catch(() => null);
    if (answer?.ok) return answer.json();
    // Another attempt would be refused, too.
    if (answer && answer.status < 500 && answer.status !== 429) throw new Error((await answer.json()).error);
    await sleep(1000 * attempt);
  }
  throw new Error(`${url} took no event.`);
}

const [lane, transaction] = process.argv.slice(2);
const event = {
  clientName: lane,
  action: "signature",
  eventId: `signature-${transaction}`,
  ttlMs: 60000,
  data: { transactionId: transaction, amount: 99.99 },
};
console.log((await publish(event)).state);
