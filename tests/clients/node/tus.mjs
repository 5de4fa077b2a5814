// npm tus-js-client 4.3.1, unmodified: one upload, by tus or by a draft of the IETF's protocol.
//
// It prints how it ended. After the chunk with the byte `--stop-at` it stops, and the next run with
// the same `--storage` goes on; with `--terminate` it has the upload removed instead.
import { createReadStream } from 'node:fs';
import { parseArgs } from 'node:util';

import { FileUrlStorage, Upload } from 'tus-js-client';

const names = ['endpoint', 'access-token', 'file', 'storage', 'protocol', 'chunk-size', 'stop-at'];
const { values: given } = parseArgs({
  options: {
    ...Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
    'with-creation': { type: 'boolean' },
    terminate: { type: 'boolean' },
  },
});
const draft = given.protocol !== 'tus-v1';

function report(result) {
  console.log(JSON.stringify({ url: upload.url, ...result }));
  process.exit();
}

const upload = new Upload(createReadStream(given.file), {
  endpoint: given.endpoint,
  protocol: given.protocol,
  headers: {
    Authorization: `Bearer ${given['access-token']}`,
    // What a draft's creation says of the file stands in its own headers.
    ...(draft && { 'Content-Disposition': 'inline; filename="clip.bin"' }),
  },
  metadata: draft ? {} : { filename: 'clip.bin', filetype: 'application/octet-stream', groupTag: 'cats' },
  chunkSize: Number(given['chunk-size'] ?? Infinity),
  uploadDataDuringCreation: given['with-creation'],
  retryDelays: Array(20).fill(100),
  urlStorage: new FileUrlStorage(given.storage),
  removeFingerprintOnSuccess: true,
  onChunkComplete: (_, accepted) => {
    if (given['stop-at'] === undefined || accepted < Number(given['stop-at'])) return;
    upload.abort(given.terminate).then(() => report({ stopped: true }));
  },
  onError: (error) => {
    report({ error: `${error}`, status: error.originalResponse?.getStatus() });
  },
  onSuccess: ({ lastResponse }) => {
    report({ status: lastResponse?.getStatus(), body: lastResponse?.getBody() });
  },
});

const [previous] = await upload.findPreviousUploads();
if (previous) upload.resumeFromPreviousUpload(previous);
upload.start();
