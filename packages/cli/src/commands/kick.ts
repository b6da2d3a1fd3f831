import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';
import { clientOptions } from './client-options.js';

export const kickOptions = {
  id: {
    kind: 'integer',
    placeholder: 'N',
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    summary: 'the connection with this id, as sluice clients shows it',
  },
  user: { kind: 'string', placeholder: 'NAME', summary: 'connections of this user' },
  address: {
    kind: 'string',
    placeholder: 'ADDRESS',
    summary: 'connections from this address, or network like 10.0.0.0/8',
  },
  idle: {
    kind: 'duration',
    placeholder: 'TIME',
    min: 0,
    max: 31_536_000_000,
    summary: 'connections on which nothing has moved for so long',
  },
  'dry-run': { kind: 'flag', summary: 'only say how many there are' },
  ...clientOptions,
} as const satisfies OptionTable;

export const kick = defineCommand({
  name: 'kick',
  summary: 'End connections of a server',
  usage: '[URL] --id N | --user NAME | --address ADDRESS | --idle TIME',
  notes: [
    'Of several conditions, all must hold. The connection of the command itself is spared. What is ended may come back: to keep a user out, ' +
      'remove it with sluice user rm. Needs a user with the role admin.',
  ],
  options: kickOptions,
  examples: [
    { line: 'sluice kick --id 17', purpose: 'one connection' },
    { line: 'sluice kick --user ada --idle 10m', purpose: 'what ada has left open' },
  ],
  async run(invocation) {
    const { kick } = await import('../operators/kick.js');
    return await kick(invocation);
  },
});
