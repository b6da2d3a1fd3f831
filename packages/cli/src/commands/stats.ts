import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const statsOptions = {
  json: { kind: 'flag', summary: 'one JSON object' },
  ...clientOptions,
} as const satisfies OptionTable;

export const stats = defineCommand({
  name: 'stats',
  summary: 'Show what a server has done and holds',
  usage: '[URL]',
  notes: ['URL is sluice://user@host:port/; without one, SLUICE_URL. Needs a user with the role admin.'],
  options: statsOptions,
  examples: [{ line: 'sluice stats --json', purpose: 'for a program' }],
  async run(invocation) {
    const { stats } = await import('../operators/stats.js');
    return await stats(invocation);
  },
});
