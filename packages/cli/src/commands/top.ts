import { defineCommand } from '../command.js';
import { SORT_KEYS } from '../operators/sort-keys.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const topOptions = {
  interval: {
    kind: 'duration',
    placeholder: 'TIME',
    min: 200,
    max: 60_000,
    default: 1000,
    summary: 'how often the server tells what has changed, 200ms to 1m',
  },
  sort: {
    kind: 'choice',
    placeholder: 'COLUMN',
    choices: SORT_KEYS,
    default: 'rate',
    summary: 'what comes first: id, user, protocol, remote, connected, idle, in, out, rate or queued',
  },
  filter: {
    kind: 'string',
    placeholder: 'TEXT',
    summary: 'only connections with this text in id, user, protocol, address or file',
  },
  ...clientOptions,
} as const satisfies OptionTable;

export const top = defineCommand({
  name: 'top',
  summary: 'Watch the connections of a server, and end some',
  usage: '[URL]',
  notes: [
    'URL is sluice://user@host:port/; without one, SLUICE_URL. Fills the terminal until q is pressed; the key ? lists the others. A user ' +
      'with the role admin sees all connections and may end them, others see those of the same user.',
  ],
  options: topOptions,
  examples: [
    { line: 'sluice top', purpose: 'on the server of SLUICE_URL, the busiest first' },
    { line: 'sluice top --sort queued --filter Download', purpose: 'downloads whose clients do not keep up' },
  ],
  async run(invocation) {
    const { top } = await import('../operators/top.js');
    return await top(invocation);
  },
});
