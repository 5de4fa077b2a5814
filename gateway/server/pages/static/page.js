import { bytes, duration, element, head, list, madeAt, many, shown, time } from "./dom.js";
import { line, perMinute, seconds } from "./lines.js";
import { badge, fileCard, problemCard, timeline } from "./upload.js";

const API = "/gateway/admin/";
const AGAIN = 10_000;
const MOST = 10_000;
const AT_ONCE = 20;
const STATES = ["receiving", "stored", "inspected", "relayed", "registered", "audited", "flagged", "rejected", "failed", "aborted"];
const WORDS = { retry: "Retry", cancel: "Cancel", resend: "Resend" };
const JOBS = { ...WORDS, resend: "Resend messages of" };
const KINDS = {
  pending: "uploads that wait for a step", sessions: "uploads in several requests", removals: "files to remove",
  orphans: "files without a record", dead: "records set aside",
};

const main = document.getElementById("main");
const live = document.getElementById("live");
let token = sessionStorage.getItem("token");
let leaving = new AbortController();

class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

// Asks the gateway; an answer that is not JSON comes from something in between.
async function ask(path, { query = null, body = null, signal = leaving.signal } = {}) {
  const options = { headers: { Authorization: `Bearer ${token}` }, cache: "no-store", signal };
  if (body !== null) {
    options.method = "POST";
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(API + path + (query === null ? "" : `?${query}`), options);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Refused(0, "The gateway cannot be reached.");
  }
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  if (answer.status === 401) {
    forget();
    askForToken("The gateway does not accept this token.");
  }
  throw new Refused(answer.status, found.detail ?? `The gateway answered ${answer.status}.`);
}

function forget() {
  token = null;
  sessionStorage.removeItem("token");
}

function announce(text) {
  live.textContent = text;
}

function show(title, ...children) {
  document.title = `${title} · ChatKitty gateway`;
  main.replaceChildren(element("h1", {}, title), ...children.filter((child) => child !== null));
}

function fault(error) {
  return element("p", { class: "card bad", role: "alert" }, error.message);
}

// Fills a place with what the work makes, or with why it could not.
async function fill(place, work) {
  const { signal } = leaving;
  place.setAttribute("aria-busy", "true");
  try {
    const made = await work();
    if (!signal.aborted) place.replaceChildren(...[made].flat().filter((child) => child !== null));
  } catch (error) {
    if (!signal.aborted) place.replaceChildren(fault(error));
  } finally {
    place.removeAttribute("aria-busy");
  }
}

function pause(signal) {
  return new Promise((go) => {
    const timer = setTimeout(go, AGAIN);
    signal.addEventListener("abort", () => { clearTimeout(timer); go(); }, { once: true });
  });
}

// --- the token -----------------------------------------------------------------------------------

function askForToken(why = "") {
  leaving.abort();
  leaving = new AbortController();
  document.getElementById("nav").hidden = document.getElementById("lock").hidden = true;
  const field = element("input", { type: "password", autocomplete: "off", required: true, id: "token" });
  show("Operator's page", element("form", {
    class: "card",
    onsubmit: (event) => {
      event.preventDefault();
      token = field.value.trim();
      sessionStorage.setItem("token", token);
      go();
    },
  }, why && element("p", { class: "bad", role: "alert" }, why),
  element("p", {}, "It needs the token that GATEWAY_ADMIN_TOKEN sets. This tab keeps it until it is closed."),
  element("label", {}, "Token ", field), element("div", { class: "row" }, element("button", { class: "main" }, "Open"))));
  field.focus();
}

// --- state ---------------------------------------------------------------------------------------

function readiness(status) {
  const faults = Object.entries(status.faults ?? {});
  const ready = status.status === "ready";
  return element("section", { class: "card" }, element("h2", {}, "Gateway"),
    element("p", { class: `big ${ready ? "good" : "bad"}` }, ready ? "✓ ready" : `✗ ${status.status}`),
    faults.length ? list(faults) : null,
    list([
      ["ChatKitty", status.breakerOpen === null ? "not known: Redis does not answer"
        : status.breakerOpen ? element("span", { class: "bad" }, "✗ workers pause: it fails (circuit open)")
          : "workers send requests (circuit closed)"],
      ["version", status.version],
    ]));
}

function backlog(status) {
  const rows = (status.backlog ?? []).map((each) => element("tr", {},
    element("th", { scope: "row" }, KINDS[each.kind] ?? each.kind),
    element("td", { class: "number" }, each.count.toLocaleString("en"), each.more ? " or more" : ""),
    element("td", { class: "number" }, each.oldest === null ? "–" : duration(status.at - each.oldest))));
  return element("section", { class: "card" }, element("h2", {}, "Waiting, in the bucket"),
    status.backlog === null ? element("p", { class: "bad" }, "The store does not answer.")
      : element("table", {}, head("kind", "number", "oldest"), element("tbody", {}, rows)));
}

function workers(status) {
  const { sweeper, processes, queued } = status;
  const roles = (role) => processes.filter((each) => each.role === role).map((each) => each.name).join(", ");
  return element("section", { class: "card" }, element("h2", {}, "Who works"), list([
    ["sweeper", sweeper === null ? "not known: the store does not answer" : sweeper.age === null ? "has not run yet"
      : sweeper.working ? "at work" : `rests since ${duration(sweeper.age)}; runs every ${duration(status.sweepInterval)}`],
    ["last pass", status.lastSweep === null ? "not known" : `${duration(status.at - status.lastSweep)} ago`],
    ["gateways", processes === null ? "not known: Redis does not answer" : roles("gateway") || "none announced"],
    ["workers", processes === null ? "not known: Redis does not answer"
      : roles("worker") || element("span", { class: "bad" }, "✗ none announced")],
    ["messages", queued === null ? null : Object.entries(queued).map(([name, count]) => `${name} ${count}`).join(", ")],
  ]));
}

function drawn(rates) {
  const simple = [["accepted", "uploads accepted"], ["refused", "uploads refused (4xx)"], ["failed", "uploads failed (5xx)"]];
  return element("section", { class: "card" }, element("h2", {}, "The last hour"),
    element("p", { class: "soft" }, "Sampled every 5 s by this host's gateway since it started. Workers count how uploads end: see their metrics."),
    element("div", { class: "cards" },
      simple.map(([kind, title]) => line(title, { "": rates.rates[kind] }, perMinute)),
      line("bytes received", { "": rates.rates.bytes }, (rate) => `${bytes(rate)}/s`),
      line("uploads that wait", { "": rates.pending }, (count) => count.toLocaleString("en")),
      Object.entries(rates.phases).map(([name, lines]) => line(`${name}, p50 and p99`, lines, seconds))));
}

async function stateView() {
  const { signal } = leaving;
  const top = element("div", { class: "cards" });
  const bottom = element("div", {});
  show("State", top, element("p", {}), bottom);
  while (!signal.aborted) {
    if (!document.hidden) {
      await fill(top, async () => {
        const status = await ask("status");
        return [readiness(status), backlog(status), workers(status)];
      });
      await fill(bottom, async () => drawn(await ask("rates")));
    }
    await pause(signal);
  }
}

// --- uploads -------------------------------------------------------------------------------------

function typeOf(upload) {
  const file = upload.file ?? upload.files?.[0];
  if (!file) return "–";
  const declared = file.declaredContentType ?? "none";
  if (!file.contentType) return `${declared}, not looked at`;
  if (file.contentType === declared) return file.contentType;
  return element("span", { class: "warn" }, `${file.contentType} ≠ declared ${declared}`);
}

function row(upload) {
  const file = upload.file ?? upload.files?.[0] ?? {};
  return element("tr", {},
    element("th", { scope: "row" }, element("a", { class: "id", href: `#/upload/${encodeURIComponent(upload.id)}` }, upload.id)),
    element("td", {}, badge(upload.state)),
    element("td", {}, time(madeAt(upload.id))),
    element("td", {}, file.name ?? "–"),
    element("td", {}, typeOf(upload)),
    element("td", { class: "number" }, bytes(upload.offset ?? file.size ?? null)),
    element("td", {}, upload.subject ?? "–"),
    element("td", {}, upload.problem ? upload.problem.type : ""));
}

const COLUMNS = ["id", "state", "began", "file", "type", "size", "subject", "problem"];

// A table that grows; what it says of its scope is what was read, and not what there is.
function results(query) {
  const body = element("tbody", {});
  const said = element("p", {}, "Reading …");
  const more = element("button", { type: "button", onclick: () => load() }, "Show older ones");
  const failed = element("div", {});
  let count = 0;
  let read = 0;
  let before = null;
  async function load() {
    more.disabled = true;
    await fill(failed, async () => {
      const asked = new URLSearchParams(query);
      if (before !== null) asked.set("before", before);
      const found = await ask("uploads", { query: asked });
      body.append(...found.uploads.map(row));
      count += found.uploads.length;
      read += found.read;
      before = found.before;
      const scope = before === null ? "there are no older ones" : `read back to ${new Date(madeAt(before)).toISOString().slice(0, 19)}Z; older ones may match`;
      const ended = query.get("state") ? "" : " Uploads that have ended are under other states.";
      said.textContent = `${many(count, "upload")} of ${read.toLocaleString("en")} read; ${scope}.${ended}`;
      announce(said.textContent);
      more.hidden = before === null;
      return [];
    });
    more.disabled = false;
  }
  load();
  return element("section", { class: "card" }, element("h2", {}, "Uploads, the newest first"),
    element("div", { class: "scroll" }, element("table", { class: "rows" }, head(...COLUMNS), body)),
    element("div", { class: "row" }, said, more), failed);
}

function choice(name, title, options, chosen) {
  return element("label", {}, title, element("select", { name }, options.map(
    ([value, text]) => element("option", { value, selected: value === chosen }, text))));
}

function text(name, title, value, attributes = {}) {
  return element("label", {}, title, element("input", { name, value: value ?? "", autocomplete: "off", spellcheck: "false", ...attributes }));
}

const AGES = [["", "any age"], ["300", "5 minutes"], ["3600", "1 hour"], ["86400", "1 day"], ["604800", "1 week"]];

function filterForm(query) {
  return element("form", {
    class: "card filter",
    onsubmit: (event) => {
      event.preventDefault();
      const given = [...new FormData(event.target)].filter(([, value]) => value !== "");
      const id = given.find(([name]) => name === "id")?.[1].trim();
      location.hash = id ? `#/upload/${encodeURIComponent(id)}` : `#/uploads?${new URLSearchParams(given)}`;
    },
  },
  choice("state", "State", [["", "not ended"], ["all", "all"], ...STATES.map((each) => [each, each])], query.get("state") ?? ""),
  choice("newer", "Began within", AGES, query.get("newer") ?? ""),
  choice("older", "Began before", AGES, query.get("older") ?? ""),
  choice("delivery", "Delivery", [["", "any"], ["relay", "relay"], ["external", "external"]], query.get("delivery") ?? ""),
  text("route", "Route", query.get("route")),
  text("subject", "Subject, or its #digest", query.get("subject")),
  text("problem", "Problem", query.get("problem"), { placeholder: "registration-failed" }),
  text("id", "Or one upload's id", ""),
  element("button", { class: "main" }, "Search"));
}

function uploadsView(query) {
  show("Uploads", filterForm(query), element("div", { class: "row" },
    Object.keys(JOBS).map((action) => element("button", { type: "button", onclick: () => openJob(action, query) }, `${JOBS[action]} all that match …`)),
    element("p", { class: "soft" }, "They are counted first.")), results(query));
}

function deadView() {
  const abandoned = new URLSearchParams({ state: "failed", problem: "dead-letter" });
  show("Dead letters",
    element("p", {}, "Records that could not be read were set aside, and stay in the bucket below ", element("code", {}, "dead/"),
      ". Uploads of which every step died ended as failed, with the problem dead-letter: ",
      element("a", { href: `#/uploads?${abandoned}` }, "show and retry those"), "."),
    results(new URLSearchParams({ state: "dead" })));
}

// --- one upload ----------------------------------------------------------------------------------

function messagesCard({ messages, hasWebhooks }) {
  if (!hasWebhooks && !messages.length) return null;
  const rows = messages.flatMap((message) => message.endpoints.map((each) => element("tr", {},
    element("th", { scope: "row" }, message.type), element("td", {}, each.name),
    element("td", { class: each.state === "dead" ? "bad" : null }, each.state === "dead" ? "given up" : each.state),
    element("td", { class: "number" }, each.attempts), element("td", {}, [each.status, each.detail].filter(Boolean).join(" ") || "–"))));
  const broken = messages.filter((each) => !each.readable).length;
  return element("section", { class: "card" }, element("h2", {}, "Webhooks"),
    broken ? element("p", { class: "bad" }, `${many(broken, "message")} cannot be read.`) : null,
    rows.length ? element("table", { class: "rows" }, head("message", "webhook", "state", "tries", "last answer"), element("tbody", {}, rows))
      : element("p", {}, "No message waits, and none was given up. Delivered messages are forgotten."));
}

function facts({ upload, traceId, logUrl }) {
  return element("section", { class: "card" }, element("h2", {}, "Request"), list([
    ["target", upload.target ? `${upload.target.method} ${upload.target.path}` : null], ["route", upload.route], ["delivery", upload.delivery],
    ["subject", upload.subject], ["request id", logUrl ? element("a", { href: logUrl }, upload.requestId) : upload.requestId], ["trace id", traceId],
    ["attempts", upload.attempt ? `${upload.attempt.count}, the first at ${upload.attempt.firstAt}${upload.attempt.nextAt ? `; the next at ${upload.attempt.nextAt}` : ""}${upload.attempt.unknown ? "; the outcome of the last is unknown" : ""}` : "none"],
    ["ambiguities", upload.ambiguities?.join(", ")], ["ChatKitty answered", upload.result?.status],
    ["file in the bucket", upload.incoming?.present ? "yes" : "no"], ["removed", upload.removedAt && `${upload.removedAt} (${upload.removedFor})`],
    ["record", `${upload.record.key}, written ${duration(upload.record.age)} ago`],
  ]));
}

// What would be refused is said before; an action that cannot be undone asks again.
function actions(id, refusals, again) {
  const said = element("p", { role: "status" });
  const buttons = [];
  async function act(action, force) {
    if (action === "cancel" && !confirm(`Cancel this upload${force ? ", although ChatKitty may have its message" : ""}? Its file is deleted.`)) return;
    buttons.forEach((each) => { each.disabled = true; });
    try {
      const { outcomes } = await ask("actions", { body: { action, force, ids: [id] } });
      await again();
      announce(outcomes[0].text);
      main.querySelector(".said").replaceChildren(element("span", { class: outcomes[0].done ? "good" : "bad" },
        `${WORDS[action]}: ${outcomes[0].text}`));
    } catch (error) {
      said.replaceChildren(element("span", { class: "bad" }, error.message));
      buttons.forEach((each) => { each.disabled = false; });
    }
  }
  const button = (label, action, force, refusal) => {
    buttons.push(element("button", { type: "button", onclick: () => act(action, force) }, label));
    return refusal === null ? buttons.at(-1) : element("p", { class: "soft" }, `${label}: ${refusal}.`);
  };
  const forced = refusals.cancel !== null && refusals.forcedCancel === null;
  said.className = "said";
  return element("section", { class: "card" }, element("h2", {}, "Do"), element("div", { class: "row" },
    button("Retry", "retry", false, refusals.retry), button("Cancel", "cancel", false, refusals.cancel),
    forced ? button("Cancel anyway", "cancel", true, null) : null,
    refusals.resend === null ? button("Resend messages", "resend", false, null) : null), said);
}

// Drawn again only when something has happened.
async function uploadView(id) {
  const { signal } = leaving;
  const path = `uploads/${encodeURIComponent(id)}`;
  const standing = ({ upload, messages }) => JSON.stringify([upload.state, upload.attempt?.count, messages]);
  const place = element("div", {});
  let drawn;
  show(`Upload ${shown(id)}`, place);
  const load = () => fill(place, async () => {
    const found = await ask(path);
    const { upload, refusals } = found;
    drawn = standing(found);
    const files = upload.files ?? (upload.file ? [upload.file] : []);
    return [
      element("p", { class: "big" }, badge(upload.state)), problemCard(upload.problem), actions(id, refusals, load),
      element("div", { class: "cards" }, timeline(upload), facts(found), files.map(fileCard)), messagesCard(found),
      element("details", { class: "card" }, element("summary", {}, "The record, without secrets"),
        element("pre", { tabindex: "0" }, JSON.stringify(upload, null, 2))),
    ];
  });
  await load();
  while (!signal.aborted) {
    await pause(signal);
    if (document.hidden) continue;
    const found = await ask(path).catch(() => null);
    if (found === null || standing(found) === drawn) continue;
    await load();
    announce(found.upload.state);
  }
}

// --- all that match ------------------------------------------------------------------------------

function reasons(counts) {
  return element("ul", {}, Object.entries(counts).map(([reason, count]) => element("li", {}, `${count.toLocaleString("en")}: ${reason}`)));
}

// Counts what matches, then does it to exactly those; each request is about a few, and the page counts.
function openJob(action, query) {
  const closing = new AbortController();
  const signal = AbortSignal.any([leaving.signal, closing.signal]);
  const said = element("p", { role: "status" });
  const details = element("div", {});
  const start = element("button", { type: "button", class: "main", hidden: true }, "");
  const close = element("button", { type: "button", onclick: () => dialog.close() }, "Stop");
  const dialog = element("dialog", { "aria-labelledby": "job", onclose: () => { closing.abort(); dialog.remove(); } },
    element("h2", { id: "job" }, `${JOBS[action]} all that match`), said, details, element("div", { class: "row" }, start, close));
  document.body.append(dialog);
  dialog.showModal();
  leaving.signal.addEventListener("abort", () => dialog.close(), { once: true });
  const failed = (error) => { if (!signal.aborted) details.append(fault(error)); close.textContent = "Close"; };
  count(action, query, signal, said, details).then((ids) => {
    close.textContent = "Close";
    if (!ids.length) return;
    start.textContent = `${JOBS[action]} ${many(ids.length, "upload")}`;
    start.hidden = false;
    start.focus();
    start.onclick = () => {
      start.hidden = true;
      close.textContent = "Stop";
      run(action, ids, signal, said, details).then(() => { close.textContent = "Close"; }, failed);
    };
  }, failed);
}

async function count(action, query, signal, said, details) {
  const ids = [];
  const refused = {};
  let read = 0;
  let before = null;
  do {
    const asked = new URLSearchParams(query);
    asked.set("action", action);
    if (before !== null) asked.set("before", before);
    const found = await ask("matches", { query: asked, signal });
    ids.push(...found.ids);
    for (const [reason, number] of Object.entries(found.refused)) refused[reason] = (refused[reason] ?? 0) + number;
    read += found.read;
    before = found.before;
    said.textContent = `${before === null ? "Counted" : "Counting"}: ${read.toLocaleString("en")} read, ${many(ids.length, "upload")} to ${action}.`;
  } while (before !== null && ids.length < MOST);
  if (before !== null) said.textContent += ` There are more: a job has at most ${MOST.toLocaleString("en")}.`;
  if (Object.keys(refused).length) details.append(element("p", {}, "These match, and would be refused:"), reasons(refused));
  return ids;
}

async function run(action, ids, signal, said, details) {
  const job = crypto.randomUUID?.() ?? String(Date.now());
  const refused = {};
  let done = 0;
  details.replaceChildren();
  for (let place = 0; place < ids.length; place += AT_ONCE) {
    const { outcomes } = await ask("actions", { body: { action, ids: ids.slice(place, place + AT_ONCE), job }, signal });
    for (const each of outcomes) {
      if (each.done) done += 1;
      else refused[each.text] = (refused[each.text] ?? 0) + 1;
    }
    const tried = Math.min(ids.length, place + AT_ONCE);
    said.textContent = `${tried === ids.length ? "Finished" : "Working"}: ${tried.toLocaleString("en")} of ${ids.length.toLocaleString("en")}, ${done.toLocaleString("en")} done, ${(tried - done).toLocaleString("en")} refused.`;
    if (tried - done) details.replaceChildren(reasons(refused));
  }
}

// --- doctor --------------------------------------------------------------------------------------

function doctorView() {
  const place = element("div", {});
  const start = element("button", { type: "button", class: "main" }, "Examine");
  start.onclick = async () => {
    start.disabled = true;
    place.replaceChildren(element("p", { role: "status" }, "Every part is being tried …"));
    await fill(place, async () => {
      const found = await ask("doctor", { body: {} });
      announce(found.ok ? "Nothing is wrong." : "A part is at fault.");
      return [
        element("section", { class: "card" }, element("h2", {}, found.ok ? "Nothing is wrong" : "A part is at fault"),
          list(Object.entries(found.parts).map(([name, part]) => [name, part.ok
            ? element("span", { class: "good" }, part.reached ? `✓ ok, ${part.reached}` : "✓ ok")
            : element("span", { class: "bad" }, `✗ ${part.fault}`)]))),
        ...[["Let in", found.let_in], ["Advice", [...new Set(Object.values(found.parts).flatMap((part) => part.advice))]]]
          .filter(([, lines]) => lines.length).map(([title, lines]) => element("section", { class: "card" },
            element("h2", {}, title), element("ul", {}, lines.map((each) => element("li", {}, each))))),
      ];
    });
    start.disabled = false;
  };
  show("Doctor", element("p", {}, "It uses each part as gateways and workers do, and says what to change."),
    element("div", { class: "row" }, start), place);
}

// --- which page ----------------------------------------------------------------------------------

function go() {
  announce("");
  leaving.abort();
  leaving = new AbortController();
  if (token === null) {
    askForToken();
    return;
  }
  const [path, query] = location.hash.slice(1).split("?", 2);
  document.getElementById("nav").hidden = document.getElementById("lock").hidden = false;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash.slice(1) === (path || "/")) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const [, name, rest] = path.split("/");
  if (name === "uploads") uploadsView(new URLSearchParams(query ?? ""));
  else if (name === "upload") uploadView(decodeURIComponent(rest ?? ""));
  else if (name === "dead") deadView();
  else if (name === "doctor") doctorView();
  else stateView();
  main.focus({ preventScroll: true });
}

document.getElementById("lock").onclick = () => { forget(); go(); };
window.addEventListener("hashchange", go);
// A link may bring the token: behind the # it reaches no server, and it leaves the address at once.
if (location.hash.startsWith("#token=")) {
  token = decodeURIComponent(location.hash.slice("#token=".length));
  sessionStorage.setItem("token", token);
  history.replaceState(null, "", "/");
}
go();
