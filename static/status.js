"use strict";

// Asks /health and /metrics every few seconds and shows what they say.

const INTERVAL_MS = 3000;

// Buckets and creation times are for Prometheus; a person reads sums and counts.
const HIDDEN = /_bucket\b|_created\b/;

function byId(id) {
  return document.getElementById(id);
}

// A long name is broken where its words end, not inside of them.
function breakable(name) {
  const [first, ...others] = name.split(/(?<=[_{,])/);
  return [first, ...others.flatMap((word) => [document.createElement("wbr"), word])];
}

function row(name, value, kind) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  const cell = document.createElement("td");
  head.scope = "row";
  head.append(...breakable(name));
  cell.textContent = value;
  cell.className = kind;
  line.append(head, cell);
  return line;
}

// "name{label="x"} 12" becomes ["name{label="x"}", "12"]; comments become nothing.
function samples(text) {
  return text
    .split("\n")
    .filter((line) => line && !line.startsWith("#") && !HIDDEN.test(line))
    .map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1))];
    });
}

async function showHealth() {
  // 503 is an answer too: it comes with the same JSON while the process stops.
  const health = await (await fetch("health", { cache: "no-store" })).json();
  const summary = health.ready ? "Ready." : "Not ready.";
  if (byId("summary").textContent !== summary) {
    byId("summary").textContent = summary; // a screen reader hears only changes
    byId("summary").className = health.ready ? "good" : "bad";
  }
  byId("services").replaceChildren(
    ...Object.entries(health.services).map(([name, ready]) =>
      row(name, ready ? "yes" : "no", ready ? "good" : "bad"),
    ),
  );
}

async function showCounters() {
  const answer = await fetch("metrics", { cache: "no-store" });
  byId("counters-absent").hidden = answer.ok;
  const found = answer.ok ? samples(await answer.text()) : [];
  byId("counters").replaceChildren(
    ...found.map(([name, value]) => row(name, value.toLocaleString("en"), "number")),
  );
}

async function show() {
  try {
    await Promise.all([showHealth(), showCounters()]);
  } catch {
    byId("summary").textContent = "No answer.";
    byId("summary").className = "bad";
  }
  setTimeout(show, INTERVAL_MS);
}

show();
