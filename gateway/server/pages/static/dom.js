// Makes elements. All text becomes text: names, subjects and problems come from strangers.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined).map(
    (child) => (child instanceof Node ? child : shown(child))));
  return made;
}

export function head(...names) {
  return element("thead", {}, element("tr", {}, names.map((each) => element("th", { scope: "col" }, each))));
}

// Text in which letters that reverse or hide others can be seen.
export function shown(value) {
  return String(value).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export function list(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return element("dl", {}, known.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  const [size, unit] = UNITS.find(([each]) => seconds >= 2 * each) ?? [1, "s"];
  return `${size === 1 ? Math.round(seconds * 10) / 10 : Math.floor(seconds / size)} ${unit}`;
}

export function bytes(count) {
  if (count === null || count === undefined) return "–";
  for (const [size, unit] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (count >= size) return `${(count / size).toFixed(1)} ${unit}`;
  }
  return `${count} B`;
}

export function many(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

// An id of an upload has the time at which it was made (UUIDv7).
export function madeAt(id) {
  return parseInt(id.replaceAll("-", "").slice(0, 12), 16);
}

export function time(milliseconds) {
  const at = new Date(milliseconds);
  if (isNaN(at)) return "–";
  return element("time", { datetime: at.toISOString() }, at.toISOString().replace("T", " ").slice(0, 19), " UTC");
}
