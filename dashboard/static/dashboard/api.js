// The page of the API: its forms send a request to this pod and show what it answers.

const api = document.querySelector("[data-api]").dataset.api;
const tokenForm = document.querySelector("[data-token]");
const token = tokenForm.querySelector("input");
// Of an answer, what tells more than its body does.
const HEADERS = ["Location", "Allow", "Retry-After", "Idempotent-Replayed", "RateLimit", "Content-Type"];

function address(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("[data-place]")) {
    if (input.dataset.place === "path") {
      path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    } else if (input.dataset.place === "query" && input.value !== "") {
      query.set(input.name, input.value);
    }
  }
  return `${api}${path}${query.size > 0 ? `?${query}` : ""}`;
}

function headers(form) {
  const found = new Headers();
  for (const input of form.querySelectorAll("[data-place=header]")) {
    if (input.value !== "") {
      found.set(input.name, input.value);
    }
  }
  if (token.value !== "") {
    found.set("Authorization", `Bearer ${token.value}`);
  }
  if (form.querySelector("[data-body]")) {
    found.set("Content-Type", "application/json");
  }
  return found;
}

function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function send(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const status = form.querySelector("[data-status]");
  const answer = form.querySelector("[data-answer]");
  const { method } = form.dataset;
  const began = performance.now();
  status.textContent = "…";
  try {
    const body = form.querySelector("[data-body]")?.value;
    const response = await fetch(address(form), { method, headers: headers(form), body });
    const text = await response.text();
    status.textContent = `${response.status} ${response.statusText} after ${Math.round(performance.now() - began)} ms`;
    const said = HEADERS.filter((name) => response.headers.has(name));
    answer.textContent = [...said.map((name) => `${name}: ${response.headers.get(name)}`), "", readable(text)].join("\n").trim();
    answer.hidden = false;
  } catch (error) {
    // A value that no header may hold, or no server.
    status.textContent = `The request cannot be sent: ${error.message}`;
    answer.hidden = true;
  }
}

tokenForm.hidden = false;
tokenForm.addEventListener("submit", (event) => event.preventDefault());
for (const form of document.querySelectorAll("[data-try]")) {
  form.hidden = false;
  form.addEventListener("submit", send);
}
