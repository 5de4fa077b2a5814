// Command lines for what the page did. File names come from strangers, and a terminal obeys letters that no page shows.
import { DIALECTS } from "./dialects.js";
import { shown } from "./dom.js";

function quoted(text) {
  const safe = shown(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
  if (safe === text) return `'${text.replaceAll("'", "'\\''")}'`;
  return `$'${shown(text.replace(/[\\']/g, "\\$&")).replaceAll("\n", "\\n").replaceAll("\t", "\\t")}'`;
}

// What curl opens: a name alone that begins with a dash would be another thing.
const local = (name) => (name.startsWith("-") ? `./${name}` : name);

const lines = (...words) => words.flat().join(" \\\n  ");

const headers = (all) => Object.entries(all).map(([name, value]) => `--header ${quoted(`${name}: ${value}`)}`);

export function commands({ path, dialect, key, file }, token) {
  const authorization = { Authorization: `Bearer ${token}` };
  const own = { ...authorization, ...(key ? { "Idempotency-Key": key } : {}) };
  const url = (place) => quoted(location.origin + place);
  if (dialect === "multipart") {
    const name = local(file.name).replace(/[\\"]/g, "\\$&");
    const part = `file=@"${name}"${file.type ? `;type=${file.type}` : ""}`;
    return lines(`curl --request POST ${url(path)}`, headers(own), `--form ${quoted(part)}`);
  }
  const { place, begin, more } = DIALECTS[dialect];
  const created = headers({ ...own, ...begin(file), "Content-Length": "0" });
  return `${lines(`place=$(curl --silent --show-error --dump-header - --output /dev/null --request POST ${url(place(path))}`, created)} \\
  | tr -d '\\r' | sed -n 's/^[Ll]ocation: //p')
${lines('curl --globoff --request PATCH "$place"', headers({ ...authorization, ...more(0, true) }), `--upload-file ${quoted(local(file.name))}`)}`;
}
