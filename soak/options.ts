import { parseArgs } from 'node:util';

export const USAGE = [
  'usage: npm run soak -- [--hours N | --minutes N] [--seed N] [--json FILE]',
  '       npm run soak -- --cycles N [--seed N] [--json FILE]',
  '       npm run soak -- --slowloris N [--clients N] [--deadline SECONDS] [--min-share PERCENT] [--json FILE]',
].join('\n');

export interface SoakOptions {
  readonly mode: 'soak' | 'cycles' | 'slowloris';
  /** Of a soak. */
  readonly minutes: number;
  /** Connections that come and vanish, or attackers. */
  readonly count: number;
  readonly seed: number;
  /** Honest clients during an attack. */
  readonly clients: number;
  /** The server's deadline for a login and for a packet; its own defaults without it. */
  readonly deadlineSeconds: number | undefined;
  /** Percent of their undisturbed rate that honest clients must keep. */
  readonly minSharePercent: number;
  /** Where all figures go, as JSON. */
  readonly json: string | undefined;
}

/** @throws {Error} that says what cannot be used */
export function soakOptions(argv: readonly string[]): SoakOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      hours: { type: 'string' },
      minutes: { type: 'string' },
      cycles: { type: 'string' },
      slowloris: { type: 'string' },
      clients: { type: 'string' },
      deadline: { type: 'string' },
      'min-share': { type: 'string' },
      seed: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const number = (name: keyof typeof values, fallback: number, least = 0): number => {
    const value = values[name] === undefined ? fallback : Number(values[name]);
    if (!Number.isFinite(value) || value < least) throw new Error(`--${name} takes a number, ${least} or more`);
    return value;
  };
  const { cycles, slowloris } = values;
  if (cycles !== undefined && slowloris !== undefined) throw new Error('--cycles and --slowloris: one of them');
  const mode = cycles !== undefined ? 'cycles' : slowloris !== undefined ? 'slowloris' : 'soak';
  return {
    mode,
    minutes: number('minutes', number('hours', 1 / 6) * 60),
    count: Math.floor(number(mode === 'slowloris' ? 'slowloris' : 'cycles', 1, 1)),
    seed: Math.floor(number('seed', Math.floor(Math.random() * 1e9))),
    clients: Math.floor(number('clients', 50, 1)),
    deadlineSeconds: values.deadline === undefined ? undefined : number('deadline', 30, 1),
    minSharePercent: number('min-share', 50),
    json: values.json,
  };
}
