import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const statOptions = {
  json: { kind: 'flag', summary: 'one JSON object per line' },
  ...clientOptions,
} as const satisfies OptionTable;

export const stat = defineCommand({
  name: 'stat',
  summary: 'Show what the server knows of a file',
  usage: 'URL...',
  notes: [
    'URL is sluice://user@host:port/path, or a path below SLUICE_URL. The digest is the content digest that the server has recorded of the ' +
      'file as it is; without one, or with a server of the original system, it is not shown.',
  ],
  options: statOptions,
  examples: [{ line: 'sluice stat backup.tar', purpose: 'a file below SLUICE_URL' }],
  async run(invocation) {
    const { stat } = await import('../directories/stat.js');
    return await stat(invocation);
  },
});
