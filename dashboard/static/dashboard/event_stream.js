// Server-sent events over fetch. The browser's own EventSource hides comments, answers
// and the reason of an end, which are what a person who tests a service wants to see.
// https://html.spec.whatwg.org/multipage/server-sent-events.html

import { NoToken } from "./tokens.js";

export class EventStreamParser {
  constructor({ onEvent, onComment, onRetry }) {
    this.lastEventId = "";
    this.handlers = { onEvent, onComment, onRetry };
    this.begin();
  }

  // A new connection: what an old one left half said is dropped, the last id is kept.
  begin() {
    this.text = "";
    this.data = [];
    this.type = "";
    this.idBuffer = this.lastEventId;
  }

  feed(text) {
    const lines = (this.text + text).split(/\r\n|\n|\r(?!$)/);
    this.text = lines.pop();
    lines.forEach((line) => this.readLine(line));
  }

  readLine(line) {
    if (line === "") {
      this.dispatch();
      return;
    }
    if (line.startsWith(":")) {
      this.handlers.onComment(line.slice(1).trim());
      return;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") {
      this.data.push(value);
    } else if (name === "event") {
      this.type = value;
    } else if (name === "id" && !value.includes("\0")) {
      this.idBuffer = value;
    } else if (name === "retry" && /^\d+$/.test(value)) {
      this.handlers.onRetry(Number(value));
    }
  }

  dispatch() {
    this.lastEventId = this.idBuffer;
    const { data, type } = this;
    this.data = [];
    this.type = "";
    if (data.length > 0) {
      this.handlers.onEvent({ type: type || "message", data: data.join("\n"), id: this.lastEventId });
    }
  }
}

const DEFAULT_RETRY_MS = 3000;
// Each failed attempt doubles the delay up to this.
const MAX_RETRY_MS = 30000;

export class EventStream {
  // Handlers: onOpen(), onWait(reason, ms), onStop(reason, status), onEvent(event), onComment(text).
  // authorize() gives the token of each attempt, or "" for none.
  constructor(url, handlers, authorize = () => "") {
    this.url = url;
    this.authorize = authorize;
    this.handlers = handlers;
    this.retryMs = DEFAULT_RETRY_MS;
    this.failures = 0;
    this.timer = null;
    this.aborter = null;
    this.parser = new EventStreamParser({
      onEvent: handlers.onEvent,
      onComment: handlers.onComment,
      onRetry: (ms) => {
        this.retryMs = ms;
      },
    });
  }

  get lastEventId() {
    return this.parser.lastEventId;
  }

  async open() {
    const aborter = new AbortController();
    this.aborter = aborter;
    const headers = { Accept: "text/event-stream" };
    if (this.lastEventId) {
      headers["Last-Event-ID"] = this.lastEventId;
    }
    try {
      const token = await this.authorize();
      if (token) {
        headers.Authorization = `Bearer ${token}`;
      }
      const response = await fetch(this.url, { headers, cache: "no-store", signal: aborter.signal });
      if (!response.ok || !(response.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) {
        await this.refused(response, aborter);
        return;
      }
      this.failures = 0;
      this.parser.begin();
      this.handlers.onOpen();
      await this.read(response.body);
      this.retry("The server ended the stream", aborter);
    } catch (error) {
      if (error instanceof NoToken && !aborter.signal.aborted) {
        this.handlers.onStop(error.message, 0);
      } else if (!aborter.signal.aborted) {
        const lost = this.failures === 0;
        this.failures += 1;
        this.retry(lost ? "The connection broke" : "The server cannot be reached", aborter);
      }
    }
  }

  async read(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      this.parser.feed(value);
    }
  }

  async refused(response, aborter) {
    const error = await response.json().then((answer) => answer.error, () => "");
    const reason = `The server answered ${response.status}. ${error ?? ""}`.trim();
    if (aborter.signal.aborted) {
      return;
    }
    // What is wrong with the request stays wrong; what is wrong with the pod may pass.
    if (response.status < 500 && response.status !== 429) {
      this.handlers.onStop(reason, response.status);
      return;
    }
    this.failures += 1;
    const seconds = Number(response.headers.get("Retry-After"));
    this.retry(reason, aborter, seconds > 0 ? seconds * 1000 : undefined);
  }

  // Try again, unless the attempt that ended was closed, and another perhaps begun since.
  retry(reason, aborter, ms = Math.min(this.retryMs * 2 ** Math.max(0, this.failures - 1), MAX_RETRY_MS)) {
    if (aborter.signal.aborted) {
      return;
    }
    this.handlers.onWait(reason, ms);
    this.timer = setTimeout(() => this.open(), ms);
  }

  // open() goes on after the last event.
  close() {
    clearTimeout(this.timer);
    this.aborter?.abort();
  }
}
