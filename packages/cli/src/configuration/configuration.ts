import type { Invocation } from '../command.js';
import { CommandError, usageError } from '../command-error.js';
import { type Parsed, readArguments, resolveValue } from '../options/option-parser.js';
import type { OptionTable, OptionValues } from '../options/option-table.js';
import { nearestName } from '../options/suggestion.js';
import { readConfigFile } from './config-file.js';

/** In front of the name of an option, in capitals and with `_` for `-`. Variables of the other commands begin otherwise. */
const PREFIX = 'SLUICE_SERVE_';

/** An option, and where it comes from. */
export interface Setting {
  readonly name: string;
  /** As on a command line; `undefined` for the default. */
  readonly texts: readonly string[] | undefined;
  /** `default`, `sluice.toml:3`, `SLUICE_SERVE_ROOT` or `--root`. */
  readonly origin: string;
}

export interface Configuration<T extends OptionTable> {
  readonly invocation: Invocation<T>;
  /** In the order of the table. */
  readonly settings: readonly Setting[];
  /** All that is wrong, one line each; then the values are not to be used. */
  readonly problems: readonly string[];
}

/**
 * Options of the command line, of the environment and of a file, in that order of precedence.
 *
 * @throws {CommandError} exit code 2 for a command line that cannot be read; everything else is in `problems`
 */
export function configure<T extends OptionTable>(
  table: T,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Configuration<T> {
  const { given, operands } = readArguments(table, argv);
  const problems = unknownVariables(table, environment);
  const file = given.get('config')?.at(-1) ?? environment[variableOf('config')];
  const fromFile = file === undefined ? undefined : readConfigFile(file, table);
  problems.push(...(fromFile?.problems ?? []));
  const options: Record<string, Parsed> = {};
  const settings: Setting[] = [];
  for (const [name, option] of Object.entries(table)) {
    const isList = option.kind === 'choices' || (option.kind === 'string' && option.repeatable === true);
    const variable = environment[variableOf(name)];
    const inFile = fromFile?.settings.get(name);
    let setting: Setting = { name, texts: undefined, origin: 'default' };
    if (given.has(name)) setting = { name, texts: given.get(name), origin: `--${name}` };
    else if (variable !== undefined) {
      const texts = isList
        ? variable.split(option.kind === 'choices' ? /[,\n]/ : '\n').filter((text) => text !== '')
        : [variable];
      setting = { name, texts, origin: variableOf(name) };
      if (option.kind === 'flag') {
        if (!/^(true|false|1|0|yes|no)$/.test(variable))
          problems.push(`${variableOf(name)} cannot be used: give true or false`);
        setting = { name, texts: /^(true|1|yes)$/.test(variable) ? [''] : undefined, origin: variableOf(name) };
      }
    } else if (inFile) setting = { name, texts: inFile.texts, origin: `${file}:${inFile.line}` };
    settings.push(setting);
    const label =
      setting.origin.startsWith('--') || setting.origin.startsWith(PREFIX)
        ? setting.origin
        : `${setting.origin}: ${name}`;
    try {
      options[name] = resolveValue(label, option, setting.texts);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      problems.push(error.message);
    }
  }
  const named = settings.filter(({ origin }) => origin !== 'default').map(({ name }) => name);
  return { invocation: { options: options as OptionValues<T>, operands, given: new Set(named) }, settings, problems };
}

/** As `configure`. @throws {CommandError} exit code 2, with the first thing that is wrong */
export function configured<T extends OptionTable>(
  table: T,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Invocation<T> {
  const { invocation, problems } = configure(table, argv, environment);
  const [first, ...others] = problems;
  if (first === undefined) return invocation;
  const more = others.length === 0 ? '' : ` (${others.length} more: sluice config check lists all)`;
  throw usageError(`${first}${more}`);
}

function variableOf(name: string): string {
  return PREFIX + name.replaceAll('-', '_').toUpperCase();
}

function unknownVariables(table: OptionTable, environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Map(Object.keys(table).map((name) => [variableOf(name), name]));
  return Object.keys(environment)
    .filter((variable) => variable.startsWith(PREFIX) && !known.has(variable))
    .sort()
    .map((variable) => {
      const nearest = nearestName(variable, [...known.keys()]);
      return `unknown variable ${variable}: ${nearest ? `did you mean ${nearest}?` : 'see sluice help serve'}`;
    });
}
