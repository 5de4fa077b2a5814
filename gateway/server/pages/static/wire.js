// Requests, and the changes of an upload as they come.

export class Lost extends Error {}

// By XMLHttpRequest, since only that says how much of a body has been sent.
export function send({ method = "GET", path, headers = {}, body = null, signal = null, progress = null }) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    for (const [name, value] of Object.entries(headers)) {
      try {
        request.setRequestHeader(name, value);
      } catch {
        throw new Error(`${name} has characters that no header can have.`);
      }
    }
    if (progress) request.upload.onprogress = ({ loaded }) => progress(loaded);
    request.onload = () => done({ status: request.status, text: request.responseText, header: (name) => request.getResponseHeader(name) });
    request.onerror = () => failed(new Lost("The gateway cannot be reached."));
    request.onabort = () => failed(new Lost("The connection was cut."));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
  });
}

export function rest(milliseconds, signal) {
  return new Promise((go) => {
    const timer = setTimeout(go, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); go(); }, { once: true });
  });
}

// Hears server-sent events until their end; returns the status of an answer that is another one.
// EventSource sends no token.
export async function listen(path, headers, signal, hear) {
  const answer = await fetch(path, { headers: { ...headers, Accept: "text/event-stream" }, cache: "no-store", signal });
  if (answer.status !== 200) return answer.status;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return 200;
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      const fields = new Map(event.split("\n").map((line) => [line.split(":", 1)[0], line.slice(line.indexOf(":") + 1).trim()]));
      if (fields.has("data")) hear(fields.get("event"), JSON.parse(fields.get("data")));
    }
  }
}
