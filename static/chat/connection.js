// The wire: opens, asks, notices when it is dead, and comes back by itself.  Knows no page.

import { lookAtDoor } from "./door.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
const WELCOME_MS = 10_000;
const PROBE_EVERY_MS = 30_000;
const PROBE_ANSWER_MS = 10_000;
const MOST_PENDING = 500;
export const LONGEST_MESSAGE = 64 * 1024;

const LEFT = 1000;
const ELSEWHERE = 4001;

export class Refused extends Error {}

// What else may be thrown is a bug, and goes on.
export function onlyRefused(error) {
  if (!(error instanceof Refused)) {
    throw error;
  }
}

// Half of the wait is chance, so that everybody does not come back to a restarted server at once.
export function waitBefore(attempt, chance = Math.random()) {
  const whole = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 10));
  return (whole * (1 + chance)) / 2;
}

export class Connection {
  state = "offline";
  #socket = null;
  #attempt = 0;
  #opened = 0; // how often; an answer about an earlier try is not wanted any more
  #retry = 0;
  #deadline = 0;
  #lastId = 0;
  #pending = new Map();

  // hello()               the first message
  // heard(message)        every message from the server
  // changed(state, why)   "connecting", "online", "left", "elsewhere" or "absent", when there is no
  //                       chat; or "offline", and then {wait, reason}: ms to the next try, what the
  //                       server said on hanging up or at the door
  constructor(url, door, { hello, heard, changed }) {
    this.url = url;
    this.door = door;
    this.hello = hello;
    this.heard = heard;
    this.changed = changed;
    setInterval(() => this.probe(), PROBE_EVERY_MS);
  }

  open() {
    clearTimeout(this.#retry);
    this.#forget();
    this.#opened++;
    this.#become("connecting");
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    this.#expect(WELCOME_MS);
    socket.onopen = () => this.#write(this.hello());
    socket.onmessage = (event) => this.#read(JSON.parse(event.data));
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
  }

  // Whether it went out; `refused` is called with the server's words if it is not done, and
  // `answered` with the answer, if there is one.
  send(message, refused = null, answered = null) {
    return this.#number(message, { answered, refused }) !== null;
  }

  // The answer to a question; rejects with `Refused`.
  ask(message) {
    return new Promise((answered, reject) => {
      const refused = (text) => reject(new Refused(text));
      if (this.#number(message, { answered, refused, isAsked: true }) === null) {
        refused("Not connected.");
      }
    });
  }

  // A dead network is silent: ask for something small, and hang up if nothing at all comes.
  // The server's pings cannot be seen from here.
  probe() {
    if (this.state === "online") {
      this.#number({ type: "rooms" }, { answered: null, refused: () => {} });
      this.#expect(PROBE_ANSWER_MS);
    }
  }

  // There may be a network again: do not wait for the next try.
  hurry() {
    if (this.state === "offline") {
      this.open();
    } else {
      this.probe();
    }
  }

  #number(message, answer) {
    const id = ++this.#lastId;
    if (this.state !== "online" || !this.#write({ ...message, id })) {
      return null;
    }
    this.#pending.set(id, answer);
    if (this.#pending.size > MOST_PENDING) {
      this.#pending.delete(this.#pending.keys().next().value);
    }
    return id;
  }

  #write(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) {
      return false;
    }
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #read(message) {
    clearTimeout(this.#deadline);
    if (this.state === "connecting" && message.type !== "error") {
      this.#attempt = 0;
      this.#become("online");
    }
    const asker = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.type === "error" && asker?.refused) {
      asker.refused(message.text);
      return;
    }
    this.heard(message);
    asker?.answered?.(message);
  }

  #expect(milliseconds) {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#closed(null), milliseconds);
  }

  #closed(code, reason = "") {
    this.#forget();
    if (code === LEFT || code === ELSEWHERE) {
      this.#become(code === LEFT ? "left" : "elsewhere");
    } else if (this.state === "connecting" && reason === "") {
      this.#askAtDoor();
    } else {
      this.#tryAgainLater({ reason });
    }
  }

  async #askAtDoor() {
    const opened = this.#opened;
    const { isAbsent, ...why } = await lookAtDoor(this.door);
    if (opened !== this.#opened) {
      return;
    }
    if (isAbsent) {
      this.#become("absent");
    } else {
      this.#tryAgainLater(why);
    }
  }

  #tryAgainLater({ reason = "", wait = waitBefore(this.#attempt) }) {
    this.#attempt++;
    this.#retry = setTimeout(() => this.open(), wait);
    this.#become("offline", { wait, reason });
  }

  // Hang up without waiting: the closing handshake of a dead connection takes minutes.
  #forget() {
    clearTimeout(this.#deadline);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    const unanswered = [...this.#pending.values()];
    this.#pending.clear();
    for (const { refused, isAsked } of unanswered) {
      if (isAsked) {
        refused("The connection broke.");
      }
    }
  }

  #become(state, why = null) {
    this.state = state;
    this.changed(state, why);
  }
}
