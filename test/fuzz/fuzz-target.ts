import type { RandomSource } from '@sluice/testkit';

/** Something that takes what strangers say. Inputs are plain values, so that they can be kept as JSON. */
export interface FuzzTarget<T> {
  readonly name: string;
  /** An input that is mostly as it should be. */
  generate(random: RandomSource): T;
  /** The input, changed a little. */
  mutate(input: T, random: RandomSource): T;
  /**
   * Takes the input.
   *
   * @returns what kind of thing came of it: inputs of a new kind are kept and changed further
   * @throws when something does not hold
   */
  run(input: T): string | Promise<string>;
  /** The parts of an input that may be left out, and the input of a part of them: for shrinking. */
  split(input: T): readonly unknown[];
  join(parts: readonly unknown[], input: T): T;
  open?(): Promise<void>;
  close?(): Promise<void>;
}

/** Of any input; the runner does not look inside. */
export type AnyFuzzTarget = FuzzTarget<never>;
