// npm chatkitty-platform-sdk 2.4.0 (axios 0.26), unmodified, in the ways that work on Node.
import { createReadStream } from 'node:fs';

import FormData from 'form-data';

import { readArguments, runCalls } from './common.mjs';

// The SDK makes its import form with the global FormData. Its axios knows no native one, so that
// Node users put npm's in its place; the request then names no boundary.
globalThis.FormData = FormData;
const { ChatKitty } = (await import('chatkitty-platform-sdk')).default;

const given = readArguments();
const chatkitty = new ChatKitty({
  clientId: given['client-id'],
  clientSecret: given['client-secret'],
  basePath: given['base-url'],
  authorizationBasePath: given['token-url'],
});

// The typed methods take JSON; given a form and its Content-Type they send a form.
function formOf(fields) {
  const form = new FormData();
  form.append('file', createReadStream(given.file));
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return [form, { headers: { 'Content-Type': form.getHeaders()['content-type'] } }];
}

await runCalls(
  {
    importUsers: () => chatkitty.Imports.importUsers(createReadStream(given.users)),
    sendChannelMessage: () =>
      chatkitty.Channels.sendChannelMessage(
        Number(given.channel),
        ...formOf({ groupTag: given['group-tag'], properties: given.properties }),
      ),
    updateUserDisplayPicture: () =>
      chatkitty.Users.updateUserDisplayPicture(Number(given.user), ...formOf({})),
  },
  given.calls,
);
