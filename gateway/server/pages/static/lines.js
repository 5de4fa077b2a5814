import { duration, element } from "./dom.js";

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 48;

function path(points, most) {
  let text = "";
  let pen = "M";
  points.forEach((point, place) => {
    if (point === null) {
      pen = "M";
    } else {
      const x = ((place + 0.5) / points.length) * WIDTH;
      const y = HEIGHT - 2 - (point / most) * (HEIGHT - 4);
      text += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      // A point without neighbours is a dash.
      text += pen === "M" ? "h1" : "";
      pen = "L";
    }
  });
  return text;
}

function last(points) {
  return points.findLast((point) => point !== null) ?? null;
}

// One small picture: a line, or two of which the second is dashed.
export function line(title, lines, write) {
  const known = Object.values(lines).flat().filter((point) => point !== null);
  const words = Object.entries(lines).map(
    ([name, points]) => `${name ? `${name} ` : ""}${last(points) === null ? "–" : write(last(points))}`).join(", ");
  const most = Math.max(...known, 0);
  const picture = document.createElementNS(SPACE, "svg");
  picture.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", known.length
    ? `${title}, the last hour: now ${words}, at most ${write(most)}` : `${title}: nothing is known yet`);
  Object.values(lines).forEach((points, place) => {
    const drawn = document.createElementNS(SPACE, "path");
    drawn.setAttribute("d", path(points, most || 1));
    if (place) drawn.setAttribute("class", "second");
    picture.append(drawn);
  });
  return element("div", {}, element("p", { class: "row" }, element("span", {}, title), element("span", { class: "soft" },
    known.length ? `now ${words} · most ${write(most)}` : "nothing yet")), picture);
}

export const perMinute = (rate) => `${(rate * 60).toLocaleString("en", { maximumFractionDigits: 1 })}/min`;
export const seconds = (value) => `≤ ${duration(value)}`;
