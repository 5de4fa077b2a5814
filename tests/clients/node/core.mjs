// npm @chatkitty/core 2.106.2, unmodified: the end-user SDK, which uploads with a `Grant`.
//
// It starts a session over STOMP before it uploads. A small STOMP server in this process hands
// out the session, the grants and the hypermedia, whose `stream` is the absolute URL of the
// server under test.
import { WebSocket, WebSocketServer } from 'ws';

import { asFile, readArguments, runCalls } from './common.mjs';

globalThis.WebSocket = WebSocket;
const { getSdkClient } = await import('@chatkitty/core');

const given = readArguments();
const RESOURCES = {
  '/application/user.relay': { id: 1, name: 'jane@chatkitty.com', _relays: {}, _topics: {} },
  '/application/user.write_file_access_grant.relay': { grant: 'WRITE-GRANT' },
  '/application/user.read_file_access_grant.relay': { grant: 'READ-GRANT' },
};

function parseFrame(text) {
  const [command, ...lines] = text.split('\n\n', 1)[0].split('\n');
  return [command, Object.fromEntries(lines.map((line) => line.split(/:(.*)/s).slice(0, 2)))];
}

function answer(socket, text) {
  const [command, headers] = parseFrame(text);
  if (command === 'CONNECT') {
    socket.send('CONNECTED\nversion:1.2\nheart-beat:0,0\nsession:s1\n\n\0');
  } else if (command === 'SUBSCRIBE' && headers.destination in RESOURCES) {
    const body = JSON.stringify({ type: 'R', resource: RESOURCES[headers.destination] });
    socket.send(
      `MESSAGE\nsubscription:${headers.id}\nmessage-id:1\n` +
        `destination:${headers.destination}\n\n${body}\0`,
    );
  }
}

const stomp = new WebSocketServer({ host: '127.0.0.1', port: 0 });
await new Promise((resolve) => stomp.once('listening', resolve));
stomp.on('connection', (socket) => socket.on('message', (data) => answer(socket, `${data}`)));

const client = getSdkClient('API-KEY', {
  $environment: { host: `127.0.0.1:${stomp.address().port}`, secure: false },
});
await client.startSession({ username: 'jane@chatkitty.com' });

const channel = {
  _actions: {},
  _streams: { messages: `${given['base-url']}/runtime/channels/${given.channel}/messages` },
};

await runCalls(
  {
    sendMessage: async () => {
      const result = await client.sendMessage({
        channel,
        file: asFile(given.file),
        groupTag: given['group-tag'],
        properties: JSON.parse(given.properties),
      });
      if (result.failed) throw result.error;
      return { status: 200, data: result.message };
    },
  },
  given.calls,
);
process.exit();
