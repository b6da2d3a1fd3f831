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

export const attackOptions = {
  suite: {
    kind: 'string',
    placeholder: 'NAMES',
    default: 'all',
    summary:
      'attack: some of slowloris, slow-read, huge-prefix, storm, half-open, rst-storm, descriptors and silent-tls, joined by commas; or all, one after ' +
      'the other',
  },
  connections: {
    kind: 'integer',
    placeholder: 'N',
    min: 1,
    max: 1_000_000,
    default: 500,
    summary: 'attack: connections of the attackers at once; lowered to what the limit on open files allows',
  },
  seconds: {
    kind: 'integer',
    placeholder: 'N',
    min: 1,
    max: 600,
    default: 10,
    summary: 'attack: how long each attack goes on',
  },
  sources: {
    kind: 'integer',
    placeholder: 'N',
    min: 1,
    max: 250,
    default: 16,
    summary: 'attack: addresses, from 127.0.0.2 on, that attackers on this machine come from in turn',
  },
  probe: {
    kind: 'choice',
    placeholder: 'WHAT',
    choices: ['connect', 'exchange', 'sluice-ping', 'http'],
    default: 'connect',
    summary:
      'attack: what the well-behaved client does, and attackers speak: connect; exchange, send --send-hex and get an answer; sluice-ping; or http, GET /',
  },
  'send-hex': { kind: 'string', placeholder: 'BYTES', summary: 'attack: what a client sends, for a protocol of yours' },
  'expect-hex': { kind: 'string', placeholder: 'BYTES', summary: 'attack: what its answer begins with; else any byte' },
  'probe-interval': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 1,
    max: 60_000,
    default: 50,
    summary: 'attack: time from one probe to the next',
  },
  'probe-timeout': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 1,
    max: 60_000,
    default: 2000,
    summary: 'attack: a probe without an answer has failed after this time',
  },
  baseline: {
    kind: 'duration',
    placeholder: 'TIME',
    min: 1,
    max: 60_000,
    default: 2000,
    summary: 'attack: how long probes are made before the first attack, and after each',
  },
  'min-success': {
    kind: 'integer',
    placeholder: 'PERCENT',
    min: 0,
    max: 100,
    default: 99,
    summary: 'attack: to pass, so many of the probes during it must be answered',
  },
  'max-p99': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 1,
    max: 60_000,
    summary: 'attack: to pass, 99 of 100 answers must come within this time; else --max-slowdown decides',
  },
  'max-slowdown': {
    kind: 'integer',
    placeholder: 'N',
    min: 1,
    max: 1_000_000,
    default: 10,
    summary: 'attack: to pass, 99 of 100 answers must come within N times what they take before, or 1s if that is more',
  },
  'recover-within': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 1,
    max: 600_000,
    default: 5000,
    summary: 'attack: to pass, a probe must be answered within this time when it is over',
  },
  'must-end': {
    kind: 'integer',
    placeholder: 'PERCENT',
    min: 0,
    max: 100,
    summary: "attack: to pass, so many of the attackers' connections must be gone when it is over",
  },
  pid: {
    kind: 'integer',
    placeholder: 'PID',
    min: 1,
    max: 2 ** 31 - 1,
    summary: 'attack: the process of the server: tells its memory, descriptors and CPU, and it must survive',
  },
  'max-growth': {
    kind: 'bytes',
    placeholder: 'SIZE',
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    summary: 'attack: to pass, its memory may grow by so much, with --pid',
  },
  'i-own-this-target': { kind: 'flag', summary: 'attack: also a target that is not on this machine' },
} as const satisfies OptionTable;

export const chaosOptions = {
  ...proxyOptions,
  ...attackOptions,
  json: { kind: 'flag', summary: 'one JSON object per line' },
} as const satisfies OptionTable;

export const chaos = defineCommand({
  name: 'chaos',
  summary: 'Try what a bad network, or an attacker, does to a TCP server',
  usage: 'proxy HOST:PORT | attack HOST:PORT',
  notes: [
    'proxy stands between clients and any TCP server and does to their connections what its faults say, until Ctrl-C: a line for each fault ' +
      'that was played, and a summary. A fault is for both directions, or only for one with up: (to the server) or down: in front, and for a share of ' +
      'the connections with @PERCENT% behind, as in --reset down:1MiB@10%. In place of a number of bytes a range, as in --reset 0-1MiB, has one ' +
      'chosen for each connection.',
    'attack plays attacks against a server on this machine, and measures what a well-behaved client sees of it before, meanwhile and after. ' +
      'Exit code 0 if the server has passed all of them, else 1.',
  ],
  options: chaosOptions,
  examples: [
    {
      line: 'sluice chaos proxy --listen 127.0.0.1:7000 --delay 50ms~20ms --reset 0-4MiB@20% 127.0.0.1:9999',
      purpose: 'a slow network, on which every fifth connection is lost somewhere in its first 4 MiB',
    },
    {
      line: 'sluice chaos attack 127.0.0.1:8080 --probe http --suite slowloris,storm --pid 4711',
      purpose: 'whether a web server goes on serving, and what it takes meanwhile',
    },
  ],
  async run(invocation) {
    const { chaos } = await import('../chaos/chaos.js');
    return await chaos(invocation);
  },
});
