// The newest lines on the screen, and how many were left out.  What comes in one picture of the
// screen goes into the page at once.

import { byId, counted, element } from "../chat/page.js";
import { textNodes } from "./text.js";

const MOST = 2000; // lines on the screen, and as many while paused
const AT_BOTTOM_PX = 40;
const READ_OUT = 5; // lines at once that a screen reader can keep up with
const SUMMARY_MS = 10_000;

export class Lines {
  #coming = []; // not in the page yet
  #marked = "";
  #isPaused = false;
  #isPinned = true; // at the end, and what comes is scrolled to
  #height = 0;
  #picture = 0;
  #came = 0;
  #missed = 0;
  #waiting = 0; // came while paused
  #lost = 0; // of these, what there is no room for
  #unsaid = 0; // lines that were not read out
  #summary = 0;
  #scroll = byId("scroll");
  #list = byId("lines");

  // named()  lines say which file they are from
  constructor({ named }) {
    this.named = named;
    this.#scroll.addEventListener("scroll", () => {
      // A frame that has just become smaller was not scrolled by anybody.
      if (this.#scroll.clientHeight === this.#height) {
        this.#look();
      }
    });
    new ResizeObserver(() => {
      this.#height = this.#scroll.clientHeight;
      if (this.#isPinned) {
        this.#toEnd();
      }
    }).observe(this.#scroll);
    byId("to-end").addEventListener("click", () => {
      this.#scroll.focus(); // the button goes away
      this.#toEnd();
    });
    byId("pause").addEventListener("click", () => this.#pause(!this.#isPaused));
    byId("clear").addEventListener("click", () => this.#clear());
    this.#tell();
  }

  // Show where that text is, from now on.
  mark(text) {
    this.#marked = text;
  }

  add(line) {
    this.#came++;
    this.#waiting += this.#isPaused;
    this.#coming.push({ line, marked: this.#marked });
    this.#bound();
    this.#soon();
  }

  // So many lines were left out by the server.
  miss(count) {
    this.#missed += count;
    const last = this.#coming.at(-1);
    if (last?.missed) {
      last.missed += count;
    } else {
      this.#coming.push({ missed: count });
    }
    this.#bound();
    this.#soon();
  }

  note(text) {
    this.#coming.push({ note: text });
    this.#bound();
    this.#soon();
  }

  #bound() {
    while (this.#coming.length > MOST) {
      const { line, missed = 0 } = this.#coming.shift();
      if (this.#isPaused) {
        const isLine = line !== undefined;
        this.#lost += isLine ? 1 : missed;
        this.#missed += isLine;
        this.#came -= isLine;
      }
    }
  }

  #soon() {
    // A page that nobody looks at gets no picture, and what comes is bounded.
    this.#picture ||= requestAnimationFrame(() => {
      this.#picture = 0;
      if (!this.#isPaused) {
        this.#show();
      }
      this.#tell();
    });
  }

  #show() {
    if (this.#coming.length === 0) {
      return;
    }
    const coming = this.#coming;
    this.#coming = [];
    byId("empty").hidden = true;
    this.#speak(coming.filter(({ line }) => line).length);
    const before = this.#scroll.scrollHeight;
    const top = this.#scroll.scrollTop;
    const surplus = this.#list.childElementCount + coming.length - MOST;
    for (let each = 0; each < surplus && this.#list.firstChild; each++) {
      this.#list.firstChild.remove();
    }
    if (surplus > 0 && !this.#isPinned) {
      // What is being read stays where it is.
      this.#scroll.scrollTop = top - (before - this.#scroll.scrollHeight);
    }
    this.#list.append(...coming.map((each) => this.#item(each)));
    if (this.#isPinned) {
      this.#toEnd();
    }
  }

  #item({ line, marked, missed, note }) {
    if (note !== undefined) {
      return element("li", { className: "gap note" }, note);
    }
    if (missed !== undefined) {
      return element("li", { className: "gap" }, `${counted(missed, "line", "lines")} left out`);
    }
    if (line.name !== undefined) {
      this.named();
    }
    return lineItem(line, marked);
  }

  // A flood is summed up now and then, not read out.
  #speak(count) {
    const isFlood = count > READ_OUT || this.#summary !== 0;
    byId("live-lines").ariaLive = isFlood ? "off" : "polite";
    if (!isFlood) {
      return;
    }
    this.#unsaid += count;
    this.#summary ||= setTimeout(() => {
      byId("told").textContent = `${counted(this.#unsaid, "line", "lines")} came.`;
      this.#summary = this.#unsaid = 0;
    }, SUMMARY_MS);
  }

  #pause(isPaused) {
    this.#isPaused = isPaused;
    byId("pause").textContent = isPaused ? "Continue" : "Pause";
    byId("pause").classList.toggle("is-paused", isPaused);
    if (!isPaused) {
      if (this.#lost > 0) {
        this.#coming.unshift({ missed: this.#lost });
      }
      this.#waiting = this.#lost = 0;
      this.#show();
    }
    this.#tell();
  }

  #clear() {
    this.#list.replaceChildren();
    this.#came = this.#missed = 0;
    byId("empty").hidden = false;
    this.#look();
    this.#tell();
  }

  #tell() {
    byId("came").textContent = `${counted(this.#came, "line", "lines")} received`;
    byId("missed").hidden = this.#missed === 0;
    byId("missed").textContent = `${counted(this.#missed, "line", "lines")} left out: too many at once`;
    byId("waiting").hidden = !this.#isPaused;
    byId("waiting").textContent = `Paused, ${counted(this.#waiting, "line", "lines")} since`;
  }

  #toEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#look();
  }

  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    this.#isPinned = scrollHeight - clientHeight - scrollTop < AT_BOTTOM_PX;
    byId("to-end").hidden = this.#isPinned;
  }
}

export function lineItem(line, marked) {
  const from = line.name === undefined ? [] : [element("span", { className: "from" }, line.name, " ")];
  const more = line.left_out
    ? [element("span", { className: "more" }, ` … ${counted(line.left_out, "byte", "bytes")} more`)]
    : [];
  const text = element("span", { className: "text" }, ...textNodes(line.text, marked));
  return element("li", { className: "line" }, ...from, text, ...more);
}
