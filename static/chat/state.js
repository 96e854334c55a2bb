// Whether one is connected, in words, and the button that mends it.

import { byId } from "./page.js";

const STATES = {
  connecting: { text: "Connecting ..." },
  online: { text: "Online" },
  offline: { text: "Offline, trying again", button: "Try now" },
  left: { text: "You have left.", button: "Come back" },
  elsewhere: { text: "This chat was opened elsewhere.", button: "Use it here" },
  absent: { text: "There is no chat on this server.", button: "Try again" },
};

let countdown = 0;
let isFirst = true; // nothing has gone wrong while the page is only just opening

// The server's words without what the countdown says better.
function told(reason) {
  return reason.replace(/(; try again[^;]*)?\.?$/u, "");
}

// `why` is {wait, reason} when offline, see `Connection`.
export function showState(state, why) {
  const { text, button } = STATES[state];
  isFirst &&= state === "connecting";
  byId("connection").className = isFirst ? "first" : state;
  // The seconds stand beside it, and are not read out each time they change.
  byId("state").textContent = why?.reason ? `Offline: ${told(why.reason)}; trying again` : text;
  byId("retry").hidden = !button;
  byId("retry").textContent = button ?? "";
  clearInterval(countdown);
  byId("countdown").textContent = "";
  if (why !== null) {
    countDown(performance.now() + why.wait);
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
