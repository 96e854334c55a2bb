// Lines and notes as list items.  What came over the wire becomes text nodes, never markup.

import { element, nameOf } from "./page.js";

const HUES = 6;
const LINK = /https?:\/\/[^\s<>"'`]+/gi;
const AFTER_LINK = /[.,;:!?)\]}\u2026]+$/; // belongs to the sentence rather than to the address
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export function timeOf(at) {
  const moment = new Date(at);
  const isToday = moment.toDateString() === new Date().toDateString();
  return element(
    "time",
    { dateTime: moment.toISOString(), title: full.format(moment) },
    isToday ? clock.format(moment) : `${day.format(moment)} ${clock.format(moment)}`,
  );
}

// Text in which web addresses are links; they take no opener and no referrer along.
export function linked(text) {
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(LINK)) {
    const address = found[0].replace(AFTER_LINK, "");
    if (!URL.canParse(address)) {
      continue;
    }
    const link = { href: address, target: "_blank", rel: "noopener noreferrer" };
    parts.push(text.slice(from, found.index), element("a", link, address));
    from = found.index + address.length;
  }
  parts.push(text.slice(from));
  return parts;
}

// One colour for one name, wherever it is shown.
function hue(name) {
  let sum = 0;
  for (const letter of name) {
    sum = (sum * 31 + letter.codePointAt(0)) % 9973;
  }
  return `sender hue-${sum % HUES}`;
}

function textOf(text) {
  return element("span", { className: "text", dir: "auto" }, ...linked(text));
}

function pastedBlock({ sender, text }) {
  const block = element("pre", { dir: "auto", tabIndex: 0, role: "group" }, ...linked(text));
  block.ariaLabel = `Pasted by ${sender}`;
  return block;
}

const BODIES = {
  said: (line) => [nameOf(line.sender, hue(line.sender)), ": ", textOf(line.text)],
  emoted: (line) => ["* ", nameOf(line.sender, hue(line.sender)), " ", textOf(line.text)],
  pasted: (line) => [nameOf(line.sender, hue(line.sender)), " pasted:", pastedBlock(line)],
  topic: (line) =>
    line.text
      ? [nameOf(line.sender), " set the topic: ", textOf(line.text)]
      : [nameOf(line.sender), " took the topic away."],
};

// Who said what, as it is shown in the room.
export function bodyOf(line) {
  return (BODIES[line.kind] ?? BODIES.said)(line); // a newer server may know more kinds
}

function item(className, at, ...body) {
  const made = element("li", { className: `line ${className}` });
  made.append(timeOf(at), element("div", { className: "body" }, ...body));
  return made;
}

// Something that was said in the room.
export function lineItem(line) {
  const made = item(line.kind, line.at, ...bodyOf(line));
  made.dataset.sequence = line.sequence;
  return made;
}

// What happens around the lines: somebody comes, goes, is called something else.
export function noteItem(...parts) {
  return item("note", Date.now(), ...parts);
}

// An answer of the server to this person alone.
export function noticeOf(...parts) {
  return item("notice", Date.now(), ...parts);
}

export function noticeItem(text) {
  return noticeOf(element("pre", { dir: "auto" }, ...linked(text)));
}

export function toldItem(sender, text, reply) {
  const button = element("button", { type: "button", onclick: reply }, "Reply");
  button.ariaLabel = `Reply privately to ${sender}`;
  const who = [nameOf(sender, hue(sender)), " to you, privately: "];
  return item("private told", Date.now(), ...who, textOf(text), " ", button);
}

export function youToldItem(recipient, text) {
  const who = ["You to ", nameOf(recipient, hue(recipient)), ", privately: "];
  return item("private youtold", Date.now(), ...who, textOf(text));
}
