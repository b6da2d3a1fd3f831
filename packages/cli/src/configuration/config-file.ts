import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import type { Option, OptionTable } from '../options/option-table.js';
import { nearestName } from '../options/suggestion.js';
import { systemReason } from './system-reason.js';

/** What a file says about one option. */
export interface FileSetting {
  /** As on a command line; `undefined` for a flag that is false. */
  readonly texts: readonly string[] | undefined;
  readonly line: number;
}

export interface ConfigFile {
  readonly settings: ReadonlyMap<string, FileSetting>;
  /** One line each, with file and line. */
  readonly problems: readonly string[];
}

/** Reads a TOML file whose keys are the names of options. Everything that is wrong is reported, not only the first. */
export function readConfigFile(file: string, table: OptionTable): ConfigFile {
  const settings = new Map<string, FileSetting>();
  const problems: string[] = [];
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return { settings, problems: [`${file}: cannot be read: ${systemReason(error)}`] };
  }
  let content: Readonly<Record<string, unknown>>;
  try {
    content = parse(text, { integersAsBigInt: 'asNeeded' });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.replace(/^Invalid TOML document: /, '').split('\n')[0];
    return { settings, problems: [`${file}:${error.line}: is no TOML: ${what}`] };
  }
  for (const [key, value] of Object.entries(content)) {
    const line = lineOf(text, key);
    const option = key === 'config' ? undefined : table[key];
    if (!option) {
      const names = Object.keys(table).filter((name) => name !== 'config');
      const nearest = key === 'config' ? undefined : nearestName(key, names);
      problems.push(
        `${file}:${line}: unknown option ${key}: ${nearest ? `did you mean ${nearest}?` : 'see sluice help serve'}`,
      );
      continue;
    }
    const texts = textsOf(option, value);
    if (texts === 'wrong') problems.push(`${file}:${line}: ${key} cannot be used: give ${acceptedBy(option)}`);
    else settings.set(key, { texts, line });
  }
  return { settings, problems };
}

function textsOf(option: Option, value: unknown): readonly string[] | undefined | 'wrong' {
  if (option.kind === 'flag') return typeof value === 'boolean' ? (value ? [''] : undefined) : 'wrong';
  const isList = option.kind === 'choices' || (option.kind === 'string' && option.repeatable === true);
  if (isList && Array.isArray(value))
    return value.every((each) => typeof each === 'string') ? (value as string[]) : 'wrong';
  if (typeof value === 'string') return [value];
  const isNumber = option.kind === 'integer' || option.kind === 'duration' || option.kind === 'bytes';
  return isNumber && (typeof value === 'bigint' || Number.isInteger(value)) ? [String(value)] : 'wrong';
}

function acceptedBy(option: Option): string {
  switch (option.kind) {
    case 'flag':
      return 'true or false';
    case 'integer':
      return 'a number';
    case 'duration':
      return 'a time like "6s", or milliseconds';
    case 'bytes':
      return 'a size like "64MiB", or bytes';
    case 'choices':
      return 'a list of texts';
    case 'string':
      return option.repeatable ? 'a text, or a list of texts' : 'a text';
    default:
      return 'a text';
  }
}

/** Where a key stands. Keys of this file are plain names, so a line that begins with one and `=`, or its header, is it. */
function lineOf(text: string, key: string): number {
  const index = text.split('\n').findIndex((line) => {
    const [, name] = /^\s*\[{0,2}\s*["']?([\w-]+)["']?\s*(?:[=.\]]|$)/.exec(line) ?? [];
    return name === key;
  });
  return index + 1;
}
