// What the log holds: a form, what was found, and the way to older and newer lines.

import { byId, counted, element } from "../chat/page.js";
import { lineItem } from "./lines.js";

const PAGE = 100;
const MOST_LOOKS = 20; // one after the other, as long as nothing is found

export class Search {
  #wanted = new URLSearchParams();
  #text = "";
  #pages = []; // where each page begins: a cursor, or "" for the newest lines
  #beyond = null; // where the next older page begins; null when there is none
  #isBusy = false;
  #asked = null; // what was asked last; an answer to something else is not wanted any more

  // named()  lines are in several files, of which one has to be chosen
  constructor(api, named) {
    this.url = new URL("search", api);
    this.named = named;
    byId("search-toggle").addEventListener("click", () => this.#open(byId("search").hidden));
    byId("search-close").addEventListener("click", () => this.#open(false));
    byId("search").addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        this.#open(false);
      }
    });
    byId("search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin();
    });
    byId("older").addEventListener("click", () => {
      if (!this.#isBusy) {
        this.#pages.push(this.#beyond);
        this.#look();
      }
    });
    byId("newer").addEventListener("click", () => {
      if (!this.#isBusy) {
        this.#pages.pop();
        this.#look();
      }
    });
  }

  #open(isOpen) {
    byId("search").hidden = !isOpen;
    byId("search-toggle").ariaExpanded = String(isOpen);
    byId(isOpen ? "search-text" : "search-toggle").focus();
    if (!isOpen) {
      this.#asked?.abort();
    }
  }

  #begin() {
    this.#text = byId("search-text").value;
    this.#wanted = new URLSearchParams({ limit: PAGE });
    const fields = {
      text: this.#text,
      name: byId("search-name").value.trim(),
      since: timeOf(byId("search-since").value),
      until: timeOf(byId("search-until").value),
    };
    for (const [name, value] of Object.entries(fields)) {
      if (value !== "") {
        this.#wanted.set(name, value);
      }
    }
    this.#pages = [""];
    this.#look();
  }

  async #look() {
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    this.#busy(true);
    byId("search-state").textContent = "Looking ...";
    try {
      const answer = await this.#lookBack(this.#pages.at(-1), asked.signal);
      this.#show(answer);
    } catch (error) {
      if (asked.signal.aborted) {
        return;
      }
      byId("search-state").textContent =
        error instanceof TypeError ? "No answer; is the server there?" : error.message;
    }
    this.#busy(false);
  }

  // One search looks at a part of the log only.
  async #lookBack(cursor, signal) {
    let scanned = 0;
    for (let look = 1; ; look++) {
      const answer = await this.#ask(cursor, signal);
      scanned += answer.scanned;
      if (answer.lines.length > 0 || answer.complete || look === MOST_LOOKS) {
        return { ...answer, scanned };
      }
      cursor = answer.cursor;
      byId("search-state").textContent = `Looking ... nothing in the last ${sizeOf(scanned)}.`;
    }
  }

  async #ask(cursor, signal) {
    const url = new URL(this.url);
    url.search = this.#wanted;
    if (cursor !== "") {
      url.searchParams.set("cursor", cursor);
    }
    const answer = await fetch(url, { cache: "no-store", signal });
    if (answer.ok) {
      return answer.json();
    }
    if (answer.status === 404 && !this.#wanted.has("name")) {
      throw new Error("There is no log receiver on this server.");
    }
    const { detail, field } = await problemOf(answer);
    if (field === "name") {
      this.named();
    }
    throw new Error(detail);
  }

  #show({ lines, cursor, complete, scanned, unread }) {
    this.#beyond = cursor;
    const items = [];
    let segment = "";
    for (const line of lines) {
      if (line.segment !== segment) {
        segment = line.segment;
        items.push(element("li", { className: "segment" }, segment));
      }
      // Its own file stands above it.
      items.push(lineItem({ ...line, name: undefined }, this.#text));
    }
    byId("results").replaceChildren(...items);
    byId("found").hidden = lines.length === 0;
    byId("found").scrollTop = 0;
    byId("pages").hidden = cursor === null && this.#pages.length === 1;
    byId("older").textContent = complete ? "Older" : "Look further back";
    const bad = unread.length === 0 ? "" : ` Not readable: ${unread.join(", ")}.`;
    byId("search-state").textContent = summary(lines.length, cursor, scanned) + bad;
  }

  // The buttons stay as they are while the server looks: a disabled one would lose the focus.
  #busy(isBusy) {
    this.#isBusy = isBusy;
    byId("found").ariaBusy = String(isBusy);
    if (isBusy) {
      return;
    }
    const focused = document.activeElement;
    byId("older").disabled = this.#beyond === null;
    byId("newer").disabled = this.#pages.length < 2;
    if (focused.disabled || !focused.checkVisibility()) {
      byId(byId("found").hidden ? "search-text" : "found").focus();
    }
  }
}

function summary(count, cursor, scanned) {
  if (count === 0) {
    return cursor === null ? "Nothing found." : `Nothing in the last ${sizeOf(scanned)}.`;
  }
  const found = `${counted(count, "line", "lines")}, newest first`;
  return cursor === null ? `${found}; nothing is older.` : `${found}; there may be older ones.`;
}

// What a field says in the time of this place, as RFC 3339.
function timeOf(value) {
  return value === "" ? "" : new Date(value).toISOString();
}

function sizeOf(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${Math.round(bytes / 1e6)} MB`;
}

async function problemOf(answer) {
  const kind = answer.headers.get("Content-Type") ?? "";
  if (kind.startsWith("application/problem+json")) {
    return answer.json();
  }
  return { detail: `The server said ${answer.status}.` };
}
