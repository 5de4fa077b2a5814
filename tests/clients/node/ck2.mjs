// npm chatkitty 2.106.8 (axios 1), unmodified: native FormData, and npm's form-data.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

import NpmFormData from 'form-data';
import chatkittyModule from 'chatkitty';

import { asFile, readArguments, runCalls } from './common.mjs';

const given = readArguments();
const chatkitty = new chatkittyModule.ChatKitty({
  clientId: given['client-id'],
  clientSecret: given['client-secret'],
  basePath: given['base-url'],
  authorizationBasePath: given['token-url'],
});
const fields = { group_tag: given['group-tag'], properties: given.properties };
const asForm = { headers: { 'Content-Type': 'multipart/form-data' } };

function nativeForm(extra) {
  const form = new FormData();
  form.append('file', asFile(given.file));
  for (const [name, value] of Object.entries(extra)) form.append(name, value);
  return form;
}

// A buffer has a known length, so that axios sends Content-Length; a stream would go out chunked.
function npmForm(extra) {
  const form = new NpmFormData();
  form.append('file', readFileSync(given.file), basename(given.file));
  for (const [name, value] of Object.entries(extra)) form.append(name, value);
  return form;
}

await runCalls(
  {
    sendChannelMessage: () =>
      chatkitty.ChannelsApi.sendChannelMessage(Number(given.channel), nativeForm(fields), asForm),
    'sendChannelMessage.form-data': () => {
      const form = npmForm(fields);
      return chatkitty.ChannelsApi.sendChannelMessage(Number(given.channel), form, {
        headers: { 'Content-Type': form.getHeaders()['content-type'] },
      });
    },
    updateUserDisplayPicture: () =>
      chatkitty.UsersApi.updateUserDisplayPicture(Number(given.user), nativeForm({}), asForm),
    importUsers: () => chatkitty.ImportsApi.importUsers(asFile(given.users)),
  },
  given.calls,
);
