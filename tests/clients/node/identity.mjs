// An identity provider: oauth2-mock-server on one port, and on another what a test does to it.
// Arguments: both ports, and the client that may ask about tokens, as `id:secret`.
import { OAuth2Issuer, OAuth2Service } from "oauth2-mock-server";
import { once } from "node:events";
import { createServer } from "node:http";
import { json, text } from "node:stream/consumers";

const HOST = "127.0.0.1";
const [port, controlPort, client] = process.argv.slice(2);
const basic = `Basic ${Buffer.from(client).toString("base64")}`;
const made = new Map(); // every key that there ever was, by its id
const known = new Map(); // what is said of tokens
let issuer, service, faults, held, release;
let seen = [];

async function publish(kids) {
  issuer = new OAuth2Issuer();
  issuer.url = `http://${HOST}:${port}`;
  for (const kid of kids) await issuer.keys.add(made.get(kid));
  service = new OAuth2Service(issuer);
  service.on("beforeIntrospect", (response, request) => {
    response.body = known.get(request.body.token) ?? { active: false };
  });
}

async function serve(request, response) {
  seen.push(`${request.method} ${request.url}`);
  const fault = faults[request.url];
  if (fault === "hold") await held;
  if (fault?.status) return response.writeHead(fault.status, fault.headers).end(fault.body);
  if (request.url === "/introspect") {
    if (request.headers.authorization !== basic) return response.writeHead(401).end();
    request.body = Object.fromEntries(new URLSearchParams(await text(request)));
  }
  service.requestHandler(request, response);
}

const provider = createServer(serve);
const listen = () => once(provider.listen(port, HOST), "listening");

function heal() {
  faults = {};
  release?.();
  held = new Promise((resolve) => (release = resolve));
}

const acts = {
  heal,
  forget() {
    seen = [];
  },
  async generate({ alg, kid }) {
    made.set(kid, await issuer.keys.generate(alg, { kid }));
  },
  publish: ({ kids }) => publish(kids),
  // Signed by a key that was made, published or not; a claim that is null is left out.
  async sign({ kid, header, claims }) {
    const signer = new OAuth2Issuer();
    signer.url = `http://${HOST}:${port}`;
    await signer.keys.add(made.get(kid));
    const scopesOrTransform = (head, payload) => {
      for (const [members, changes] of [[head, header], [payload, claims]]) {
        Object.assign(members, changes);
        for (const name in changes) if (changes[name] === null) delete members[name];
      }
    };
    return signer.buildToken({ scopesOrTransform });
  },
  tell({ token, answer }) {
    known.set(token, answer);
  },
  fault(changes) {
    Object.assign(faults, changes);
  },
  seen: () => seen,
  async down() {
    const closed = once(provider.close(), "close");
    provider.closeAllConnections();
    await closed;
  },
  async up() {
    if (!provider.listening) await listen();
  },
};

heal();
await publish([]);
createServer(async (request, response) => {
  const done = await acts[request.url.slice(1)](await json(request));
  response.end(JSON.stringify(Array.isArray(done) || typeof done === "string" ? done : null));
}).listen(controlPort, HOST);
await listen();
