// Writing: what is typed stays until the server has it, and comes back when it was not taken.

import { LONGEST_MESSAGE } from "./connection.js";
import { draft } from "./memory.js";
import { byId, element, nameOf } from "./page.js";

const MOST_UNDER_WAY = 200;
const ROOM_FOR_THE_REST = 200; // bytes of a message besides its text

// A server may take out what cannot be seen; letters and digits stay as they are.
function squeezed(text) {
  return text.replace(/[^\p{L}\p{N}\p{S}\p{P}]/gu, "");
}

// What others will read of a line, or null when it is a command that says nothing.
function saying(text) {
  if (!text.startsWith("/") || text.includes("\n")) {
    return squeezed(text);
  }
  const emote = /^\/me\s+(.*)/isu.exec(text);
  return text.startsWith("//") ? squeezed(text.slice(1)) : emote && squeezed(emote[1]);
}

export class Composer {
  #say = byId("say");
  #to = null; // who is written to privately
  #underWay = []; // {text, to, words, after}: sent, and not yet seen to have arrived
  #isWaiting = false; // Enter was pressed when there was no connection
  #unsure = []; // those for which the connection broke

  // send(message, refused)  whether it went out
  // newest()                the newest line of the room
  // undelivered(entry)      {text, to} was not sent, and the box is taken
  constructor({ send, newest, undelivered }) {
    Object.assign(this, { send, newest, undelivered });
    this.#say.addEventListener("input", () => {
      this.#keep();
      this.trouble("");
    });
    this.#say.addEventListener("keydown", (event) => this.#pressed(event));
    byId("stop-private").addEventListener("click", () => this.address(null));
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    const { text, to } = draft.get();
    this.#say.value = text;
    if (to !== null) {
      this.address(to, false); // what was begun for one person is not finished for all
    }
  }

  // Write to one person, or to the room again.
  address(name, isFocused = true) {
    this.#to = name;
    byId("composer").classList.toggle("private", name !== null);
    byId("stop-private").hidden = name === null;
    const room = [element("bdi", { className: "room-name" }, byId("room").textContent)];
    const label = name === null ? ["To ", ...room] : ["Privately to ", nameOf(name)];
    const me = element("bdi", { className: "my-name" }, byId("name").value);
    byId("say-label").replaceChildren(...label, " as ", me);
    this.#keep();
    if (isFocused) {
      this.#say.focus();
    }
  }

  renamed(old, name) {
    if (old === this.#to) {
      this.address(name, false);
    }
  }

  trouble(text) {
    byId("trouble").textContent = text;
    byId("unsent").textContent = "";
  }

  // A trouble that is over when one is in a room.
  offline(text) {
    this.trouble(text);
    this.#isWaiting = true;
  }

  // One is in a room, perhaps again.
  entered() {
    this.address(this.#to, false);
    if (this.#isWaiting) {
      this.#isWaiting = false;
      this.trouble("");
      const isEmpty = this.#say.value.trim() === "";
      byId("unsent").textContent = isEmpty ? "" : "Online again; press Enter to send.";
    }
  }

  // One's own line is in the room, or with the one it was for.
  arrived(text, { to = null, sequence = Infinity } = {}) {
    const words = squeezed(text);
    const isIt = (each) => each.to === to && each.words === words && each.after < sequence;
    for (const list of [this.#unsure, this.#underWay]) {
      const at = list.findIndex(isIt);
      if (at >= 0) {
        list.splice(at, 1);
        return;
      }
    }
  }

  broke() {
    this.#unsure.push(...this.#underWay.splice(0));
  }

  // Whatever arrived before the connection broke has been seen by now; the rest did not.
  caughtUp() {
    const lost = this.#unsure.splice(0);
    if (lost.length > 0) {
      this.#giveBack(lost);
      this.trouble("The connection broke before this was sent. It is in the box again.");
    }
  }

  #pressed(event) {
    const isComposing = event.isComposing || event.keyCode === 229; // Safari says it the old way
    if (event.key === "Enter" && !event.shiftKey && !isComposing) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Escape" && this.#to !== null) {
      this.address(null);
    }
  }

  #submit() {
    const text = this.#say.value.replace(/\s+$/u, "");
    if (text === "") {
      return;
    }
    const size = new TextEncoder().encode(JSON.stringify(text)).length;
    if (size + ROOM_FOR_THE_REST > LONGEST_MESSAGE) {
      this.trouble("That is more than one message can hold (64 KiB). Send it in parts.");
      return;
    }
    const isCommand = /^\/(?!\/)/u.test(text) && !text.includes("\n");
    const to = isCommand ? null : this.#to;
    const words = to === null ? saying(text) : squeezed(text);
    const entry = { text, to, words, after: this.newest() };
    const message = to === null ? { type: "line", text } : { type: "tell", to, text };
    if (!this.send(message, (reason) => this.#refused(entry, reason))) {
      this.offline("Not connected. What you wrote stays here until it can be sent.");
      return;
    }
    if (entry.words) {
      this.#underWay.push(entry);
      this.#underWay.splice(0, this.#underWay.length - MOST_UNDER_WAY);
    }
    this.trouble("");
    this.#write("");
  }

  #refused(entry, reason) {
    this.#underWay = this.#underWay.filter((each) => each !== entry);
    const isAlone = this.#say.value === "";
    this.#giveBack([entry]);
    if (isAlone) {
      this.#say.setSelectionRange(0, this.#say.value.length); // typing takes its place
    }
    this.trouble(reason);
  }

  // Into the box, before what is written there now; never to somebody else than it was for.
  #giveBack(entries) {
    const now = this.#say.value;
    const to = now === "" ? entries[0].to : this.#to;
    if (to !== this.#to) {
      this.address(to, false);
    }
    // A command is never joined to other lines: they would be said together.
    const fits = (each) => each.to === to && (now === "" || each.words !== null);
    const texts = entries.filter(fits).map(({ text }) => text);
    for (const entry of entries.filter((each) => !fits(each))) {
      this.undelivered(entry);
    }
    this.#write([...texts, now].join("\n").trimEnd());
  }

  #write(text) {
    this.#say.value = text;
    this.#keep();
  }

  #keep() {
    draft.set({ text: this.#say.value, to: this.#to });
  }
}
