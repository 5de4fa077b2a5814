// npm @chatkitty/core 2.106.2, unmodified, against one host for its WebSocket and its uploads.
//
// It reads commands from its standard input, a JSON object a line, and writes what comes of them,
// and what happens in between, in the same way.
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

import { asFile } from './common.mjs';

const AGAIN = 100; // milliseconds between the SDK's attempts to connect again; its default is five seconds

const tell = (event) => console.log(JSON.stringify(event));
const given = Object.fromEntries(process.argv.slice(2).map((each) => each.slice(2).split(/=(.*)/s)));

// What a browser would send with the handshake.
globalThis.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { origin: 'https://app.example.com' });
  }
};
const { getSdkClient } = await import('@chatkitty/core');

const url = new URL(given['base-url']);
const client = getSdkClient('API-KEY', {
  $environment: { host: url.host, secure: url.protocol === 'https:' },
});
client.stompX.rxStompConfig.reconnectDelay = AGAIN;
let channel;

const DO = {
  start: async ({ username }) => {
    const { succeeded, session, error } = await client.startSession({ username });
    client.onCurrentUserOffline(() => tell({ event: 'offline' }));
    client.onCurrentUserOnline(() => tell({ event: 'online' }));
    return succeeded ? { user: session.user } : { error };
  },
  channels: async () => {
    const { paginator } = await client.listChannels();
    return { channels: paginator.items };
  },
  open: async ({ id }) => {
    ({ channel } = await client.retrieveChannel(id));
    await new Promise((opened) => {
      const { subscribeToTopic } = client.stompX;
      // The SDK does not say when it has subscribed to a channel's messages.
      client.stompX.subscribeToTopic = function (request) {
        if (request.topic !== channel._topics.messages) return subscribeToTopic.call(this, request);
        client.stompX.subscribeToTopic = subscribeToTopic;
        return subscribeToTopic.call(this, { ...request, onSuccess: opened });
      };
      client.startChatSession({
        channel,
        onMessageReceived: (message) => tell({ event: 'message', message }),
      });
    });
    return { channel };
  },
  join: async ({ id }) => {
    ({ channel } = await client.retrieveChannel(id));
    const { succeeded, error, channel: joined } = await client.joinChannel({ channel });
    return succeeded ? { channel: joined } : { error };
  },
  // Connected for certain: what was sent by a connection that has ended gets no answer.
  ready: async () => {
    for (;;) {
      const late = new Promise((done) => setTimeout(done, 1000));
      if ((await Promise.race([client.retrieveCurrentUser(), late]))?.succeeded) return {};
    }
  },
  say: async ({ body }) => {
    const { message, error } = await client.sendMessage({ channel, body });
    return { message, error };
  },
  upload: async ({ path }) => {
    const progress = [];
    const result = await client.sendMessage({
      channel,
      file: asFile(path),
      groupTag: 'g1',
      properties: { k: 1 },
      progressListener: {
        onStarted: () => progress.push('started'),
        onProgress: (share) => progress.push(share),
        onCompleted: (how) => progress.push({ completed: how }),
      },
    });
    if (result.failed) return { status: result.error.response?.status ?? 0, progress };
    return { message: result.message, progress };
  },
  picture: async ({ path }) => {
    const file = asFile(path);
    const bytes = Buffer.from(await file.arrayBuffer()).toString('base64');
    const uri = `data:${file.type};base64,${bytes}`;
    const { succeeded, user } = await client.updateCurrentUserDisplayPicture({
      file: { uri, name: file.name },
    });
    return succeeded ? { user } : {};
  },
  end: async () => {
    await client.endSession();
    setImmediate(() => process.exit());
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { call, ...parameters } = JSON.parse(line);
  tell({ call, ...(await DO[call](parameters)) });
}
process.exit();
