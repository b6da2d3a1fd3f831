import { defineCommand } from '../command.js';
import type { OptionTable } from '../options/option-table.js';

export const tlsCommandOptions = {
  host: {
    kind: 'string',
    placeholder: 'NAME',
    repeatable: true,
    summary: 'name or address of the server; else localhost, its addresses, and the name of this machine',
  },
  days: {
    kind: 'integer',
    placeholder: 'N',
    min: 1,
    max: 36_500,
    default: 365,
    summary: 'how long the certificate is valid',
  },
  out: {
    kind: 'string',
    placeholder: 'DIR',
    default: '.',
    summary: 'directory for server.crt and server.key; made if it is missing',
  },
  force: { kind: 'flag', short: 'f', summary: 'replace a certificate and a key that are there' },
} as const satisfies OptionTable;

export const tls = defineCommand({
  name: 'tls',
  summary: 'Make a certificate to try TLS with',
  usage: 'self-signed',
  notes: [
    'Writes server.crt and server.key, readable for you only, and prints the fingerprint by which clients know the server. A certificate ' +
      'that an authority has signed needs no fingerprint: use one where many clients connect.',
  ],
  options: tlsCommandOptions,
  examples: [
    { line: 'sluice tls self-signed', purpose: 'a certificate for this machine, valid for a year' },
    {
      line: 'sluice tls self-signed --host files.example.org --out /etc/sluice',
      purpose: 'for a server of that name',
    },
  ],
  async run(invocation) {
    const { selfSigned } = await import('../tls/self-signed.js');
    return await selfSigned(invocation);
  },
});
