// Tries what the page shows: asks this server as the form says, and shows the answer.
// What comes is put in as text only.

const SHOWN = ["etag", "location", "allow", "retry-after", "www-authenticate", "content-type"];
const LONGEST = 100_000;

function address(form) {
  const fields = [...form.elements].filter((each) => each.dataset.in && each.value !== "");
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const each of fields) {
    if (each.dataset.in === "path") {
      path = path.replace(`{${each.name}}`, encodeURIComponent(each.value));
    } else if (each.dataset.in === "query") {
      query.append(each.name, each.value);
    }
  }
  return query.size ? `${path}?${query}` : path;
}

function request(form) {
  const headers = {};
  for (const each of form.elements) {
    if (each.dataset.in === "header" && each.value !== "") {
      headers[each.name] = each.value;
    }
  }
  const token = document.querySelector("#token")?.value.trim();
  if (token) {
    headers.Authorization = `Bearer ${token}`;
  }
  const asked = { method: form.dataset.method, headers, cache: "no-store", credentials: "omit" };
  if (form.dataset.type) {
    headers["Content-Type"] = form.dataset.type;
    asked.body = form.elements.body.value;
  }
  return asked;
}

function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function show(form, asked, status, isGood, head, body) {
  const answer = form.parentElement.querySelector(".answer");
  answer.querySelector(".asked").textContent = asked;
  const line = answer.querySelector(".status");
  line.textContent = status;
  line.className = `status ${isGood ? "good" : "bad"}`;
  answer.querySelector(".head").textContent = head;
  answer.querySelector(".head").hidden = head === "";
  answer.querySelector(".body").textContent = body;
  answer.querySelector(".body").hidden = body === "";
  answer.hidden = false;
}

// Who has read a version can change it with one click.
function remember(form, etag) {
  const item = /\/[0-9]+$/;
  if (!item.test(new URL(address(form), location).pathname)) {
    return;
  }
  const same = `form[data-path="${CSS.escape(form.dataset.path)}"] [name="If-Match"]`;
  for (const each of document.querySelectorAll(same)) {
    each.value = etag;
  }
}

async function attempt(form) {
  const place = address(form);
  const asked = `${form.dataset.method} ${place}`;
  try {
    const response = await fetch(place, request(form));
    const text = await response.text();
    const told = SHOWN.filter((name) => response.headers.has(name));
    const head = told.map((name) => `${name}: ${response.headers.get(name)}`).join("\n");
    const status = `${response.status} ${response.statusText}`.trim();
    show(form, asked, status, response.ok, head, readable(text).slice(0, LONGEST));
    if (response.ok && response.headers.has("etag")) {
      remember(form, response.headers.get("etag"));
    }
  } catch (error) {
    show(form, asked, `There was no answer: ${error.message}`, false, "", "");
  }
}

for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form);
  });
}
