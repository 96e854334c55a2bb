// Who is in the room, kept by what happens there, and whether oneself is away.

import { byId, element, focusOn, nameOf, setAll } from "./page.js";

const MOST_LISTED = 300;

export class People {
  me = "";
  #away = new Map(); // name -> null, or why they are away
  #unlisted = 0;

  // write(name)  somebody is to be written to privately
  // say(line)    send a command
  // changed()    `count` did
  constructor({ write, say, changed }) {
    Object.assign(this, { write, changed });
    byId("away-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (say(`/AWAY ${byId("away-note").value.trim()}`.trim())) {
        byId("away-note").value = "";
      }
    });
    byId("back").addEventListener("click", () => say("/BACK"));
  }

  get count() {
    return this.#away.size + this.#unlisted;
  }

  call(name) {
    this.me = name;
    setAll(".my-name", name);
    byId("name").value = name;
  }

  entered({ people, unlisted, name }) {
    this.call(name);
    const away = this.#away.get(name) ?? null;
    this.#away = new Map([[name, away], ...people.map((each) => [each, null])]);
    this.#unlisted = unlisted;
    this.#show();
  }

  // The whole list; it takes the place of what was counted here.
  listed({ people, unlisted }) {
    this.#away = new Map(people.map(({ name, away }) => [name, away]));
    this.#unlisted = unlisted;
    if (!this.#away.has(this.me)) {
      this.#away.set(this.me, null);
      this.#unlisted = Math.max(0, unlisted - 1);
    }
    this.#show();
  }

  joined(name) {
    if (this.#away.size < MOST_LISTED) {
      this.#away.set(name, null);
    } else {
      this.#unlisted++;
    }
    this.#show();
  }

  left(name) {
    if (!this.#away.delete(name)) {
      this.#unlisted = Math.max(0, this.#unlisted - 1);
    }
    this.#show();
  }

  renamed(old, name) {
    if (old === this.me) {
      this.call(name);
    }
    if (this.#away.has(old)) {
      const away = this.#away.get(old);
      this.#away.delete(old);
      this.#away.set(name, away);
    }
    this.#show();
  }

  away(name, note) {
    if (this.#away.has(name)) {
      this.#away.set(name, note);
      this.#show();
    }
  }

  #show() {
    const list = byId("people");
    const focused = list.contains(document.activeElement) && document.activeElement.value;
    const names = [...this.#away.keys()].sort((one, other) => one.localeCompare(other));
    list.replaceChildren(...names.map((name) => this.#item(name)));
    if (this.#unlisted > 0) {
      list.append(element("li", {}, `and ${this.#unlisted} more`));
    }
    focusOn(list, focused);
    setAll(".people-count", this.count);
    const note = this.#away.get(this.me) ?? null;
    byId("away-form").hidden = note !== null;
    byId("away-state").hidden = note === null;
    byId("away-note-shown").textContent = note ? `: ${note}` : ".";
    this.changed();
  }

  #item(name) {
    const away = this.#away.get(name);
    const isMe = name === this.me;
    const who = isMe
      ? element("div", { className: "me" }, nameOf(name), " (you)")
      : element("button", { type: "button", className: "person", value: name }, nameOf(name));
    if (!isMe) {
      who.ariaLabel = `Write privately to ${name}`;
      who.title = "Write privately";
      who.addEventListener("click", () => this.write(name));
    }
    const item = element("li", { className: away === null ? "" : "away" }, who);
    if (away !== null) {
      const note = away ? `away: ${away}` : "away";
      item.append(element("span", { className: "note", dir: "auto" }, note));
    }
    return item;
  }
}
