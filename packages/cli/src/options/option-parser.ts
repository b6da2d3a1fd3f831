import { parseArgs } from 'node:util';
import type { Invocation } from '../command.js';
import { usageError } from '../command-error.js';
import { parseAddress } from './address.js';
import type { Option, OptionTable, OptionValues } from './option-table.js';
import { bytesText, durationText, parseBytes, parseDuration } from './quantities.js';
import { nearestName } from './suggestion.js';

/** The value of one option. */
export type Parsed = string | number | boolean | readonly string[] | object | undefined;

/**
 * The last of a repeated option wins, unless it collects. `--` ends the options; `-` is an operand.
 *
 * @throws {CommandError} exit code 2, naming the option and what it takes
 */
export function parseOptions<T extends OptionTable>(table: T, argv: readonly string[]): Invocation<T> {
  const { given, operands } = readArguments(table, argv);
  const options: Record<string, Parsed> = {};
  for (const [name, option] of Object.entries(table))
    options[name] = resolveValue(`--${name}`, option, given.get(name));
  return { options: options as OptionValues<T>, operands, given: new Set(given.keys()) };
}

/** What a command line has, as it stands there. @throws {CommandError} exit code 2 for an option that is not in the table, or lacks its value */
export function readArguments(
  table: OptionTable,
  argv: readonly string[],
): { readonly given: ReadonlyMap<string, readonly string[]>; readonly operands: readonly string[] } {
  const { tokens } = parseArgs({
    args: [...argv],
    options: parseArgsTable(table),
    strict: false, // its messages take three lines, and know nothing of similar names
    allowPositionals: true,
    tokens: true,
  });
  const operands: string[] = [];
  const given = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(table, token.name) ? table[token.name] : undefined;
    if (!option) throw unknownOption(table, token.rawName);
    const values = given.get(token.name) ?? [];
    values.push(rawValue(option, token.rawName, token.value, token.inlineValue));
    given.set(token.name, values);
  }
  return { given, operands };
}

function parseArgsTable(table: OptionTable): Record<string, { type: 'boolean' | 'string'; short?: string }> {
  return Object.fromEntries(
    Object.entries(table).map(([name, option]) => [
      name,
      { type: option.kind === 'flag' ? 'boolean' : 'string', ...(option.short && { short: option.short }) } as const,
    ]),
  );
}

function unknownOption(table: OptionTable, rawName: string): Error {
  const nearest = rawName.startsWith('--') ? nearestName(rawName.slice(2), Object.keys(table)) : undefined;
  const hint = nearest ? `did you mean --${nearest}?` : 'see --help for those that exist';
  return usageError(`unknown option ${rawName}: ${hint}`);
}

function rawValue(option: Option, rawName: string, value: string | undefined, inline: boolean | undefined): string {
  if (option.kind === 'flag') {
    if (value !== undefined) throw usageError(`${rawName} takes no value: write it alone`);
    return '';
  }
  if (value === undefined) throw usageError(`${rawName} needs a value: ${rawName} ${option.placeholder}`);
  // `--root --listen x` is a forgotten value far more often than a directory of that name
  if (!inline && value.length > 1 && value.startsWith('-') && rawName.startsWith('--')) {
    throw usageError(`${rawName} needs a value: ${rawName} ${option.placeholder}, or ${rawName}=${value}`);
  }
  return value;
}

/** The value that texts stand for. @param label what messages call the option @throws {CommandError} exit code 2 */
export function resolveValue(label: string, option: Option, given: readonly string[] | undefined): Parsed {
  const last = given?.at(-1);
  switch (option.kind) {
    case 'flag':
      return given !== undefined;
    case 'string':
      return option.repeatable ? (given ?? []) : (last ?? option.default);
    case 'choice':
      if (last !== undefined) requireChoice(label, option, last);
      return last ?? option.default;
    case 'choices':
      for (const value of given ?? []) requireChoice(label, option, value);
      return [...new Set(given)];
    case 'address': {
      const address = parseAddress(last ?? option.default);
      if (!address) throw badValue(label, last ?? option.default, 'HOST:PORT, like 127.0.0.1:9999 or [::1]:9999');
      return address;
    }
    case 'integer':
      return inRange(label, option, last, (text) => (/^\d+$/.test(text) ? Number(text) : undefined), String, '');
    case 'duration':
      return inRange(label, option, last, parseDuration, durationText, ', like 1500 (ms), 6s or 5m');
    case 'bytes':
      return inRange(label, option, last, parseBytes, bytesText, ', like 64KiB or 1G');
  }
}

function requireChoice(label: string, { choices }: { readonly choices: readonly string[] }, value: string): void {
  if (!choices.includes(value))
    throw badValue(label, value, choices.length === 1 ? choices[0]! : `one of ${choices.join(', ')}`);
}

function inRange(
  label: string,
  option: { readonly min: number; readonly max: number; readonly default?: number },
  text: string | undefined,
  parse: (text: string) => number | undefined,
  format: (value: number) => string,
  examples: string,
): number | undefined {
  if (text === undefined) return option.default;
  const value = parse(text);
  if (value === undefined || value < option.min || value > option.max) {
    throw badValue(label, text, `${format(option.min)} to ${format(option.max)}${examples}`);
  }
  return value;
}

function badValue(label: string, value: string, accepted: string): Error {
  return usageError(`${label} ${value || '""'} cannot be used: give ${accepted}`);
}
