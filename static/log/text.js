// A line's text with what was looked for marked in it.  Text goes in as text only.

import { element } from "../chat/page.js";

export function textNodes(text, marked) {
  if (marked === "") {
    return [text];
  }
  const [first, ...others] = text.split(marked);
  return [first, ...others.flatMap((part) => [element("mark", {}, marked), part])];
}
