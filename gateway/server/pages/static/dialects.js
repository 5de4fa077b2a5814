// How an upload begins, goes on and ends in several requests.

const VERSION = { "Upload-Draft-Interop-Version": "8" };
const TUS = { "Tus-Resumable": "1.0.0" };

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

// Text as header parameters have it (RFC 8187).
const escaped = (text) => encodeURIComponent(text).replace(/['()*!]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`);

export const DIALECTS = {
  tus: {
    place: (path) => `/gateway/tus${path}`,
    begin: ({ name, type, size }) => ({
      ...TUS, "Upload-Length": String(size),
      "Upload-Metadata": `filename ${base64(name)}${type ? `,filetype ${base64(type)}` : ""}`,
    }),
    ask: TUS,
    more: (offset) => ({ ...TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) }),
    isComplete: (answer, size) => Number(answer.header("Upload-Offset")) === size,
  },
  draft: {
    place: (path) => `/gateway/raw${path}`,
    begin: ({ name, type, size }) => ({
      ...VERSION, "Upload-Complete": "?0", "Upload-Length": String(size), "Content-Type": type || "application/octet-stream",
      "Content-Disposition": `inline; filename*=UTF-8''${escaped(name)}`,
    }),
    ask: VERSION,
    more: (offset, last) => ({
      ...VERSION, "Content-Type": "application/partial-upload", "Upload-Offset": String(offset), "Upload-Complete": last ? "?1" : "?0",
    }),
    isComplete: (answer) => answer.header("Upload-Complete") === "?1",
  },
};
