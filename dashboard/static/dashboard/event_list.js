// The list of what came over one stream: events and notes, newest first.

import { setTime } from "./times.js";

const MAX_ITEMS = 500;

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  if (text !== undefined) {
    made.textContent = text;
  }
  return made;
}

function asText(value) {
  return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function time(date) {
  const made = element("time", "time");
  setTime(made, date.toISOString());
  return made;
}

function latency(timestamp, now) {
  const ms = now - Date.parse(timestamp);
  if (Number.isNaN(ms)) {
    return "";
  }
  if (ms < 0) {
    // Clocks of two machines differ.
    return "0 ms";
  }
  return ms < 10000 ? `${ms} ms` : `${Math.round(ms / 1000)} s`;
}

export class EventList {
  constructor(list, onChange) {
    this.list = list;
    this.onChange = onChange;
    this.held = [];
    this.paused = false;
    this.filter = "";
    this.count = 0;
  }

  addEvent(event, message) {
    const now = new Date();
    this.count += 1;
    const item = element("li", "event");
    const details = element("details", "");
    const summary = element("summary", "");
    summary.append(
      time(now),
      element("strong", "action", asText(message.action) || asText(message.type) || "event"),
      element("code", "id", event.id && asText(message.eventId) ? asText(message.eventId) : "no id"),
      element("span", "latency", latency(message.timestamp, now)),
    );
    details.append(summary, element("pre", "", pretty(event.data)));
    details.open = true;
    item.append(details);
    this.add(item, `${asText(message.action)} ${event.data}`);
  }

  addNote(text, level = "info") {
    const item = element("li", `note ${level}`);
    item.append(time(new Date()), element("span", "words", text));
    this.add(item, text);
  }

  add(item, searched) {
    item.dataset.searched = searched.toLowerCase();
    if (this.paused) {
      this.held.push(item);
    } else {
      this.insert(item);
    }
    this.onChange();
  }

  insert(item) {
    item.hidden = !item.dataset.searched.includes(this.filter);
    this.list.prepend(item);
    while (this.list.children.length > MAX_ITEMS) {
      this.list.lastElementChild.remove();
    }
  }

  setFilter(text) {
    this.filter = text.trim().toLowerCase();
    for (const item of this.list.children) {
      item.hidden = !item.dataset.searched.includes(this.filter);
    }
    this.onChange();
  }

  setPaused(paused) {
    this.paused = paused;
    if (!paused) {
      this.held.splice(0).forEach((item) => this.insert(item));
    }
    this.onChange();
  }

  clear() {
    this.list.replaceChildren();
    this.held = [];
    this.count = 0;
    this.onChange();
  }
}
