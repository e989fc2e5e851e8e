// Keeps a page live: one stream of content that the server has already put into words.
// Every string is set as text, so that nothing in it can become markup.

import { setTime } from "./times.js";

const page = document.querySelector("[data-live]");
const state = document.querySelector("[data-live-state]");
const RETRY_MS = 5000;

function setText(element, text) {
  const time = element.matches("time") ? element : element.querySelector(":scope > time");
  if (time) {
    setTime(time, text);
  } else if (element.textContent !== text) {
    element.textContent = text;
  }
  if (element.dataset.href && !element.dataset.hrefCell) {
    setHref(element, text);
  }
  // Colours and shapes follow the word.
  if (element.dataset.state !== undefined) {
    element.dataset.state = text;
  }
}

function setHref(element, text) {
  const { href, hrefTail } = element.dataset;
  element.setAttribute("href", href + encodeURIComponent(text) + (hrefTail ?? ""));
}

function setState(name, text) {
  state.hidden = false;
  state.dataset.liveState = name;
  setText(state, text);
}

function each(attribute, values, change) {
  for (const element of page.querySelectorAll(`[data-${attribute}]`)) {
    const key = element.getAttribute(`data-${attribute}`);
    if (Object.hasOwn(values, key)) {
      change(element, values[key]);
    }
  }
}

function fillRow(element, row) {
  const cells = element.matches("[data-cell]") ? [element] : element.querySelectorAll("[data-cell]");
  for (const cell of cells) {
    setText(cell, row[Number(cell.dataset.cell)]);
  }
  for (const path of element.querySelectorAll("[data-path-cell]")) {
    path.setAttribute("d", row[Number(path.dataset.pathCell)]);
  }
  for (const link of element.querySelectorAll("[data-href-cell]")) {
    setHref(link, row[Number(link.dataset.hrefCell)]);
  }
}

function newRow(table, key) {
  const template = page.querySelector(`template[data-row-of="${table}"]`);
  const element = template.content.firstElementChild.cloneNode(true);
  element.dataset.key = key;
  element.classList.add("new");
  return element;
}

// Rows are moved, added and removed one by one: what did not change keeps its focus and selection.
function setRows(body, rows) {
  const present = new Map([...body.children].map((element) => [element.dataset.key, element]));
  let place = body.firstElementChild;
  for (const row of rows) {
    const key = row[0];
    const element = present.get(key) ?? newRow(body.dataset.rows, key);
    present.delete(key);
    fillRow(element, row);
    if (element === place) {
      place = place.nextElementSibling;
    } else {
      body.insertBefore(element, place);
    }
  }
  for (const element of present.values()) {
    element.remove();
  }
}

function show(content) {
  each("text", content.texts, setText);
  each("points", content.points, (element, points) => element.setAttribute("points", points));
  each("shown", content.shown, (element, shown) => {
    element.hidden = !shown;
  });
  each("level-of", content.levels, (element, level) => {
    element.dataset.level = level;
  });
  each("address", content.addresses, (element, address) => element.setAttribute("href", address));
  each("rows", content.rows, setRows);
}

let source = null;
let timer = null;
// Whether the browser keeps this page for its Back button.
let away = false;

function listen() {
  source = new EventSource(page.dataset.live);
  source.onmessage = (message) => {
    setState("live", "Live");
    show(JSON.parse(message.data));
  };
  source.onerror = () => {
    setState("lost", "Connection lost, trying again");
    // A browser gives up for ever after an answer that is no stream, such as that of a
    // proxy whose pod is restarting, or of a login that has ended.
    if (source.readyState === EventSource.CLOSED) {
      timer = setTimeout(retry, RETRY_MS);
    }
  };
}

async function retry() {
  try {
    const answer = await fetch(window.location.href, { method: "HEAD", redirect: "manual" });
    if (answer.type === "opaqueredirect") {
      setState("lost", "Signed out; load the page again");
      return;
    }
  } catch {
    // Not there yet: the next attempt tells.
  }
  if (!away) {
    listen();
  }
}

// A page that the browser keeps for its Back button must not keep its stream: a browser
// opens six connections to a host over HTTP/1.1, and the next page needs one.
window.addEventListener("pagehide", () => {
  away = true;
  clearTimeout(timer);
  source.close();
});
window.addEventListener("pageshow", (event) => {
  away = false;
  if (event.persisted) {
    setState("off", "Connecting");
    listen();
  }
});

setState("off", "Connecting");
listen();
