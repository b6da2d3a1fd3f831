import type { OptionTable, OptionValues } from './options/option-table.js';

export interface Invocation<T extends OptionTable> {
  /** Every option of the table, with its default if it was not given. */
  readonly options: OptionValues<T>;
  /** What is not an option, in order. */
  readonly operands: readonly string[];
  /** Names of the options that the command line has: tells a default from the same value given. */
  readonly given: ReadonlySet<string>;
}

export interface Example {
  readonly line: string;
  readonly purpose: string;
}

/**
 * A subcommand. The definition is loaded for every start of `sluice`, so its file imports nothing heavy: `run` imports
 * what does the work.
 */
export interface CommandDefinition<T extends OptionTable = OptionTable> {
  readonly name: string;
  /** One clause, without a full stop. */
  readonly summary: string;
  /** What follows `sluice NAME [options]`. */
  readonly usage: string;
  /** Paragraphs of help that neither the summary nor the options can say. */
  readonly notes?: readonly string[];
  readonly options: T;
  readonly examples: readonly Example[];
  /** Whether its options also come from the environment and a file. */
  readonly isConfigurable?: true;
  /** In place of `run`, for a command that reads its options itself. */
  runWith?(argv: readonly string[]): Promise<number>;
  /** @returns an exit code @throws {CommandError} */
  run(invocation: Invocation<T>): Promise<number>;
}

/** Gives `run` the types of its own table. */
export function defineCommand<const T extends OptionTable>(definition: CommandDefinition<T>): CommandDefinition<T> {
  return definition;
}
