// One client in its column: its name, its stream, its state and what it has received.

import { EventList } from "./event_list.js";
import { EventStream } from "./event_stream.js";
import { setTime } from "./times.js";
import { describe, isFinal, isWarning, parse, seconds } from "./notes.js";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const NAME_RULE = "A client name has 1 to 128 characters of A-Z a-z 0-9 . _ : - and begins with a letter or a digit.";

export class Lane {
  constructor(element, { name, server, tokens, onRename, onRemove }) {
    this.element = element;
    this.server = server;
    this.tokens = tokens;
    this.stream = null;
    this.openedBefore = false;
    this.find = (part) => element.querySelector(`[data-part="${part}"]`);
    this.events = new EventList(this.find("events"), () => this.showCounts());
    this.input = this.find("name");
    this.input.value = name;
    this.input.addEventListener("change", onRename);
    this.input.addEventListener("input", () => this.input.setCustomValidity(""));
    this.find("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.connect();
    });
    const actions = {
      register: () => this.register(),
      disconnect: () => this.disconnect(),
      pause: () => this.pause(),
      clear: () => this.events.clear(),
      copy: () => this.copy(),
      remove: () => {
        this.stream?.close();
        onRemove(this);
      },
    };
    for (const [part, act] of Object.entries(actions)) {
      this.find(part).addEventListener("click", act);
    }
    this.find("filter").addEventListener("input", (event) => this.events.setFilter(event.target.value));
    this.showState("idle", "Not connected");
    this.showCounts();
  }

  get name() {
    return this.input.value.trim();
  }

  get url() {
    return `${this.server()}/events/${encodeURIComponent(this.name)}`;
  }

  // The name is checked where it is typed: the answer to a bad one would come later and elsewhere.
  checkName() {
    const good = NAME.test(this.name);
    this.input.setCustomValidity(good ? "" : NAME_RULE);
    this.input.reportValidity();
    return good;
  }

  async register() {
    if (!this.checkName()) {
      return;
    }
    try {
      const response = await fetch(`${this.server()}/register`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ clientName: this.name }),
      });
      const answer = await response.json();
      this.events.addNote(answer.message ?? answer.error, answer.success ? "info" : "warning");
    } catch {
      this.events.addNote(`${this.server()} cannot be reached.`, "warning");
    }
  }

  connect() {
    if (!this.checkName()) {
      return;
    }
    this.stream?.close();
    this.openedBefore = false;
    this.showState("waiting", "Connecting");
    const { name } = this;
    const server = this.server();
    const handlers = {
      onOpen: () => this.showState("waiting", "Connected; waiting for the pod's greeting"),
      onWait: (reason, ms) => this.wait(reason, ms),
      onStop: (reason, status) => this.stop(status === 401 ? `${reason} ${this.tokens.about}`.trim() : reason, "bad"),
      onEvent: (event) => this.receive(event),
      onComment: () => this.beat(),
    };
    this.stream = new EventStream(this.url, handlers, () => this.tokens.of(name, server));
    this.stream.open();
  }

  disconnect() {
    if (this.stream !== null) {
      this.stop("You disconnected this client.", "idle");
    }
  }

  // The page is left, and may be shown again: the stream goes on after the last event then.
  leave() {
    this.stream?.close();
  }

  comeBack() {
    if (this.stream !== null) {
      this.events.addNote("Back on this page. Connecting again.", "info");
      this.showState("waiting", "Connecting");
      this.stream.open();
    }
  }

  stop(reason, level) {
    this.stream.close();
    this.stream = null;
    this.events.addNote(reason, level === "bad" ? "warning" : "info");
    this.showState(level, level === "bad" ? "Stopped" : "Not connected");
  }

  wait(reason, ms) {
    this.events.addNote(`${reason}. Trying again in ${seconds(ms)}.`, "warning");
    this.showState("waiting", "Connection lost; trying again");
  }

  receive(event) {
    const message = parse(event.data);
    this.find("last-id").textContent = this.stream?.lastEventId || "none yet";
    if (event.type !== "message") {
      this.events.addNote(describe(event), isWarning(event) ? "warning" : "info");
      if (event.type === "unauthorized" && !this.tokens.makes(this.server())) {
        this.stop("Paste a new token, and connect again.", "bad");
      } else if (isFinal(event)) {
        this.stop("It does not come back by itself, or the two would evict each other for ever.", "bad");
      }
    } else if (message.type === "connected") {
      const again = this.openedBefore ? "Connected again" : "Connected";
      this.openedBefore = true;
      this.find("pod").textContent = message.podName;
      this.events.addNote(`${again} to ${message.podName}.`, "good");
      this.showState("good", `Connected to ${message.podName}`);
      this.beat();
    } else {
      this.events.addEvent(event, message);
    }
  }

  beat() {
    const pulse = this.find("pulse");
    pulse.classList.remove("beat");
    // Reading a layout value lets the animation begin anew.
    void pulse.offsetWidth;
    pulse.classList.add("beat");
    const time = document.createElement("time");
    setTime(time, new Date().toISOString());
    this.find("heartbeat").replaceChildren(time);
  }

  pause() {
    this.events.setPaused(!this.events.paused);
    const button = this.find("pause");
    button.textContent = this.events.paused ? "Resume" : "Pause";
    button.setAttribute("aria-pressed", String(this.events.paused));
  }

  async copy() {
    const id = this.stream?.lastEventId;
    const header = id ? ` -H 'Last-Event-ID: ${id.replaceAll("'", "'\\''")}'` : "";
    // The token itself is a secret, and the clipboard is everybody's.
    const authorization = this.tokens.about ? ' -H "Authorization: Bearer $TOKEN"' : "";
    const command = `curl -N${authorization}${header} '${this.url.replaceAll("'", "%27")}'`;
    try {
      await navigator.clipboard.writeText(command);
      this.events.addNote(`Copied: ${command}`);
    } catch {
      // Pages over plain HTTP have no clipboard; the command can still be read and selected.
      this.events.addNote(command);
    }
  }

  showState(level, text) {
    const state = this.find("state");
    state.textContent = text;
    this.element.dataset.level = level;
    const open = this.stream !== null || level === "waiting";
    this.find("connect").disabled = open;
    this.find("disconnect").disabled = !open;
    this.input.readOnly = open;
    if (!open) {
      this.find("pod").textContent = "none";
    }
  }

  showCounts() {
    const { count, held, paused, filter } = this.events;
    const waiting = paused ? `; paused, ${held.length} waiting` : "";
    const filtered = filter ? "; filtered" : "";
    this.find("count").textContent = `${count} event${count === 1 ? "" : "s"}${waiting}${filtered}`;
  }
}
