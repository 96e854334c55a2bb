// The log's page: what the tail brings is shown, what is sought is found.

import { byId } from "./chat/page.js";
import { Lines } from "./log/lines.js";
import { Search } from "./log/search.js";
import { Tail } from "./log/tail.js";

const API = new URL("api/v1/log/", location.href);

const STATES = {
  connecting: { text: "Connecting ..." },
  online: { text: "Live" },
  offline: { text: "Not live, trying again", button: "Try now" },
  absent: { text: "There is no log receiver on this server.", button: "Try again" },
};

let countdown = 0;
let isFirst = true; // nothing has gone wrong while the page is only just opening
let wasOnline = false;
let text = "";
let name = "";

const lines = new Lines({ named });
const tail = new Tail(API, {
  line: (line) => lines.add(line),
  dropped: (count) => lines.miss(count),
  changed: showState,
});
new Search(API, named);

// A log of many files says which one a line is from: then one may be chosen.
function named() {
  for (const each of document.querySelectorAll(".file")) {
    each.hidden = false;
  }
}

// `why` is {wait, reason} when offline, see `Tail`.
function showState(state, why = null) {
  const { text: words, button } = STATES[state];
  isFirst &&= state === "connecting";
  byId("connection").className = isFirst ? "first" : state;
  // The seconds stand beside it, and are not read out each time they change.
  const reason = why?.reason?.replace(/\.$/u, "");
  byId("state").textContent = reason ? `Not live: ${reason}; trying again` : words;
  byId("retry").hidden = !button;
  byId("retry").textContent = button ?? "";
  clearInterval(countdown);
  byId("countdown").textContent = "";
  if (why !== null) {
    countDown(performance.now() + why.wait);
  }
  if (state === "offline" && wasOnline) {
    lines.note("The connection broke: what comes until it is there again is not shown.");
  }
  wasOnline = state === "online" || (wasOnline && state === "connecting");
  if (state === "offline") {
    wasOnline = false;
  }
}

function countDown(until) {
  const tell = () => {
    const seconds = Math.max(1, Math.ceil((until - performance.now()) / 1000));
    byId("countdown").textContent = `in ${seconds} s`;
  };
  tell();
  countdown = setInterval(tell, 500);
}

function choose() {
  const [newText, newName] = [byId("filter").value, byId("filter-name").value.trim()];
  if (newText === text && newName === name) {
    return;
  }
  [text, name] = [newText, newName];
  lines.mark(text);
  const of = name === "" ? "" : ` of ${name}`;
  lines.note(text === "" ? `From here: all lines${of}.` : `From here: lines${of} that hold “${text}”.`);
  wasOnline = false; // it is we who hang up
  tail.open({ text, name });
}

byId("filter-form").addEventListener("submit", (event) => {
  event.preventDefault();
  choose();
});
for (const id of ["filter", "filter-name"]) {
  byId(id).addEventListener("input", (event) => {
    if (event.target.value === "") {
      choose(); // the cross in the field was clicked
    }
  });
}
byId("retry").addEventListener("click", () => {
  byId("scroll").focus(); // the button goes away
  tail.open();
});
addEventListener("online", () => tail.hurry());

tail.open({ text, name });
