import type { OptionTable } from '../options/option-table.js';

/** Options of serve about single protocols. */
export const protocolOptions = {
  open: {
    kind: 'choices',
    placeholder: 'PROTOCOL',
    choices: ['remote-stream', 'log-output'],
    summary: 'a protocol that anybody may use: remote-stream, without a login; log-output, also from other machines',
  },
  'keep-files': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 0,
    max: 86_400_000,
    default: 60_000,
    summary:
      'how long a remote file may stay open when its connection breaks, if the client asks for it; 0 for not at all',
  },
} as const satisfies OptionTable;
