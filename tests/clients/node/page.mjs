// What a page of the gateway's origin uploads with: npm @uppy/core 6.3.1 with @uppy/tus 6.0.0, and
// tus-js-client 4.3.1 by itself, unmodified. esbuild makes it one script.
import Uppy from '@uppy/core';
import Tus from '@uppy/tus';
import { Upload } from 'tus-js-client';

const RETRIES = Array(20).fill(100);

/** A file that is the same in each page: all bytes below 251, over and over. */
function file(size) {
  const bytes = new Uint8Array(size).map((_, index) => index % 251);
  return new File([bytes], 'clip.bin', { type: 'application/octet-stream', lastModified: 1 });
}

/** Uploads by Uppy; once `stopAt` bytes are there, it stops for good, as a page that is closed. */
globalThis.byUppy = ({ endpoint, token, size, stopAt = Infinity }) =>
  new Promise((resolve) => {
    const uppy = new Uppy({ meta: { groupTag: 'cats' } }).use(Tus, {
      endpoint,
      chunkSize: 3_000_000,
      retryDelays: RETRIES,
      headers: { Authorization: `Bearer ${token}` },
    });
    uppy.on('upload-progress', (_, { bytesUploaded }) => {
      if (bytesUploaded < stopAt) return;
      uppy.pauseAll();
      resolve({ stopped: true });
    });
    uppy.addFile({ name: 'clip.bin', type: 'application/octet-stream', data: file(size) });
    uppy.upload().then(({ successful: [done], failed: [lost] }) => {
      resolve({ url: done?.uploadURL, error: lost?.error });
    });
  });

/** Uploads by tus-js-client, by that protocol. */
globalThis.byTus = ({ endpoint, token, size, protocol }) =>
  new Promise((resolve) => {
    const draft = protocol !== 'tus-v1';
    const upload = new Upload(file(size), {
      endpoint,
      protocol,
      metadata: draft ? {} : { filename: 'clip.bin', groupTag: 'cats' },
      headers: {
        Authorization: `Bearer ${token}`,
        ...(draft && { 'Content-Disposition': 'inline; filename="clip.bin"' }),
      },
      retryDelays: RETRIES,
      onError: (error) => resolve({ error: `${error}` }),
      onSuccess: () => resolve({ url: upload.url }),
    });
    upload.start();
  });
