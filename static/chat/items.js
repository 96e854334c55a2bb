// List items in the order of their keys: in an array to find them, in the document to see them.

const MOST = 2000; // in the document
const KEPT = 1800; // after dropping, so that not every line drops one

// Where the first item is for which the question is answered yes; all after it must be alike.
function firstIndex(items, question) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (question(items[middle])) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

export class Items {
  #entries = []; // {key, node} by key

  get isFull() {
    return this.#entries.length >= MOST;
  }

  get firstKey() {
    return this.#entries.at(0)?.key;
  }

  get lastKey() {
    return this.#entries.at(-1)?.key;
  }

  clear() {
    for (const { node } of this.#entries.splice(0)) {
      node.remove();
    }
  }

  // Where it belongs; `list` takes it when nothing comes after it.
  insert(entry, list) {
    const at = firstIndex(this.#entries, ({ key }) => key > entry.key);
    const next = this.#entries[at];
    this.#entries.splice(at, 0, entry);
    if (next) {
      next.node.before(entry.node);
    } else {
      list.append(entry.node);
    }
  }

  // Take away what is too much, at one end; returns the keys of what is gone.
  trim(atBottom) {
    const over = this.#entries.length > MOST ? this.#entries.length - KEPT : 0;
    const gone = this.#entries.splice(atBottom ? this.#entries.length - over : 0, over);
    return gone.map(({ key, node }) => {
      node.remove();
      return key;
    });
  }

  // The first one that reaches below that height of the window.
  firstBelow(top) {
    const at = firstIndex(this.#entries, (each) => each.node.getBoundingClientRect().bottom > top);
    return this.#entries[at]?.node;
  }
}
