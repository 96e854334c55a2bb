// The wire of the live tail: opens it, and comes back by itself.  Knows no page.

import { waitBefore } from "../chat/connection.js";
import { lookAtDoor } from "../chat/door.js";

export class Tail {
  #events = null;
  #state = "offline";
  #attempt = 0;
  #retry = 0;
  #wanted = {};

  // line({text, name, left_out})   a line was stored
  // dropped(count)                 so many were, and are not shown
  // changed(state, why)            "connecting", "online", "absent"; or "offline", and then
  //                                {wait, reason}: ms to the next try, what the server said
  constructor(api, { line, dropped, changed }) {
    this.url = new URL("tail", api);
    this.door = new URL("door", api);
    Object.assign(this, { line, dropped, changed });
  }

  // `wanted` is {text, name}: lines that hold that text, of that file; "" for all.
  open(wanted = this.#wanted) {
    this.#wanted = wanted;
    clearTimeout(this.#retry);
    this.#events?.close();
    const url = new URL(this.url);
    for (const [name, value] of Object.entries(wanted)) {
      if (value !== "") {
        url.searchParams.set(name, value);
      }
    }
    const events = new EventSource(url);
    this.#events = events;
    this.#become("connecting");
    events.addEventListener("open", () => {
      this.#attempt = 0;
      this.#become("online");
    });
    events.addEventListener("line", ({ data }) => this.line(JSON.parse(data)));
    events.addEventListener("dropped", ({ data }) => this.dropped(JSON.parse(data).lines));
    events.addEventListener("error", () => this.#broke(events));
  }

  // There may be a network again: do not wait for the next try.
  hurry() {
    if (this.#state === "offline") {
      this.open();
    }
  }

  // A browser does not tell why; the door does.
  async #broke(events) {
    events.close();
    const { isAbsent, reason = "", wait = waitBefore(this.#attempt) } = await lookAtDoor(this.door);
    if (events !== this.#events) {
      return; // it was opened anew meanwhile
    }
    if (isAbsent) {
      this.#become("absent");
      return;
    }
    this.#attempt++;
    this.#retry = setTimeout(() => this.open(), wait);
    this.#become("offline", { wait, reason });
  }

  #become(state, why = null) {
    this.#state = state;
    this.changed(state, why);
  }
}
