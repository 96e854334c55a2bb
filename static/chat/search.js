// Finding what was said: a form, its results, and the way from a result to its place in the room.

import { onlyRefused } from "./connection.js";
import { bodyOf, timeOf } from "./lines.js";
import { byId, counted, element, nameOf } from "./page.js";

const PAGE = 30;

export class Search {
  #words = "";
  #oldest = 0;
  #found = 0;

  // ask(message)          the answer of the server; rejects with Refused
  // show(room, sequence)  go to that line
  constructor({ ask, show }) {
    this.ask = ask;
    this.show = show;
    byId("search-toggle").addEventListener("click", () => this.open(byId("search").hidden));
    byId("search-close").addEventListener("click", () => this.open(false));
    byId("search-older").addEventListener("click", () => this.#next({ before: this.#oldest }));
    byId("search").addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        this.open(false);
      }
    });
    byId("search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#words = byId("search-words").value.trim();
      this.forget();
      this.#next({});
    });
  }

  open(isOpen) {
    byId("search").hidden = !isOpen;
    byId("search-toggle").ariaExpanded = String(isOpen);
    byId(isOpen ? "search-words" : "search-toggle").focus();
  }

  // What was found belongs to the room that was searched.
  forget() {
    this.#found = 0;
    byId("search-results").replaceChildren();
    byId("search-state").textContent = "";
    byId("search-older").hidden = true;
  }

  async #next(beyond) {
    const words = this.#words;
    byId("search-state").textContent = "Looking ...";
    try {
      const answer = await this.ask({ type: "search", words, count: PAGE, ...beyond });
      if (words === this.#words) {
        this.#append(answer);
      }
    } catch (error) {
      onlyRefused(error);
      byId("search-state").textContent = error.message;
    }
  }

  #append({ room, lines, more }) {
    const newestFirst = lines.toSorted((one, other) => other.sequence - one.sequence);
    const items = newestFirst.map((line) => this.#item(room, line));
    byId("search-results").append(...items);
    items[0]?.querySelector("button").scrollIntoView({ block: "nearest" });
    this.#oldest = newestFirst.at(-1)?.sequence ?? 0;
    this.#found += lines.length;
    const found = counted(this.#found, "line", "lines");
    byId("search-state").textContent = this.#found
      ? `${found} found${more ? ", and there are older ones" : ""}.`
      : "Nothing found.";
    byId("search-older").hidden = !more;
  }

  #item(room, line) {
    const show = element("button", { type: "button" }, "Show in room");
    const time = timeOf(line.at);
    show.ariaLabel = `Show in room: ${line.sender}, ${time.textContent}`;
    show.addEventListener("click", () => this.show(room, line.sequence));
    const from = element("p", { className: "from" }, nameOf(room), ", ", time, " ", show);
    return element("li", { className: line.kind }, from, element("div", {}, ...bodyOf(line)));
  }
}
