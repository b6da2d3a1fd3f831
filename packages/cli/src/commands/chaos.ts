import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';

/** An option that may be given again, each time for another direction or share of the connections. */
function fault<const Summary extends string>(placeholder: string, summary: Summary) {
  return { kind: 'string', placeholder, repeatable: true, summary: `proxy: ${summary}` } as const;
}

export const proxyOptions = {
  listen: {
    kind: 'address',
    placeholder: 'HOST:PORT',
    default: '127.0.0.1:0',
    summary: 'proxy: address to listen on; port 0 for a free one',
  },
  slice: fault('FAULT', 'deliver in pieces of BYTES, or BYTES/GAP with a pause between them'),
  delay: fault('FAULT', 'deliver TIME later, or TIME~JITTER for give or take'),
  throttle: fault('FAULT', 'deliver BYTES a second at most'),
  stall: fault('FAULT', 'BYTES/TIME: after so many bytes deliver nothing for so long, once'),
  freeze: fault('FAULT', 'after so many bytes deliver nothing any more, and close nothing'),
  reset: fault('FAULT', 'after so many bytes reset the connection at both ends'),
  'half-close': fault('FAULT', 'after so many bytes close this direction only, and drop what still comes'),
  flip: fault('FAULT', 'after so many bytes flip one bit'),
  reorder: {
    kind: 'integer',
    placeholder: 'N',
    min: 2,
    max: 1000,
    summary: 'proxy: hold connections until there are N, and let them through in another order',
  },
  'reorder-wait': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 1,
    max: 600_000,
    default: 1000,
    summary: 'proxy: how long the first of them is held at most',
  },
  seed: {
    kind: 'integer',
    placeholder: 'N',
    min: 0,
    max: 2 ** 31 - 1,
    summary: 'proxy: of all that is left to chance; else a random one, which is printed',
  },
} as const satisfies OptionTable;

export const chaosOptions = {
  ...proxyOptions,
  json: { kind: 'flag', summary: 'one JSON object per line' },
} as const satisfies OptionTable;

export const chaos = defineCommand({
  name: 'chaos',
  summary: 'Try what a bad network does to a TCP server',
  usage: 'proxy HOST:PORT',
  notes: [
    'proxy stands between clients and any TCP server and does to their connections what its faults say, until Ctrl-C: a line for each fault ' +
      'that was played, and a summary. A fault is for both directions, or only for one with up: (to the server) or down: in front, and for a share of ' +
      'the connections with @PERCENT% behind, as in --reset down:1MiB@10%. In place of a number of bytes a range, as in --reset 0-1MiB, has one ' +
      'chosen for each connection.',
  ],
  options: chaosOptions,
  examples: [
    {
      line: 'sluice chaos proxy --listen 127.0.0.1:7000 --delay 50ms~20ms --reset 0-4MiB@20% 127.0.0.1:9999',
      purpose: 'a slow network, on which every fifth connection is lost somewhere in its first 4 MiB',
    },
  ],
  async run(invocation) {
    const { chaos } = await import('../chaos/chaos.js');
    return await chaos(invocation);
  },
});
