// The rooms there are, and going from one to another.

import { byId, element, focusOn, nameOf } from "./page.js";

export const LOBBY = "lobby";

export class Rooms {
  #here = "";
  #rooms = [];
  #unlisted = 0;

  // say(line, refused)  send a command; refused(text) is called when it is not done
  constructor({ say }) {
    this.say = say;
    byId("room-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.go(byId("room-wished").value.trim());
    });
    byId("leave").addEventListener("click", () => this.go(LOBBY));
  }

  go(room) {
    byId("room-trouble").textContent = "";
    this.say(`/JOIN ${room}`, (text) => {
      byId("room-trouble").textContent = text;
    });
  }

  entered(room) {
    this.#here = room;
    byId("room-wished").value = "";
    byId("room-trouble").textContent = "";
    byId("leave").hidden = room === LOBBY;
    this.#show();
  }

  listed({ rooms, unlisted }) {
    this.#rooms = rooms;
    this.#unlisted = unlisted;
    this.#show();
  }

  // How many are here is known at once; the other rooms are asked for.
  counted(people) {
    const here = this.#rooms.find(({ name }) => name === this.#here);
    if (here && here.people !== people) {
      here.people = people;
      this.#show();
    }
  }

  #show() {
    const list = byId("rooms");
    const focused = list.contains(document.activeElement) && document.activeElement.value;
    list.replaceChildren(...this.#rooms.map((room) => this.#item(room)));
    if (this.#unlisted > 0) {
      list.append(element("li", {}, `and ${this.#unlisted} more`));
    }
    focusOn(list, focused);
  }

  #item({ name, people }) {
    const isHere = name === this.#here;
    const button = element("button", { type: "button", className: "room", value: name });
    const count = element("span", { className: "count" }, String(people));
    count.append(element("span", { className: "unseen" }, people === 1 ? " person" : " people"));
    button.append(nameOf(name), " ", count);
    button.ariaCurrent = isHere ? "true" : null;
    button.addEventListener("click", () => isHere || this.go(name));
    return element("li", {}, button);
  }
}
