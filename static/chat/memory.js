// What the browser keeps: the name for good, the session and what is being written for this tab.
// A browser that keeps nothing is no error: the page then works until it is closed.

function read(storage, key) {
  try {
    return JSON.parse(storage().getItem(`proto.chat.${key}`));
  } catch {
    return null; // storage is switched off, or holds what is not ours
  }
}

function write(storage, key, value) {
  try {
    storage().setItem(`proto.chat.${key}`, JSON.stringify(value));
  } catch {
    // switched off or full, see above
  }
}

// Even naming them throws where they are switched off.
const lasting = () => localStorage;
const ofThisTab = () => sessionStorage;

export const wishedName = {
  get: () => read(lasting, "name"),
  set: (name) => write(lasting, "name", name),
};

// {token, room, after}: how to come back, and the last line that was read there.
export const session = {
  get: () => read(ofThisTab, "session") ?? {},
  set: (value) => write(ofThisTab, "session", value),
};

// {text, to}: what is being written, and to whom, null for the room.
export const draft = {
  get: () => read(ofThisTab, "draft") ?? { text: "", to: null },
  set: (value) => write(ofThisTab, "draft", value),
};
