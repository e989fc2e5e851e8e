// What the service says about a stream, in words. The named events are those that
// `onmessage` of an ordinary client never sees.

const KNOWN = {
  evicted: "A newer connection took this client's name, and this one was closed.",
  draining: "The pod is being replaced; the next connection goes to another one.",
  overloaded: "The pod has more clients than it may have; the next connection may find another one.",
  operator: "An operator disconnected this client.",
  duel: "Two devices use this name and evicted each other again and again. Give one of them another name.",
  "max-life": "The stream reached its longest allowed duration.",
  rebalanced: "The pod had far more clients than the others; the next connection goes to another one.",
  "server-stopped": "The pod stopped.",
  "token-expired": "The token of this client ended. It needs a new one.",
  "token-revoked": "The token of this client was revoked.",
  "token-expiring": "The token of this stream ends soon; a new one keeps it open.",
};

// Ends after which coming back by itself would do harm: it would evict the other one in turn.
const FINAL = new Set(["evicted", "duel"]);

const PLAIN = new Set(["type", "podName", "timestamp", "clientName"]);

export function parse(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

// A farewell has one of a few names that clients know, and in its data the exact reason.
function kind(event) {
  const { reason } = parse(event.data);
  return Object.hasOwn(KNOWN, reason ?? "") ? reason : event.type;
}

export function describe(event) {
  const data = parse(event.data);
  const rest = Object.entries(data).filter(([key, value]) => !PLAIN.has(key) && value !== kind(event));
  const details = rest.map(([key, value]) => `${key}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
  const pod = data.podName ? ` (${data.podName})` : "";
  const sentence =
    event.type === "stream-gap"
      ? "Events may be missing here: the pod could not hear or no longer remembers them."
      : (KNOWN[kind(event)] ?? `The service sent “${event.type}”.`);
  return [`${sentence}${pod}`, ...details].join(" ");
}

export function isFinal(event) {
  return FINAL.has(kind(event));
}

export function isWarning(event) {
  return kind(event) !== "max-life";
}

export function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}
