// Small words for the DOM.  Text goes in as text only: nothing here takes HTML.

export function byId(id) {
  return document.getElementById(id);
}

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// A name somebody chose: it does not turn the reading direction of what stands around it.
export function nameOf(name, className = "") {
  return element("bdi", { className }, name);
}

export function setAll(selector, text) {
  for (const each of document.querySelectorAll(selector)) {
    each.textContent = text;
  }
}

export function counted(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

// A list was renewed under somebody's finger: the button of that value has the focus again.
export function focusOn(list, value) {
  [...list.querySelectorAll("button")].find((each) => each.value === value)?.focus();
}
