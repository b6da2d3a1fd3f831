import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const partialsOptions = {
  drop: { kind: 'string', placeholder: 'ID', summary: 'remove what is staged of this upload, instead of listing' },
  json: { kind: 'flag', summary: 'one JSON object per line' },
  ...clientOptions,
} as const satisfies OptionTable;

export const partials = defineCommand({
  name: 'partials',
  summary: 'Show uploads that are not complete',
  usage: '[URL]',
  notes: [
    'URL is sluice://user@host:port/; without one, SLUICE_URL. A user with the role admin sees those of all users, others their own. The same ' +
      'sluice put goes on with one; the server removes those that nobody has gone on with for long. One that is held has somebody at work.',
  ],
  options: partialsOptions,
  examples: [
    { line: 'sluice partials', purpose: 'on the server of SLUICE_URL' },
    { line: 'sluice partials --drop 0f1e2d3c4b5a69788796a5b4c3d2e1f0', purpose: 'give its space back' },
  ],
  async run(invocation) {
    const { partials } = await import('../operators/partials.js');
    return await partials(invocation);
  },
});
