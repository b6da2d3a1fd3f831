import type { OptionTable } from '../options/option-table.js';

const DAY_MS = 86_400_000;

/** What every command takes that talks to a server. */
export const clientOptions = {
  'password-file': {
    kind: 'string',
    placeholder: 'FILE',
    summary: 'file whose first line is the password; before SLUICE_PASSWORD, after one in the URL',
  },
  retries: {
    kind: 'integer',
    placeholder: 'N',
    min: 0,
    max: 1_000_000,
    default: 5,
    summary: 'further attempts after a broken link, each after a longer pause',
  },
  'connect-timeout': {
    kind: 'duration',
    placeholder: 'TIME',
    min: 1,
    max: DAY_MS,
    default: 10_000,
    summary: 'how long connecting may take',
  },
  timeout: {
    kind: 'duration',
    placeholder: 'TIME',
    min: 1,
    max: DAY_MS,
    default: 60_000,
    summary: 'how long the server may be silent when it owes an answer',
  },
  login: {
    kind: 'string',
    placeholder: 'HOW',
    summary:
      'auto: by SCRAM, and at servers without it by the MD5 digest of the password, but only over TLS and on this machine; scram: never ' +
      'by digest; any: by digest also elsewhere; digest: by digest at once. Else SLUICE_LOGIN, else auto',
  },
  'tls-ca': {
    kind: 'string',
    placeholder: 'FILE',
    summary:
      'sluices://: trust servers that an authority in this PEM file has signed, and no others; else SLUICE_TLS_CA',
  },
  'tls-fingerprint': {
    kind: 'string',
    placeholder: 'SHA256',
    summary:
      'sluices://: trust the server that shows the certificate with this SHA-256, and no other; else SLUICE_TLS_FINGERPRINT',
  },
  'tls-cert': {
    kind: 'string',
    placeholder: 'FILE',
    summary: 'sluices://: certificate to show to a server that asks for one, PEM',
  },
  'tls-key': { kind: 'string', placeholder: 'FILE', summary: 'its private key, PEM' },
} as const satisfies OptionTable;

/** What `put` and `get` have in common. */
export const transferOptions = {
  recursive: { kind: 'flag', short: 'r', summary: 'whole directories, empty ones too' },
  parallel: {
    kind: 'integer',
    short: 'p',
    placeholder: 'N',
    min: 1,
    max: 64,
    default: 4,
    summary: 'transfers at once',
  },
  resume: {
    kind: 'choice',
    placeholder: 'HOW',
    choices: ['verified', 'trust-length', 'never'],
    default: 'verified',
    summary:
      'what becomes of the part that an earlier run has moved: verified, compared and kept where it matches; trust-length, kept ' +
      'because of its length; never, moved again',
  },
  json: { kind: 'flag', summary: 'one JSON object per line on standard output' },
  quiet: { kind: 'flag', short: 'q', summary: 'nothing but errors' },
  ...clientOptions,
} as const satisfies OptionTable;
