import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

// Neither logs in nor tries again.
const { 'password-file': _passwordFile, login: _login, retries: _retries, ...connectionOptions } = clientOptions;

export const speedOptions = {
  up: { kind: 'flag', summary: 'measure the way to the server only' },
  down: { kind: 'flag', summary: 'measure the way from the server only' },
  both: { kind: 'flag', summary: 'measure both ways at the same time' },
  streams: {
    kind: 'integer',
    placeholder: 'N',
    min: 1,
    max: 64,
    default: 1,
    summary: 'connections that move bytes; one more measures round trips',
  },
  seconds: {
    kind: 'integer',
    placeholder: 'N',
    min: 1,
    max: 3600,
    default: 5,
    summary: 'how long each way is measured; the server may allow less',
  },
  json: { kind: 'flag', summary: 'one JSON object per line: each second, and each result' },
  ...connectionOptions,
} as const satisfies OptionTable;

export const speed = defineCommand({
  name: 'speed',
  summary: 'Measure how fast bytes and round trips get to a server and back',
  usage: '[URL]',
  notes: [
    'URL is sluice://host:port/; without one, SLUICE_URL. Nobody logs in. Measures one way after the other, download first, unless told ' +
      'otherwise; prints a line for each second, and at the end what moved, how long round trips took without load and with it, how busy ' +
      'both ends were, and what limits the speed, if that can be told.',
  ],
  options: speedOptions,
  examples: [
    { line: 'sluice speed sluice://files.example:9999/', purpose: 'download, then upload, five seconds each' },
    { line: 'sluice speed --both --streams 4 --seconds 20', purpose: 'both at once, on four connections' },
  ],
  async run(invocation) {
    const { speed } = await import('../speed/speed.js');
    return await speed(invocation);
  },
});
