// Times as people read them: how long ago, and for those who ask, the moment in UTC or in their own zone.
// Every <time> of a page holds its moment in `datetime`; what is shown of it is written anew each second.

const MODES = ["ago", "UTC", "local"];
const MODE_KEY = "times";
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const button = document.querySelector("[data-times]");
const page = document.querySelector("[data-now]");
// The server's clock against this browser's, which may be wrong.
const ahead = page ? Date.parse(page.dataset.now) - Date.now() : 0;
let mode = remembered();

function remembered() {
  try {
    const kept = localStorage.getItem(MODE_KEY);
    return MODES.includes(kept) ? kept : MODES[0];
  } catch {
    return MODES[0];
  }
}

// The same words as in formats.py.
export function ago(seconds) {
  const whole = Math.floor(seconds);
  if (seconds < 2) {
    return "now";
  }
  if (whole < MINUTE) {
    return `${whole} s ago`;
  }
  if (whole < HOUR) {
    return `${Math.floor(whole / MINUTE)} min ago`;
  }
  if (whole < DAY) {
    return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min ago`;
  }
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h ago`;
}

function two(number) {
  return String(number).padStart(2, "0");
}

// Shown as UTC by moving it: a Date has no getters for other zones.
function digits(date) {
  const day = `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
}

export function utc(ms) {
  return digits(new Date(ms));
}

export function local(ms) {
  return digits(new Date(ms - new Date(ms).getTimezoneOffset() * 60000));
}

function shown(ms) {
  if (mode === "ago") {
    return ago((Date.now() + ahead - ms) / 1000);
  }
  return mode === "UTC" ? utc(ms) : local(ms);
}

function write(element) {
  const ms = Date.parse(element.dateTime);
  // What a publisher calls a time and is none stays as it came.
  const text = Number.isNaN(ms) ? element.dateTime : shown(ms);
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

// Gives a <time> its moment: an ISO time, as a title in full.
export function setTime(element, iso) {
  if (element.dateTime !== iso) {
    element.dateTime = iso;
    const ms = Date.parse(iso);
    element.title = Number.isNaN(ms) ? "" : `${utc(ms)} UTC`;
  }
  write(element);
}

function writeAll() {
  for (const element of document.querySelectorAll("time[datetime]")) {
    write(element);
  }
}

function showMode() {
  button.querySelector("[data-mode]").textContent = mode;
}

if (button) {
  button.hidden = false;
  showMode();
  button.addEventListener("click", () => {
    mode = MODES[(MODES.indexOf(mode) + 1) % MODES.length];
    try {
      localStorage.setItem(MODE_KEY, mode);
    } catch {
      // Without storage the next page begins with the first again.
    }
    showMode();
    writeAll();
  });
}
writeAll();
setInterval(writeAll, 1000);
