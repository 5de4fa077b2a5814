// npm sockjs and sockjs-client, unmodified: `serve PORT` echoes what comes below /rtm; `echo URL
// TRANSPORT...` sends messages by each transport, and writes what came back as a JSON object.
import { once } from 'node:events';
import { createServer } from 'node:http';

const [command, ...given] = process.argv.slice(2);
const MESSAGES = ['first', 'second', 'ünïcode 🐈', 'x'.repeat(20_000)];

async function serve(port) {
  const { default: sockjs } = await import('sockjs');
  const echo = sockjs.createServer({ log: () => {} });
  echo.on('connection', (connection) => connection.on('data', (text) => connection.write(text)));
  const server = createServer();
  echo.installHandlers(server, { prefix: '/rtm' });
  server.listen(Number(port), '127.0.0.1');
  await once(server, 'listening');
  console.log('ready');
}

/** Sends each message once the one before has come back, all by one connection. */
function echo(url, transport, SockJS) {
  return new Promise((done) => {
    const socket = new SockJS(url, null, { transports: transport });
    const received = [];
    let by;
    socket.onopen = () => {
      by = socket.transport;
      socket.send(MESSAGES[0]);
    };
    socket.onmessage = ({ data }) => {
      received.push(data);
      if (received.length === MESSAGES.length) socket.close();
      else socket.send(MESSAGES[received.length]);
    };
    socket.onclose = ({ code }) =>
      done([transport, { by, code, echoed: received.every((each, n) => each === MESSAGES[n]) && received.length }]);
  });
}

if (command === 'serve') {
  await serve(...given);
} else {
  const { default: SockJS } = await import('sockjs-client');
  const [url, ...transports] = given;
  const told = await Promise.all(transports.map((each) => echo(url, each, SockJS)));
  console.log(JSON.stringify(Object.fromEntries(told)));
  process.exit();
}
