"use strict";

// The original's design as its README describes it: one process, one Map of clients,
// one Redis subscription, broadcast and local filter, a heartbeat timer for each connection.
// As in any production service, the line that it logs for each event is off unless asked for.

const express = require("express");
const Redis = require("ioredis");

const PORT = Number(process.env.PORT || 3000);
const POD_NAME = process.env.POD_NAME || "local-pod";
const CHANNEL = process.env.REDIS_CHANNEL || "events-to-store";
const ENVIRONMENT = process.env.NODE_ENV || "development";
const LOGS_EVENTS = process.env.LOG_LEVEL === "debug";
const HEARTBEAT_MS = 30_000;

const connections = new Map();
let subscribed = false;

function register(clientName, response) {
  const existing = connections.get(clientName);
  if (existing) {
    console.log(`[REGISTRY] Evicting the old connection of ${clientName}`);
    remove(existing, "evicted");
    existing.response.end();
  }
  const connection = {
    clientName,
    response,
    connectedAt: new Date(),
    lastActivity: new Date(),
    eventCount: 0,
    isAlive: true,
    heartbeat: null,
  };
  connection.heartbeat = setInterval(() => beat(connection), HEARTBEAT_MS);
  connections.set(clientName, connection);
  console.log(`[REGISTRY] Registered ${clientName} on pod ${POD_NAME}. Total connections: ${connections.size}`);
  return connection;
}

function remove(connection, reason) {
  if (!connection.isAlive) return;
  connection.isAlive = false;
  clearInterval(connection.heartbeat);
  if (connections.get(connection.clientName) === connection) connections.delete(connection.clientName);
  console.log(`[DISCONNECT] Client ${connection.clientName} disconnected (${reason})`);
  console.log(`[REGISTRY] Removed ${connection.clientName}. Total connections: ${connections.size}`);
}

function write(connection, text) {
  try {
    if (connection.response.write(text)) return true;
  } catch (error) {
    console.error(`[SSE] Write to ${connection.clientName} failed: ${error.message}`);
  }
  remove(connection, "write failure");
  connection.response.destroy();
  return false;
}

function beat(connection) {
  if (write(connection, `: heartbeat ${new Date().toISOString()}\n\n`)) {
    connection.lastActivity = new Date();
    if (LOGS_EVENTS) console.log(`[HEARTBEAT] Sent to ${connection.clientName}`);
  }
}

function deliver(message) {
  let event;
  try {
    event = JSON.parse(message);
  } catch (error) {
    console.error(`[REDIS] Message is no JSON: ${error.message}`);
    return;
  }
  const connection = connections.get(event.clientName);
  if (!connection) {
    if (LOGS_EVENTS) console.log(`[REDIS] Client ${event.clientName} not on this pod (${POD_NAME}) - ignoring`);
    return;
  }
  // The text as it came: cheaper than writing the object anew, and so the fairer peer.
  const data = message.includes("\n") ? JSON.stringify(event) : message;
  if (write(connection, `data: ${data}\n\n`)) {
    connection.eventCount += 1;
    connection.lastActivity = new Date();
    if (LOGS_EVENTS) {
      console.log(`[SSE] Event #${connection.eventCount} sent to ${connection.clientName} (${event.action})`);
    }
  }
}

function describe(connection) {
  return {
    clientName: connection.clientName,
    podName: POD_NAME,
    connectedAt: connection.connectedAt.toISOString(),
    lastActivity: connection.lastActivity.toISOString(),
    eventCount: connection.eventCount,
    isAlive: connection.isAlive,
    uptime: Math.floor((Date.now() - connection.connectedAt.getTime()) / 1000),
  };
}

const subscriber = process.env.REDIS_URL
  ? new Redis(process.env.REDIS_URL)
  : new Redis({ host: process.env.REDIS_HOST || "localhost", port: Number(process.env.REDIS_PORT || 6379) });
subscriber.on("ready", () => console.log("[REDIS] Connected"));
subscriber.on("error", (error) => console.error(`[REDIS] ${error.message}`));
subscriber.on("close", () => (subscribed = false));
subscriber.on("message", (_channel, message) => deliver(message));
subscriber.on("ready", () => {
  subscriber.subscribe(CHANNEL).then(
    () => (subscribed = true),
    (error) => console.error(`[REDIS] ${error.message}`),
  );
});

const app = express();
app.use((_request, response, next) => {
  response.setHeader("Access-Control-Allow-Origin", "*");
  next();
});
app.use(express.json());

app.post("/register", (request, response) => {
  const clientName = request.body && request.body.clientName;
  if (!clientName || typeof clientName !== "string") {
    response.status(400).json({ success: false, error: "clientName is required" });
    return;
  }
  response.json({
    success: true,
    clientName,
    podName: POD_NAME,
    message: `Client ${clientName} registered. Connect to /events/${clientName} for SSE stream`,
    timestamp: new Date().toISOString(),
  });
});

app.get("/events/:clientName", (request, response) => {
  const { clientName } = request.params;
  response.writeHead(200, {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    Connection: "keep-alive",
  });
  const connection = register(clientName, response);
  request.on("close", () => remove(connection, "event handler"));
  request.on("error", () => remove(connection, "request error"));
  response.on("error", () => remove(connection, "response error"));
  response.on("finish", () => remove(connection, "response finished"));
  const hello = { type: "connected", clientName, podName: POD_NAME, timestamp: new Date().toISOString() };
  write(connection, `data: ${JSON.stringify(hello)}\n\n`);
});

app.get("/health", (_request, response) => {
  response.status(subscribed ? 200 : 503).json({
    status: subscribed ? "healthy" : "unhealthy",
    podName: POD_NAME,
    uptime: Math.floor(process.uptime()),
    connections: connections.size,
    redis: {
      connected: subscribed,
      channel: CHANNEL,
      host: subscriber.options.host,
      port: subscriber.options.port,
    },
    timestamp: new Date().toISOString(),
    environment: ENVIRONMENT,
  });
});

app.get("/admin/connections", (_request, response) => {
  response.json({
    podName: POD_NAME,
    totalConnections: connections.size,
    connections: [...connections.values()].map(describe),
    timestamp: new Date().toISOString(),
  });
});

app.get("/admin/client/:clientName", (request, response) => {
  const connection = connections.get(request.params.clientName);
  response.status(connection ? 200 : 404).json({
    found: Boolean(connection),
    podName: POD_NAME,
    client: connection ? describe(connection) : null,
    timestamp: new Date().toISOString(),
  });
});

const server = app.listen(PORT, "127.0.0.1", () => console.log(`[SERVER] SSE Server started on port ${PORT}`));

for (const name of ["SIGINT", "SIGTERM"]) {
  process.on(name, () => {
    subscriber.disconnect();
    server.close();
    for (const connection of connections.values()) connection.response.end();
    setTimeout(() => process.exit(0), 1000).unref();
  });
}
