// The test client: several clients side by side, and in development a form that publishes.

import { Lane } from "./lane.js";
import { Tokens } from "./tokens.js";

const SERVER_KEY = "test-client-server";
const NAMES_KEY = "test-client-names";
const FIRST_NAME = "STORE001-LANE01";

const lanes = [];
const place = document.querySelector("[data-lanes]");
const template = document.querySelector("[data-lane]");
const serverInput = document.querySelector("[data-server]");
// This server, below the path by which it was reached.
const ownServer = window.location.origin + serverInput.dataset.server.replace(/\/+$/, "");
const tokens = new Tokens(document.querySelector("[data-tokens]"), ownServer);
const publishForm = document.querySelector("[data-publish]");

function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function store(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Without storage the page works the same and remembers nothing.
  }
}

function server() {
  return serverInput.value.trim().replace(/\/+$/, "") || ownServer;
}

function remember() {
  store(SERVER_KEY, server() === ownServer ? "" : server());
  store(NAMES_KEY, JSON.stringify(lanes.map((lane) => lane.name)));
  offerNames();
}

function rememberedNames() {
  try {
    const names = JSON.parse(stored(NAMES_KEY));
    return Array.isArray(names) && names.length > 0 ? names.map(String) : [FIRST_NAME];
  } catch {
    return [FIRST_NAME];
  }
}

function addLane(name) {
  const element = template.content.firstElementChild.cloneNode(true);
  const lane = new Lane(element, { name, server, tokens, onRename: remember, onRemove: removeLane });
  lanes.push(lane);
  place.append(element);
  remember();
  return lane;
}

function removeLane(lane) {
  lanes.splice(lanes.indexOf(lane), 1);
  lane.element.remove();
  remember();
}

function nextName() {
  const last = lanes.at(-1)?.name ?? "";
  const digits = /(\d+)$/.exec(last);
  if (digits === null) {
    return FIRST_NAME;
  }
  return last.slice(0, digits.index) + String(Number(digits[1]) + 1).padStart(digits[1].length, "0");
}

function offerNames() {
  const input = publishForm?.elements.clientName;
  if (input && !lanes.some((lane) => lane.name === input.value)) {
    input.value = lanes[0]?.name ?? "";
  }
  document
    .querySelector("[data-names]")
    ?.replaceChildren(...lanes.map((lane) => Object.assign(document.createElement("option"), { value: lane.name })));
}

async function publish(event) {
  event.preventDefault();
  const said = publishForm.querySelector("[data-said]");
  try {
    // The form's own `action` property is its field of that name.
    const response = await fetch(publishForm.getAttribute("action"), { method: "POST", body: new FormData(publishForm) });
    const json = (response.headers.get("Content-Type") ?? "").startsWith("application/json");
    const answer = json ? await response.json() : { error: "The form has expired; load the page again." };
    said.textContent = answer.success ? `Published ${answer.eventId}; ${answer.message}.` : answer.error;
  } catch {
    said.textContent = "The server cannot be reached.";
  }
}

serverInput.value = stored(SERVER_KEY) || ownServer;
serverInput.addEventListener("change", remember);
document.querySelector("[data-add]").addEventListener("click", () => {
  addLane(nextName()).input.select();
});
publishForm?.addEventListener("submit", publish);
rememberedNames().forEach(addLane);

// A page that the browser keeps for its Back button must not keep its streams: a browser
// opens six connections to a host over HTTP/1.1, and the next page needs one.
window.addEventListener("pagehide", () => lanes.forEach((lane) => lane.leave()));
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    lanes.forEach((lane) => lane.comeBack());
  }
});
