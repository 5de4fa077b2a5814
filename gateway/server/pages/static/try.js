import { commands } from "./curl.js";
import { DIALECTS } from "./dialects.js";
import { bytes, element, head, shown } from "./dom.js";
import { fileCard, problemCard, timeline } from "./upload.js";
import { Lost, listen, rest, send } from "./wire.js";

const PIECES = 20;
const CUT_AT = 0.4;
const TRIES = 40;
const PLACEHOLDER = "ACCESS-TOKEN";
const SENT = "Sent. The gateway and its workers are at it …";
const ENDED_WELL = ["registered", "relayed", "audited"];
const WHY = {
  401: "The gateway does not accept this token.",
  413: "The file is too large for this path.",
  429: "This subject has sent too much for now.",
};
const DELIVERIES = {
  external: "Hosted: the gateway stores the file, and ChatKitty gets its URL.",
  relay: "Relayed: ChatKitty hosts the file. It cannot be resumed; tus and the draft are refused.",
};

const at = (id) => document.getElementById(id);
const [form, file, kind, path, dialect, pace, key, token, cut, buttons, place] = [
  "form", "file", "kind", "path", "dialect", "pace", "key", "token", "cut", "buttons", "run"].map(at);

let running = null;
let last = null;

// --- what there is to choose ---------------------------------------------------------------------

const fresh = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;

// A link brings token and channel: behind the # they reach no server, and they leave the address at once.
function takeAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (!given.has("token")) return;
  sessionStorage.setItem("token", given.get("token"));
  sessionStorage.setItem("channel", given.get("channel") ?? "");
  history.replaceState(null, "", location.pathname);
  fillIn();
}

function fillIn() {
  token.value = sessionStorage.getItem("token") ?? "";
  const channel = sessionStorage.getItem("channel") ?? "";
  if (/^\d+$/.test(channel)) kind.options[0].value = `/v1/channels/${channel}/messages`;
  choose();
}

function choose() {
  if (kind.value) path.value = kind.value;
  renew();
  tellRoute();
}

function renew() {
  if (!key.dataset.own) key.value = fresh();
}

const routePath = (more = {}) => `/gateway/try/route?${new URLSearchParams({ path: path.value, ...more })}`;

async function tellRoute() {
  const asked = path.value;
  let text;
  try {
    const answer = await send({ path: routePath() });
    const found = parsed(answer.text) ?? {};
    text = answer.status === 200 ? `${DELIVERIES[found.delivery]} At most ${bytes(found.maxFileSize)}.`
      : `No upload can go there: ${found.detail ?? answer.status}.`;
  } catch (error) {
    text = error.message;
  }
  if (path.value === asked) at("route").textContent = shown(text);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function button(label, act, main = false) {
  return element("button", { type: main ? "submit" : "button", class: main ? "main" : null, onclick: main ? null : act }, label);
}

// The buttons for what can be done now; the focus stays among them.
function offer(...offered) {
  const focused = buttons.contains(document.activeElement);
  buttons.replaceChildren(...offered);
  if (focused) buttons.querySelector("button").focus();
}

function offerUpload() {
  offer(button("Upload", null, true), ...(last ? [button("Send the same again", () => start({ ...last.asked, first: last.id }))] : []));
}

// --- one run -------------------------------------------------------------------------------------

class Run {
  constructor(asked) {
    Object.assign(this, { asked, id: null, offset: 0, process: null, cutting: false, cutAt: asked.cut ? CUT_AT * asked.file.size : Infinity });
    this.line = new AbortController();
    this.leaving = new AbortController();
    this.stopped = false;
    this.step = Math.max(1, Math.ceil(asked.file.size / PIECES));
    this.said = element("p", { class: "big", role: "status" });
    this.bar = element("progress", { max: asked.file.size || 1, value: 0, "aria-label": "Sent" });
    this.count = element("p", { class: "soft" });
    this.rows = element("tbody");
    this.states = element("div", { class: "cards" });
    this.answer = element("div");
    place.replaceChildren(
      element("section", { class: "card" }, element("h2", {}, "Upload"), this.said, this.bar, this.count),
      this.states,
      element("section", { class: "card" }, element("h2", {}, "Requests"), element("div", { class: "scroll log", tabindex: "0", role: "group", "aria-label": "Requests" },
        element("table", { class: "rows" }, head("request", "bytes", "answer", "process"), this.rows))),
      this.answer, commandCard(asked));
  }

  say(text, kind = "") {
    this.said.className = `big ${kind}`;
    this.said.textContent = shown(text);
  }

  progress(sent) {
    const { size } = this.asked.file;
    const count = this.bar.value = Math.min(sent, size);
    if (sent >= size) this.say(SENT);
    this.count.textContent = `${count.toLocaleString("en")} of ${size.toLocaleString("en")} bytes (${bytes(size)})`;
  }

  // One request, and its row.
  async ask({ method, path: target, headers = {}, body = null, from = null, progress = null }) {
    const sent = element("td", {}, from === null || !body?.size ? "–" : `${from.toLocaleString("en")} to ${(from + body.size - 1).toLocaleString("en")}`);
    const outcome = element("td", {}, "…");
    const process = element("td", {}, "–");
    this.rows.append(element("tr", {}, element("th", { scope: "row" }, `${method} ${target}`), sent, outcome, process));
    try {
      const answer = await send({ method, path: target, headers: { ...this.authorization, ...headers }, body, signal: this.line.signal, progress });
      const by = answer.header("X-Gateway-Process");
      outcome.textContent = answer.status;
      outcome.className = answer.status < 400 ? "good" : "bad";
      process.textContent = by ?? "–";
      this.process = by ?? this.process;
      return answer;
    } catch (error) {
      outcome.textContent = "none: lost";
      outcome.className = "warn";
      throw error;
    }
  }

  get authorization() {
    return { Authorization: `Bearer ${this.asked.token}` };
  }

  get once() {
    return this.asked.key ? { "Idempotency-Key": this.asked.key } : {};
  }

  async whole() {
    const body = new FormData();
    body.append("file", this.asked.file, this.asked.file.name);
    const answer = await this.ask({ method: "POST", path: this.asked.path, headers: this.once, body, progress: (sent) => this.progress(sent) });
    this.found(answer.header("Upload-Id"));
    return answer;
  }

  async inParts() {
    const spoken = DIALECTS[this.asked.dialect];
    const { file: { size }, path: target } = this.asked;
    const begin = { method: "POST", path: spoken.place(target), headers: { ...this.once, ...spoken.begin(this.asked.file) } };
    let answer = await this.insist(() => this.ask(begin));
    if (answer.status !== 201) return answer;
    this.found(answer.header("Location").split("/").at(-1));
    while (answer.status < 400) {
      this.offset = Number(answer.header("Upload-Offset") ?? size);
      this.progress(this.offset);
      if (spoken.isComplete(answer, size)) break;
      answer = await this.piece(spoken).catch((error) => this.insist(() => this.look(spoken), error));
    }
    return answer;
  }

  async piece(spoken) {
    await rest(this.asked.pace, this.leaving.signal);
    if (this.stopped) throw new Lost("");
    const from = this.offset;
    const end = Math.min(this.asked.file.size, from + this.step);
    this.cutting ||= from >= this.cutAt;
    this.line = new AbortController();
    return this.ask({
      method: "PATCH", path: `/gateway/uploads/${this.id}`, headers: spoken.more(from, end === this.asked.file.size),
      body: this.asked.file.slice(from, end), from, progress: () => { if (this.cutting) this.line.abort(); },
    });
  }

  // Asks until there is an answer. After a cut that the reader wanted, another process if there is one; else when told to.
  async insist(ask, lost = null) {
    for (;;) {
      if (this.stopped || (lost !== null && !(lost instanceof Lost))) throw lost;
      if (lost !== null) await this.recover(lost);
      try {
        this.line = new AbortController();
        return await ask();
      } catch (error) {
        lost = error;
      }
    }
  }

  async recover(lost) {
    if (!this.cutting) {
      await this.wait(lost.message);
      return;
    }
    this.cutting = false;
    this.cutAt = Infinity;
    this.say("The connection is lost. It resumes in a moment …", "warn");
    await rest(1000, this.leaving.signal);
    await this.leaveProcess();
  }

  // How far the upload is.
  async look(spoken) {
    const before = this.process;
    const answer = await this.ask({ method: "HEAD", path: `/gateway/uploads/${this.id}`, headers: spoken.ask });
    const where = this.process && this.process !== before ? "another process" : "the same process";
    this.say(`Resumed by ${where}, at byte ${Number(answer.header("Upload-Offset")).toLocaleString("en")}.`);
    return answer;
  }

  // The processes share an address: a new connection may lead to another one.
  async leaveProcess() {
    for (let tried = 0; this.process && tried < TRIES && !this.stopped; tried += 1) {
      const answer = await send({ path: routePath({ leave: this.process }) }).catch(() => null);
      if (answer === null || answer.header("X-Gateway-Process") !== this.process) return;
    }
  }

  wait(why) {
    this.say(`${why}${this.id ? " What the gateway has of the file stays there for a day." : ""}`, "bad");
    return new Promise((go) => {
      offer(button("Resume", () => { this.offer(); go(); }), button("Stop", () => { this.stop(); go(); }));
    });
  }

  offer() {
    const resumes = this.asked.dialect !== "multipart";
    offer(...(resumes ? [button("Lose the connection", () => { this.cutting = true; this.line.abort(); })] : []), button("Stop", () => this.stop()));
  }

  stop() {
    this.stopped = true;
    this.line.abort();
    this.leaving.abort();
  }

  found(id) {
    if (id === null || this.id === id) return;
    this.id = id;
    this.follow();
  }

  // The states, as the gateway reports them.
  async follow() {
    const { signal } = this.leaving;
    while (!signal.aborted && !this.ended) {
      let status = 0;
      try {
        status = await listen(`/gateway/uploads/${this.id}/events`, this.authorization, signal, (name, upload) => this.hear(name, upload));
      } catch {
        // It connects again.
      }
      if (status >= 400 && status < 500) return;
      await rest(1000, signal);
    }
  }

  hear(name, upload) {
    if (name === "end") {
      this.ended = upload.state;
      this.sayEnd();
      return;
    }
    const files = upload.files ?? (upload.file ? [upload.file] : []);
    this.states.replaceChildren(timeline(upload), ...files.map(fileCard), ...[problemCard(upload.problem)].filter(Boolean));
  }

  sayEnd() {
    if (running === this || !this.ended || this.refused) return;
    const good = ENDED_WELL.includes(this.ended);
    this.say(`${this.again}${good ? "Done" : "Ended"}: ${this.ended}.`, good ? "good" : "bad");
  }

  get again() {
    if (!this.asked.first) return "";
    return this.asked.first === this.id ? "Not accepted twice: the answer is that of the first upload. " : "Accepted twice: this is another upload. ";
  }

  async go() {
    this.progress(0);
    this.say("Sending …");
    this.offer();
    const answer = await (this.asked.dialect === "multipart" ? this.whole() : this.inParts());
    this.answer.replaceChildren(answerCard(answer));
    this.refused = answer.status >= 400;
    if (this.refused) {
      const told = parsed(answer.text) ?? {};
      this.say(WHY[answer.status] ?? `Refused: ${told.detail ?? told.message ?? answer.status}`, "bad");
    } else {
      this.progress(this.asked.file.size);
      this.say(this.again + SENT);
    }
  }
}

function answerCard(answer) {
  const type = answer.header("Content-Type");
  const document = parsed(answer.text);
  return element("section", { class: "card" }, element("h2", {}, "Answer"),
    element("p", { class: answer.status < 400 ? "good" : "bad" }, `${answer.status}${type ? `, ${type}` : ""}`),
    answer.text ? element("pre", { tabindex: "0" }, document ? JSON.stringify(document, null, 2) : answer.text) : element("p", { class: "soft" }, "It has no content."));
}

function commandCard(asked) {
  const said = element("span", { role: "status" });
  const copy = async () => {
    await navigator.clipboard.writeText(commands(asked, asked.token));
    said.textContent = "Copied.";
  };
  return element("section", { class: "card" }, element("h2", {}, "The same by curl"), element("pre", { tabindex: "0" }, commands(asked, PLACEHOLDER)),
    navigator.clipboard ? element("div", { class: "row" }, button("Copy, with the token", copy), said) : null);
}

async function start(asked) {
  last?.leaving.abort();
  const run = new Run(asked);
  running = last = run;
  try {
    await run.go();
  } catch (error) {
    run.refused = true;
    if (run.stopped) {
      run.say("Stopped.", "warn");
      if (run.id && asked.dialect !== "multipart") send({ method: "DELETE", path: `/gateway/uploads/${run.id}`, headers: { ...run.authorization, ...DIALECTS[asked.dialect].ask } }).catch(() => {});
    } else {
      run.say(await whyLost(error), "bad");
    }
  }
  running = null;
  offerUpload();
  run.sayEnd();
}

async function whyLost(error) {
  if (!(error instanceof Lost)) return error.message;
  const there = await send({ path: "/gateway/healthz" }).catch(() => null);
  return there === null ? error.message
    : "There was no answer, although the gateway can be reached: the connection broke, or the file has changed on the disk.";
}

// --- what the reader does ------------------------------------------------------------------------

form.onsubmit = (event) => {
  event.preventDefault();
  if (running) return;
  sessionStorage.setItem("token", token.value.trim());
  if (last?.asked.key === key.value) renew();
  start({
    file: file.files[0], path: path.value, dialect: dialect.value, key: key.value.trim(), token: token.value.trim(),
    pace: Number(pace.value), cut: cut.checked,
  });
};
kind.onchange = choose;
path.onchange = () => { if (path.value !== kind.value) kind.value = ""; tellRoute(); };
file.onchange = dialect.onchange = renew;
key.oninput = () => { key.dataset.own = "yes"; };
document.ondragover = (event) => { event.preventDefault(); form.classList.add("over"); };
document.ondragleave = () => form.classList.remove("over");
document.ondrop = (event) => {
  event.preventDefault();
  form.classList.remove("over");
  if (!event.dataTransfer.files.length) return;
  const one = new DataTransfer();
  one.items.add(event.dataTransfer.files[0]);
  file.files = one.files;
  renew();
};
window.addEventListener("hashchange", takeAddress);
offerUpload();
fillIn();
takeAddress();
