import { RandomSource } from './random-source.js';
import { shrinkList } from './shrink-list.js';
import type { SimulatedProtocol } from './simulated-protocol.js';
import { type RunCounts, Simulation } from './simulation.js';
import { randomSteps, type Step } from './step.js';
import { Violation } from './violation.js';

export interface SimulateOptions {
  readonly protocol: SimulatedProtocol;
  /** Decides everything that `steps` does not: links, delays, the order of what happens at the same time, and without them the steps too. */
  readonly seed: number;
  /** What happens. @default as the seed says */
  readonly steps?: readonly Step[];
  /** How many steps the seed makes. @default 60 */
  readonly stepCount?: number;
}

export interface SimulationReport extends RunCounts {
  readonly seed: number;
  readonly steps: readonly Step[];
  /** The same for the same seed and steps. */
  readonly digest: string;
}

const STEPS = 60;

/** Runs of a failing scenario that shrinking may take. */
const MAX_SHRINKING_RUNS = 600;

/** Purpose that the seed is divided for. */
const SCENARIO = 3;

/** A scenario in which something that must hold did not. The same seed and steps fail again, in the same way. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError';
  readonly protocol: string;
  readonly seed: number;
  readonly steps: readonly Step[];
  /** What did not hold, by name. */
  readonly invariant: string;
  /** What happened last, one line each: milliseconds, and what. */
  readonly trace: readonly string[];

  constructor(protocol: string, seed: number, steps: readonly Step[], violation: Violation, trace: readonly string[]) {
    super(`${protocol}, seed ${seed}, ${steps.length} steps: ${violation.message}`, { cause: violation });
    this.protocol = protocol;
    this.seed = seed;
    this.steps = steps;
    this.invariant = violation.invariant;
    this.trace = trace;
  }

  /** The scenario as a call that fails, to be pasted into a test. `protocol` stands for the protocol's own name in the code. */
  get asCode(): string {
    const steps = this.steps.map((step) => `    ${literal(step)},\n`).join('');
    return `await simulate({\n  protocol,\n  seed: ${this.seed},\n  steps: [\n${steps}  ],\n});`;
  }
}

/**
 * Lets a scenario happen to a protocol, on a clock, a network and random numbers that only the seed decides, and checks what must hold: one
 * close for each connection, calls one at a time and none after the end, bytes in order, requests answered, and in the end no connection, no
 * socket, no timer and no queued byte left. Runs one at a time.
 *
 * @throws {SimulationError} when something does not hold
 */
export async function simulate({
  protocol,
  seed,
  steps,
  stepCount = STEPS,
}: SimulateOptions): Promise<SimulationReport> {
  const simulation = new Simulation(protocol, seed);
  const given = steps ?? randomSteps(new RandomSource(seed).fork(SCENARIO), stepCount, simulation.actions);
  try {
    const counts = await simulation.run(given);
    return { ...counts, seed, steps: given, digest: simulation.trace.digest };
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    throw new SimulationError(protocol.name, seed, given, error, simulation.trace.lines);
  }
}

/** Looks for the shortest list of steps that breaks the same invariant. @returns the error of that */
export async function shrinkFailure(protocol: SimulatedProtocol, failure: SimulationError): Promise<SimulationError> {
  let shortest = failure;
  await shrinkList(
    failure.steps,
    async (steps) => {
      const found = await failureOf({ protocol, seed: failure.seed, steps });
      if (found?.invariant !== failure.invariant) return false;
      shortest = found;
      return true;
    },
    MAX_SHRINKING_RUNS,
  );
  return shortest;
}

/**
 * As `simulate`, for who goes on after a failure.
 *
 * @param onReport told of a run in which everything held
 * @returns how the scenario fails, if it does
 */
export async function failureOf(
  options: SimulateOptions,
  onReport?: (report: SimulationReport) => void,
): Promise<SimulationError | undefined> {
  try {
    const report = await simulate(options);
    onReport?.(report);
    return undefined;
  } catch (error) {
    if (error instanceof SimulationError) return error;
    throw error;
  }
}

function literal(step: Step): string {
  const fields = Object.entries(step).map(
    ([key, value]) => `${key}: ${typeof value === 'string' ? `'${value}'` : value}`,
  );
  return `{ ${fields.join(', ')} }`;
}
