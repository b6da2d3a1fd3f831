import { defineCommand } from '../command.js';
import { SORT_KEYS } from '../operators/sort-keys.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const clientsOptions = {
  sort: {
    kind: 'choice',
    placeholder: 'COLUMN',
    choices: SORT_KEYS,
    default: 'id',
    summary: 'what comes first: id, user, protocol, remote, connected, idle, in, out, rate or queued',
  },
  user: { kind: 'string', placeholder: 'NAME', summary: 'only connections of this user' },
  protocol: { kind: 'string', placeholder: 'NAME', summary: 'only connections of this protocol, like Upload' },
  json: { kind: 'flag', summary: 'one JSON object per line' },
  ...clientOptions,
} as const satisfies OptionTable;

export const clients = defineCommand({
  name: 'clients',
  summary: 'Show who is connected to a server',
  usage: '[URL]',
  notes: [
    'URL is sluice://user@host:port/; without one, SLUICE_URL. A user with the role admin sees all connections, others those of the same ' +
      'user. On a narrow terminal, columns are left out; into a pipe, all are written.',
  ],
  options: clientsOptions,
  examples: [
    { line: 'sluice clients', purpose: 'on the server of SLUICE_URL' },
    { line: 'sluice clients --sort rate --protocol Upload', purpose: 'the busiest uploads first' },
  ],
  async run(invocation) {
    const { clients } = await import('../operators/clients.js');
    return await clients(invocation);
  },
});
