// What every driver shares: its arguments, its files and its report.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';

const MEDIA_TYPES = { '.png': 'image/png', '.json': 'application/json' };

/** The driver's arguments by name; every one is text. */
export function readArguments() {
  const names = [
    'base-url', 'token-url', 'client-id', 'client-secret', 'channel', 'user',
    'file', 'users', 'group-tag', 'properties', 'calls',
  ];
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
  return parseArgs({ options }).values;
}

/** The file as a browser would hand it over: bytes, name and type. */
export function asFile(path) {
  const type = MEDIA_TYPES[path.slice(path.lastIndexOf('.'))];
  return new File([readFileSync(path)], basename(path), { type });
}

/** Runs the calls named in `--calls` (comma-separated) one after the other, a JSON line each. */
export async function runCalls(calls, chosen) {
  for (const name of chosen.split(',')) {
    console.log(JSON.stringify({ call: name, ...(await outcome(calls[name])) }));
  }
}

async function outcome(call) {
  try {
    const { status, data } = await call();
    return { status, body: data };
  } catch (error) {
    if (!error.response) throw error;
    return { status: error.response.status, body: error.response.data };
  }
}
