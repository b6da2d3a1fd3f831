import { readFile } from 'node:fs/promises';
import { CommandError, usageError } from '../command-error.js';
import { ExitCode } from '../exit-code.js';
import type { OptionTable, OptionValues } from '../options/option-table.js';

type ServerPackage = typeof import('@sluice/server');
type Hooks = Pick<import('@sluice/server').SluiceServerOptions, 'hooks' | 'webhooks'>;

/** Who is told of uploads. */
export const hookOptions = {
  hook: {
    kind: 'string',
    placeholder: 'PROGRAM',
    repeatable: true,
    summary: 'a program that is told of uploads: the event is its argument, and as JSON its standard input',
  },
  webhook: {
    kind: 'string',
    placeholder: 'URL',
    repeatable: true,
    summary: 'an address that is told of uploads by POST, signed, until it answers 2xx',
  },
  'webhook-secret': {
    kind: 'string',
    placeholder: 'FILE',
    summary: 'file with the secret that requests to webhooks are signed with, 16 bytes at least',
  },
  'hook-event': {
    kind: 'choices',
    placeholder: 'EVENT',
    choices: ['before-upload', 'after-commit', 'upload-failed'],
    summary:
      'what they are told: before-upload, which may refuse it; after-commit; upload-failed. Without it the last two',
  },
} as const satisfies OptionTable;

const MIN_SECRET_BYTES = 16;

/** @throws {CommandError} exit code 2 for options that do not fit together, 1 for a secret that cannot be read */
export async function hooksOf(
  { programHook }: ServerPackage,
  options: Pick<OptionValues<typeof hookOptions>, keyof typeof hookOptions>,
): Promise<Hooks> {
  const events = options['hook-event'];
  const kinds = new Set(events.length > 0 ? events : (['after-commit', 'upload-failed'] as const));
  for (const url of options.webhook) {
    if (!/^https?:$/.test(protocolOf(url)))
      throw usageError(`--webhook needs an address that begins with http:// or https://, not ${url}`);
  }
  const secretFile = options['webhook-secret'];
  if (options.webhook.length > 0 && secretFile === undefined) throw usageError('--webhook needs --webhook-secret');
  if (options.webhook.length === 0 && secretFile !== undefined) throw usageError('--webhook-secret needs --webhook');
  if (events.length > 0 && options.hook.length + options.webhook.length === 0)
    throw usageError('--hook-event needs --hook or --webhook');
  const secret = secretFile === undefined ? undefined : await readSecret(secretFile);
  return {
    hooks: options.hook.map((program) => programHook(program, kinds)),
    webhooks: secret ? options.webhook.map((url) => ({ url, secret, kinds })) : [],
  };
}

function protocolOf(url: string): string {
  try {
    return new URL(url).protocol;
  } catch {
    return '';
  }
}

/** White space at both ends does not count: editors leave a line end. */
async function readSecret(file: string): Promise<Uint8Array> {
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new CommandError(ExitCode.Failed, `cannot read the secret ${file}: ${code}`, { cause: error });
  }
  const secret = Buffer.from(text);
  if (secret.length < MIN_SECRET_BYTES)
    throw new CommandError(ExitCode.Failed, `the secret ${file} is shorter than ${MIN_SECRET_BYTES} bytes`);
  return secret;
}
