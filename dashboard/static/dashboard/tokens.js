// The token that streams are opened with: one that is pasted, or one that is made for an operator
// who is signed in. It stays in the memory of this page: not in its address, nor in any storage.

// A sentence for the person, and no fault of the network that may pass.
export class NoToken extends Error {}

export class Tokens {
  // The panel is not there where streams need none.
  constructor(panel, ownServer) {
    this.panel = panel;
    this.ownServer = ownServer;
  }

  get pasted() {
    return this.panel?.querySelector("[data-token]").value.trim() ?? "";
  }

  get about() {
    return this.panel?.querySelector("[data-about]").textContent ?? "";
  }

  // One that is made goes to this server alone.
  makes(server) {
    return this.pasted === "" && Boolean(this.panel?.dataset.makes) && server === this.ownServer;
  }

  async of(name, server) {
    if (!this.makes(server)) {
      return this.pasted;
    }
    const csrf = this.panel.querySelector("[name=csrfmiddlewaretoken]").value;
    const body = new URLSearchParams({ clientName: name, csrfmiddlewaretoken: csrf });
    const response = await fetch(this.panel.dataset.makes, { method: "POST", body });
    const json = (response.headers.get("Content-Type") ?? "").startsWith("application/json");
    const answer = json ? await response.json() : { error: "You are not signed in any more; load the page again." };
    if (!response.ok) {
      throw new NoToken(answer.error);
    }
    return answer.token;
  }
}
