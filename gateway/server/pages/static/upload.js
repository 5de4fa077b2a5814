// What pages show of an upload, as its resource has it.
import { bytes, duration, element, list, time } from "./dom.js";

export function badge(state) {
  const kind = { failed: "bad", dead: "bad", unreadable: "bad", rejected: "bad", flagged: "warn", registered: "good", audited: "good" };
  return element("span", { class: kind[state] ?? "" }, state);
}

export function timeline(upload) {
  const history = upload.history ?? [];
  return element("section", { class: "card" }, element("h2", {}, "Timeline"), element("ol", { class: "time" }, history.map((change, place) => {
    const next = history[place + 1];
    const took = next ? `for ${duration((new Date(next.at) - new Date(change.at)) / 1000)}` : "until now, or its end";
    return element("li", {}, badge(change.state), " ", time(Date.parse(change.at)), element("span", { class: "soft" }, ` ${took}`));
  })));
}

export function fileCard(file) {
  return element("section", { class: "card" }, element("h2", {}, "File"), list([
    ["name", file.name], ["size", `${bytes(file.size)} (${file.size.toLocaleString("en")} bytes)`],
    ["declared type", file.declaredContentType ?? "none"], ["found type", file.contentType ?? "not looked at yet"],
    ["compared", file.contentType && file.declaredContentType ? file.contentType === file.declaredContentType
      ? element("span", { class: "good" }, "✓ the same") : element("span", { class: "warn" }, "≠ another type than was declared") : null],
    ...Object.entries(file.digests ?? {}),
  ]));
}

export function problemCard(problem) {
  return problem ? element("section", { class: "card" }, element("h2", {}, "Problem"),
    list([["type", element("span", { class: "bad" }, problem.type)], ["detail", problem.detail]])) : null;
}
