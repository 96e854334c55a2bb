// The lines on the screen: one unbroken run of a room's sequence numbers, and notes between them.
//
// The run ends with the newest line ("at the end") or lies in the past, while somebody reads there.
// It is bounded: what is dropped at one end is asked for again when it is scrolled to.

import { onlyRefused } from "./connection.js";
import { Items } from "./items.js";
import { lineItem } from "./lines.js";
import { byId, counted } from "./page.js";

const PAGE = 100;
const MOST_ASKED = 200; // by the protocol
const TOO_FAR = 1000; // missed lines; above this the newest are shown and the others scrolled to
const MOST_ASIDES = 200;
const FOUND_MS = 10_000;
const AGAIN_MS = 2000;
const NEAR_PX = 300;
const AT_BOTTOM_PX = 40;

export class Log {
  room = null;
  newest = 0; // the newest line that is known to exist
  unseen = 0; // lines that came while somebody read further up
  #first = 1; // of the run; when it is empty, #last is the line before #first
  #last = 0;
  #hasOlder = false;
  #isAtEnd = true;
  #isPinned = true; // at the end, and what comes is scrolled to
  #items = new Items(); // a line's key is its number, a note's lies half above it
  #times = new Map(); // sequence -> at, of the lines in the document
  #asides = []; // notes and private lines, to be put back where they were
  #top = 0; // where it was scrolled to
  #picture = 0;
  #era = 0; // what was asked in an earlier one is not wanted any more
  #loading = null;
  #catchingUp = null;
  #scroll = byId("scroll");
  #past = byId("past");
  #now = byId("now");

  // ask(message)  the answer of the server; rejects with Refused
  // shown(line)   a line that is new to this page
  // caughtUp()    nothing is missing any more
  // changed()     `newest` or `unseen` did
  constructor({ ask, shown, caughtUp, changed }) {
    Object.assign(this, { ask, shown, caughtUp, changed });
    this.#scroll.addEventListener("scroll", () => this.#scrolled());
    new ResizeObserver(() => this.#isPinned && this.#scrollToEnd()).observe(this.#scroll);
    byId("to-end").addEventListener("click", () => {
      this.#scroll.focus(); // the button goes away
      this.toEnd();
    });
    byId("older").addEventListener("click", () => this.#olderByButton());
  }

  // Up to which line somebody coming back has everything.
  get seen() {
    return this.#isAtEnd ? this.#last : this.newest;
  }

  enter(entered) {
    this.#era++;
    if (this.room === entered.room && !this.#contradicts(entered)) {
      this.#resume(entered);
    } else {
      this.#start(entered);
    }
    this.#fill();
    this.#follow();
  }

  live(line) {
    if (line.sequence <= this.newest) {
      return; // came with an answer before
    }
    const isNext = this.#last === this.newest && line.sequence === this.newest + 1;
    this.newest = line.sequence;
    this.#count(1);
    if (!this.#isAtEnd) {
      return;
    }
    if (!this.#isPinned && this.#items.isFull) {
      this.#isAtEnd = false; // do not take away what is being read
    } else if (isNext) {
      this.#change(() => {
        this.#place([line], this.#now);
        this.#trim(!this.#isPinned);
      });
    } else {
      this.#follow();
    }
  }

  // A note belongs after the line that is the newest now; `counts` makes it a new line.
  aside(node, { isPrivate = false, counts = false } = {}) {
    const entry = { key: this.newest + 0.5, node, isPrivate };
    this.#asides.push(entry);
    this.#asides.splice(0, this.#asides.length - MOST_ASIDES);
    this.#count(counts ? 1 : 0);
    if (this.#isAtEnd) {
      this.#change(() => {
        this.#items.insert(entry, this.#now);
        this.#trim(!this.#isPinned);
      });
    }
  }

  async toEnd() {
    if (!this.#isAtEnd) {
      this.#era++;
      await this.#load({ count: PAGE }, (answer) => {
        this.#isAtEnd = true;
        this.#show(answer.lines, answer.more);
        this.newest = Math.max(this.newest, this.#last);
      });
    }
    this.#scrollToEnd();
    this.#scrolled();
    this.#follow();
  }

  // Show one line in its place, wherever that is; rejects with Refused.
  async jumpTo(sequence) {
    if (!this.#times.has(sequence)) {
      const era = ++this.#era;
      const count = PAGE / 2;
      const [older, newer] = await Promise.all([
        this.ask({ type: "history", before: sequence + 1, count }),
        this.ask({ type: "history", after: sequence, count }),
      ]);
      if (era !== this.#era) {
        return;
      }
      const lines = [...older.lines, ...newer.lines];
      this.#isAtEnd = !newer.more && (lines.at(-1)?.sequence ?? 0) >= this.newest;
      this.#show(lines, older.more);
    }
    this.#isPinned = false;
    this.#settle();
    const node = this.#past.querySelector(`[data-sequence="${sequence}"]`);
    node?.classList.add("found");
    setTimeout(() => node?.classList.remove("found"), FOUND_MS);
    node?.setAttribute("tabindex", "-1");
    node?.scrollIntoView({ block: "center" });
    node?.focus({ preventScroll: true });
  }

  // Another numbering: the server forgot what it had, and began again.
  #contradicts(entered) {
    const isOther = (line) => (this.#times.get(line.sequence) ?? line.at) !== line.at;
    return !entered.resumed && (entered.newest < this.#last || entered.lines.some(isOther));
  }

  #start(entered) {
    this.room = entered.room;
    this.newest = entered.newest;
    this.unseen = 0;
    this.#isAtEnd = true;
    this.#isPinned = true;
    this.#asides = this.#asides.filter((each) => each.isPrivate);
    for (const each of this.#asides) {
      each.key = this.newest + 0.5;
    }
    this.#show(entered.lines, entered.resumed ? null : entered.more);
    if (this.newest - this.#last > TOO_FAR) {
      this.#isAtEnd = false;
      this.toEnd();
    }
  }

  #resume(entered) {
    this.#count(entered.newest - this.newest);
    this.newest = Math.max(this.newest, entered.newest);
    if (this.#isAtEnd && this.newest - this.#last > TOO_FAR) {
      this.#isAtEnd = false;
      if (this.#isPinned) {
        this.toEnd();
      }
    }
    const isNext = entered.resumed || entered.lines[0]?.sequence <= this.#last + 1;
    if (this.#isAtEnd && isNext) {
      this.#catchUp(entered.lines);
    }
    this.changed();
  }

  // Ask for what lies between the run and the newest line, until nothing does.
  async #follow() {
    const era = this.#era;
    if (this.#catchingUp === era) {
      return;
    }
    this.#catchingUp = era;
    try {
      while (this.#isAtEnd && this.#last < this.newest) {
        const answer = await this.ask({ type: "history", after: this.#last, count: MOST_ASKED });
        if (era !== this.#era || !this.#isAtEnd) {
          return;
        }
        if (answer.lines.length === 0) {
          this.newest = this.#last; // they are not kept any more
        }
        this.#catchUp(answer.lines);
      }
      this.caughtUp();
    } catch (error) {
      onlyRefused(error); // asked again in a while, or after coming back
      setTimeout(() => era === this.#era && this.#follow(), AGAIN_MS);
    } finally {
      this.#catchingUp = this.#catchingUp === era ? null : this.#catchingUp;
    }
  }

  #catchUp(lines) {
    this.#settle();
    this.#change(() => {
      this.#place(lines, this.#past);
      this.#trim(!this.#isPinned);
    });
  }

  #loadOlder() {
    return this.#hasOlder && this.#load({ before: this.#first, count: PAGE }, (answer) => {
      this.#hasOlder = answer.more && answer.lines.length > 0;
      this.#place(answer.lines, this.#past);
      this.#trim(true);
    });
  }

  async #olderByButton() {
    const before = this.#times.size;
    await this.#loadOlder();
    if (!this.#hasOlder) {
      this.#scroll.focus(); // the button went away
    }
    const more = Math.max(0, this.#times.size - before);
    byId("log-state").textContent = `${counted(more, "older line", "older lines")} loaded.`;
  }

  #loadNewer() {
    return this.#load({ after: this.#last, count: PAGE }, (answer) => {
      this.#place(answer.lines, this.#past);
      this.#trim(false);
      this.#isAtEnd = this.#last >= this.newest || answer.lines.length === 0;
    });
  }

  // Ask once at a time; what comes into another era is not taken.
  async #load(question, take) {
    const era = this.#era;
    if (this.#loading === era) {
      return;
    }
    this.#loading = era;
    let answer = null;
    try {
      answer = await this.ask({ type: "history", ...question });
    } catch (error) {
      onlyRefused(error); // asked again with the next scrolling
    } finally {
      this.#loading = this.#loading === era ? null : this.#loading;
    }
    if (answer !== null && era === this.#era) {
      this.#settle();
      this.#change(() => take(answer));
      this.#fill();
    }
  }

  // A short run leaves nothing to scroll, and so nothing that would ask for more.
  #fill() {
    if (this.#isAtEnd && this.#scroll.scrollHeight <= this.#scroll.clientHeight) {
      this.#loadOlder();
    }
  }

  // Begin anew with these lines; `hasOlder` may be null, for not known.
  #show(lines, hasOlder) {
    this.#items.clear();
    this.#times.clear();
    this.#first = lines[0]?.sequence ?? this.newest + 1;
    this.#last = this.#first - 1;
    this.#hasOlder = hasOlder ?? this.#first > 1;
    this.#change(() => this.#place(lines, this.#past));
  }

  // Put lines into the document where they belong, each once.
  #place(lines, list) {
    for (const line of lines) {
      if (!this.#times.has(line.sequence)) {
        this.#times.set(line.sequence, line.at);
        this.#items.insert({ key: line.sequence, node: lineItem(line) }, list);
        this.#first = Math.min(this.#first, line.sequence);
        this.#last = Math.max(this.#last, line.sequence);
        this.shown(line);
      }
    }
    if (list === this.#past) {
      this.#placeAsides();
    }
  }

  #placeAsides() {
    for (const each of this.#asides) {
      const isInside = each.key > this.#first - 1 && (this.#isAtEnd || each.key < this.#last);
      if (isInside && !each.node.isConnected) {
        this.#items.insert(each, this.#past);
      }
    }
  }

  #trim(atBottom) {
    const gone = this.#items.trim(atBottom);
    if (gone.length === 0) {
      return;
    }
    for (const key of gone) {
      this.#times.delete(key);
    }
    this.#first = Math.ceil(this.#items.firstKey);
    this.#last = Math.floor(this.#items.lastKey);
    this.#hasOlder ||= !atBottom;
    this.#isAtEnd &&= !atBottom;
  }

  // What was new is read; from now on it does not move in what is read out.
  #settle() {
    this.#past.append(...this.#now.children);
  }

  // Change the document so that what is being read stays where it is.
  #change(work) {
    if (this.#isPinned) {
      work();
      this.#scrollToEndSoon();
      this.#showButtons();
      return;
    }
    const top = this.#scroll.getBoundingClientRect().top;
    const anchor = this.#items.firstBelow(top);
    const before = anchor?.getBoundingClientRect().top;
    work();
    if (anchor?.isConnected) {
      this.#scroll.scrollTop += anchor.getBoundingClientRect().top - before;
    }
    this.#showButtons();
  }

  // Once for all the lines that come before the next picture.
  #scrollToEndSoon() {
    this.#picture ||= requestAnimationFrame(() => {
      this.#picture = 0;
      if (this.#isPinned) {
        this.#scrollToEnd();
      }
    });
  }

  #scrollToEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#top = this.#scroll.scrollTop;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    const below = scrollHeight - scrollTop - clientHeight;
    // What is around may grow: only who scrolls up leaves the end.
    const wasPinned = this.#isPinned && scrollTop >= this.#top;
    this.#isPinned = this.#isAtEnd && (below < AT_BOTTOM_PX || wasPinned);
    this.#top = scrollTop;
    if (this.#isPinned && this.unseen > 0) {
      this.unseen = 0;
      this.changed();
    }
    if (scrollTop < NEAR_PX && !this.#isPinned) {
      this.#loadOlder();
    }
    if (below < NEAR_PX && !this.#isAtEnd) {
      this.#loadNewer();
    }
    this.#showButtons();
  }

  #count(more) {
    if (!this.#isPinned) {
      this.unseen += Math.max(0, more);
    }
    this.changed();
    this.#showButtons();
  }

  #showButtons() {
    byId("older").hidden = !this.#hasOlder;
    const toEnd = byId("to-end");
    toEnd.hidden = this.#isPinned;
    toEnd.textContent =
      this.unseen > 0 ? counted(this.unseen, "new line", "new lines") : "Latest lines";
  }
}
