// The chat's page: which part of it hears what the server says, and what each part may ask for.

import { answerItem } from "./chat/answers.js";
import { Composer } from "./chat/composer.js";
import { Connection } from "./chat/connection.js";
import { linked, noteItem, noticeItem, toldItem, youToldItem } from "./chat/lines.js";
import { Log } from "./chat/log.js";
import { session, wishedName } from "./chat/memory.js";
import { byId, element, nameOf, setAll } from "./chat/page.js";
import { closePanel, isNarrow, openPanel, usePanel } from "./chat/panel.js";
import { People } from "./chat/people.js";
import { Rooms } from "./chat/rooms.js";
import { Search } from "./chat/search.js";
import { showState } from "./chat/state.js";

const LOOK_AROUND_MS = 2000;

const address = new URL("api/v1/chat/socket", location.href);
address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
const door = new URL("api/v1/chat/door", location.href);

let nameBefore = ""; // what one was called when the connection broke
let isNewcomer = true; // until the room is entered for the first time
let motdShown = "";
let readUpTo = 0; // the newest line when the page was last looked at
let unreadPrivate = 0;
let asking = 0;

const connection = new Connection(address, door, { hello, heard, changed });
const ask = (message) => connection.ask(message);
const log = new Log({ ask, shown, caughtUp: () => composer.caughtUp(), changed: keep });
const composer = new Composer({
  send: (message, refused) => connection.send(message, refused, answered),
  newest: () => log.newest,
  undelivered({ text, to }) {
    const item = noticeItem(`Not sent${to === null ? "" : ` to ${to}`}: ${text}`);
    log.aside(item, { isPrivate: true });
  },
});
const people = new People({ write, say, changed: () => rooms.counted(people.count) });
const rooms = new Rooms({ say });
const search = new Search({ ask, show });

// ---- What goes out

function hello() {
  const known = session.get();
  const { room, after } = log.room === null ? known : { room: log.room, after: log.seen };
  const name = wishedName.get();
  return {
    type: "hello",
    ...(known.token ? { token: known.token } : {}),
    ...(room ? { room, after } : {}),
    ...(name ? { name } : {}),
  };
}

function say(text, refused = null) {
  const onRefusal = refused ?? ((reason) => composer.trouble(reason));
  const isSent = connection.send({ type: "line", text }, onRefusal);
  if (!isSent) {
    (refused ?? ((reason) => composer.offline(reason)))("Not connected.");
  }
  return isSent;
}

function write(name) {
  closePanel();
  composer.address(name);
}

function show(room, sequence) {
  if (room !== log.room) {
    composer.trouble(`That was said in ${room}; go there first.`);
    return;
  }
  if (isNarrow.matches) {
    search.open(false); // it would lie over what is shown
  }
  log.jumpTo(sequence).catch((error) => composer.trouble(error.message));
}

// Who is here and which rooms there are: asked for on entering, and not too often after that.
function lookAround() {
  connection.send({ type: "who" });
  connection.send({ type: "rooms" });
}

function lookAroundSoon() {
  asking ||= setTimeout(() => {
    asking = 0;
    lookAround();
  }, LOOK_AROUND_MS);
}

function keep() {
  if (log.room !== null) {
    session.set({ ...session.get(), room: log.room, after: log.seen });
  }
  showTitle();
}

// ---- What comes in

const HEARD = {
  welcome({ name, token, motd }) {
    session.set({ ...session.get(), token });
    people.call(name);
    if (motd.length > 0 && motd.join("\n") !== motdShown) {
      motdShown = motd.join("\n");
      log.aside(noticeItem(motdShown));
    }
  },

  entered(entered) {
    const { room, topic, name } = entered;
    const isOther = room !== log.room;
    if (isOther) {
      readUpTo = entered.newest;
      search.forget();
    }
    setAll(".room-name", room);
    byId("room").textContent = room;
    showTopic(topic?.text ?? "");
    byId("name-trouble").textContent = "";
    composer.entered();
    log.enter(entered);
    people.entered(entered);
    rooms.entered(room);
    if (isOther) {
      log.aside(noteItem("You are ", nameOf(name), ", in ", nameOf(room), ". ", ...invitation()));
    }
    const isRefused = isNewcomer && !entered.resumed && (wishedName.get() ?? name) !== name;
    if (isRefused && byId("trouble").textContent === "") {
      composer.trouble(`You are ${name} here: the name ${wishedName.get()} was not to be had.`);
    }
    isNewcomer = false;
    lookAround();
  },

  line(line) {
    log.live(line);
    if (line.kind === "topic") {
      showTopic(line.text);
    }
  },

  told({ sender, text }) {
    unreadPrivate++;
    const item = toldItem(sender, text, () => composer.address(sender));
    log.aside(item, { isPrivate: true, counts: true });
  },

  youtold({ recipient, text }) {
    composer.arrived(text, { to: recipient });
    log.aside(youToldItem(recipient, text), { isPrivate: true });
  },

  joined({ name }) {
    people.joined(name);
    lookAroundSoon();
    log.aside(noteItem(nameOf(name), " has joined the party."));
  },

  moved({ name, room }) {
    people.left(name);
    lookAroundSoon();
    log.aside(noteItem(nameOf(name), " has left for ", nameOf(room), "."));
  },

  left({ name, reason }) {
    people.left(name);
    log.aside(noteItem(nameOf(name), ` has disconnected${reason ? ` (${reason})` : ""}.`));
  },

  renamed({ old, new: name }) {
    if (old === people.me) {
      wishedName.set(name);
      byId("name-trouble").textContent = "";
      document.querySelector(".choose")?.remove();
    }
    people.renamed(old, name);
    composer.renamed(old, name);
    log.aside(noteItem(nameOf(old), " changed name to ", nameOf(name), "."));
  },

  away({ name, note }) {
    people.away(name, note);
    log.aside(noteItem(nameOf(name), " is away", ...(note ? [": ", nameOf(note)] : []), "."));
  },

  back({ name }) {
    people.away(name, null);
    log.aside(noteItem(nameOf(name), " is back."));
  },

  people: (message) => message.room === log.room && people.listed(message),
  rooms: (message) => rooms.listed(message),
  notice: ({ text }) => log.aside(noticeItem(text), { counts: true }),
  error({ text, field }) {
    if (field !== "token") {
      composer.trouble(text);
    } // else: a session that the server forgot; one is let in again all the same
  },
};

function heard(message) {
  HEARD[message.type]?.(message); // a newer server may say more; answers go to who asked
  if ((message.id ?? null) === null) {
    answered(message); // late; the page's own questions are always answered with their number
  }
  showTitle();
}

// What was typed may have an answer; what the page asked by itself is no line.
function answered(message) {
  const item = answerItem(message);
  if (item !== null) {
    log.aside(item, { counts: true });
  }
}

// Somebody new may not know where a name is chosen; on a phone it is not in sight.
function invitation() {
  const choose = () => openPanel("name");
  const button = { type: "button", className: "choose", onclick: choose };
  return wishedName.get() ? [] : [element("button", button, "Choose a name")];
}

// One's own line is there: it needs not be sent again.
function shown(line) {
  if (line.sender === people.me || line.sender === nameBefore) {
    composer.arrived(line.text, { sequence: line.sequence });
  }
}

function changed(state, why) {
  showState(state, why);
  if (state === "offline") {
    nameBefore = people.me;
    composer.broke();
  } else if (state === "online") {
    usePanel(true);
  } else if (state !== "connecting") {
    usePanel(false);
  }
  if (state === "left") {
    session.set({});
    isNewcomer = true;
  }
}

// ---- The page around the lines

function showTopic(text) {
  byId("topic").replaceChildren(...linked(text));
  byId("topic").hidden = text === "";
}

function showTitle() {
  if (!document.hidden) {
    readUpTo = log.newest;
    unreadPrivate = 0;
  }
  const unread = Math.max(0, log.newest - readUpTo) + unreadPrivate;
  const title = `${unread ? `(${unread}) ` : ""}${log.room ?? ""} - proto chat`;
  if (document.title !== title) {
    document.title = title;
  }
}

byId("name-form").addEventListener("submit", (event) => {
  event.preventDefault();
  byId("name-trouble").textContent = "";
  say(`/NAME ${byId("name").value.trim()}`, (reason) => {
    byId("name-trouble").textContent = reason;
  });
});

byId("retry").addEventListener("click", () => {
  byId("say").focus(); // the button goes away
  connection.open();
});
document.addEventListener("visibilitychange", () => {
  showTitle();
  if (!document.hidden) {
    connection.hurry();
  }
});
addEventListener("online", () => connection.hurry());
addEventListener("offline", () => connection.probe());

connection.open();
