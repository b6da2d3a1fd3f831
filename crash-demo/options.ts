import { parseArgs } from 'node:util';

export interface DemoOptions {
  readonly json: boolean;
  /** Names of contenders and faults; empty for all. */
  readonly only: readonly string[];
  /** Say what clients said. */
  readonly verbose: boolean;
}

export const USAGE = `usage: npm run crash-demo -- [--only NAME]... [--json] [--verbose]
  --only     a contender or a fault; may be repeated or hold several names with commas
  --json     one JSON object per line on standard output
  --verbose  what the clients said last, on standard error`;

/** @throws {Error} with one line for the user when an argument is unknown */
export function readDemoOptions(args: string[]): DemoOptions | 'help' {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      verbose: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return 'help';
  const only = (values.only ?? []).flatMap((names) => names.split(',')).map((name) => name.trim());
  return { json: values.json ?? false, verbose: values.verbose ?? false, only: only.filter((name) => name !== '') };
}
