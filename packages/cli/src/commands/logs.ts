import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const logsOptions = {
  follow: { kind: 'flag', short: 'f', summary: 'go on with the lines that come, also when the server starts again' },
  lines: {
    kind: 'integer',
    short: 'n',
    placeholder: 'N',
    min: 0,
    max: 1_000_000,
    default: 100,
    summary: 'begin so many lines back',
  },
  since: {
    kind: 'string',
    placeholder: 'TIME',
    summary: 'begin at a time, like 2026-01-31T12:00:00Z, or so long ago, like 10m; in place of --lines',
  },
  level: {
    kind: 'choice',
    placeholder: 'LEVEL',
    choices: ['error', 'warn', 'info', 'debug'],
    default: 'debug',
    summary: 'the least important lines that are shown: error, warn, info or debug',
  },
  field: {
    kind: 'string',
    placeholder: 'KEY=VALUE',
    repeatable: true,
    summary: 'only lines with this field, like connection=17 or user=ada',
  },
  grep: {
    kind: 'string',
    placeholder: 'PATTERN',
    summary: 'only lines that match this regular expression, as they are shown',
  },
  json: { kind: 'flag', summary: 'lines as JSON objects, as the server has them' },
  output: {
    kind: 'string',
    short: 'o',
    placeholder: 'FILE',
    summary: 'append JSON lines to a file, and go on behind its last line: each line of the log is there once',
  },
  ...clientOptions,
} as const satisfies OptionTable;

export const logs = defineCommand({
  name: 'logs',
  summary: 'Show the log of a server',
  usage: '[URL]',
  notes: [
    'URL is sluice://user@host:port/; without one, SLUICE_URL. Needs a user with the role admin. Lines that are not kept any more are told by ' +
      'their number. With --output, the command may be killed at any time: started again with the same file, it goes on behind the last line ' +
      'there. Of an original server, lines are shown as its LogOutput protocol sends them, from now on.',
  ],
  options: logsOptions,
  examples: [
    { line: 'sluice logs -f', purpose: 'the last 100 lines, and those that come' },
    { line: 'sluice logs --since 1h --level warn', purpose: 'what went wrong in the last hour' },
    { line: 'sluice logs -f --output audit.jsonl --grep audit', purpose: 'a copy of all audit lines' },
  ],
  async run(invocation) {
    const { logs } = await import('../operators/logs.js');
    return await logs(invocation);
  },
});
