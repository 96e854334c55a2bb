// What the server answers to a typed /WHO, /ROOMS, /HISTORY, /SEARCH or /RESUME, for oneself alone.

import { bodyOf, noticeOf, timeOf } from "./lines.js";
import { counted, element, nameOf } from "./page.js";

const ANSWERS = {
  people: ({ room, people, unlisted }) => ({
    title: ["In ", nameOf(room)],
    entries: people.map(personEntry),
    beyond: unlisted > 0 && `and ${unlisted} more`,
  }),
  rooms: ({ rooms, unlisted }) => ({
    title: ["Rooms"],
    entries: rooms.map(roomEntry),
    beyond: unlisted > 0 && `and ${unlisted} more`,
  }),
  lines: ({ room, lines, more, words }) => ({
    title: words === null ? ["Said in ", nameOf(room)] : ["Found in ", nameOf(room)],
    entries: lines.map(lineEntry),
    beyond: lines.length === 0 ? "Nothing." : more && "There are others.",
  }),
  missed: ({ lines, more }) => ({
    title: ["Said while you were away"],
    entries: lines.map(lineEntry),
    beyond: lines.length === 0 ? "Nothing." : more && "There are others.",
  }),
};

function personEntry({ name, away }) {
  const note = away ? [" (away: ", nameOf(away), ")"] : [" (away)"];
  return element("li", {}, nameOf(name), ...(away === null ? [] : note));
}

function roomEntry({ name, people }) {
  return element("li", {}, nameOf(name), `, ${counted(people, "person", "people")}`);
}

function lineEntry(line) {
  return element("li", { className: line.kind }, timeOf(line.at), " ", ...bodyOf(line));
}

// An item for the lines, or null when that message is no such answer.
export function answerItem(message) {
  if (!Object.hasOwn(ANSWERS, message.type)) {
    return null;
  }
  const { title, entries, beyond } = ANSWERS[message.type](message);
  const head = element("p", {}, ...title);
  // It can be long, and then scrolls by itself.
  const list = element("ul", { className: "answer", tabIndex: 0, ariaLabel: head.textContent });
  list.append(...entries, ...(beyond ? [element("li", {}, beyond)] : []));
  head.append(element("span", { className: "quiet" }, " (only you see this)"));
  return noticeOf(head, list);
}
