import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const explainOptions = {
  json: { kind: 'flag', summary: 'one JSON object per line: the connection, then each run of events' },
  pcapng: { kind: 'string', placeholder: 'FILE', summary: 'write what is known as packets, which Wireshark opens' },
  ...clientOptions,
} as const satisfies OptionTable;

export const explain = defineCommand({
  name: 'explain',
  summary: 'Show what has happened on a connection, and why it was closed',
  usage: '[URL] [ID]',
  notes: [
    'ID is that of sluice clients, or of the log. Without one, the connections that have ended lately are listed. What the server records are ' +
      'sizes, times and names of commands; no contents, file names or passwords. The packets of --pcapng are made up from these: their headers ' +
      'are right, what was in them is not there. Needs a user with the role admin.',
  ],
  options: explainOptions,
  examples: [
    { line: 'sluice explain', purpose: 'which connections have ended, and why' },
    { line: 'sluice explain 17', purpose: 'what has happened on one of them' },
    { line: 'sluice explain 17 --pcapng 17.pcapng', purpose: 'the same for Wireshark' },
  ],
  async run(invocation) {
    const { explain } = await import('../operators/explain.js');
    return await explain(invocation);
  },
});
