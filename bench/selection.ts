import { CONTENDERS, READERS, TREE_MOVERS } from './contenders/all.js';
import type { Contender } from './contenders/contender.js';
import type { Reader } from './contenders/reader.js';
import type { TreeMover } from './contenders/tree-mover.js';
import type { ReadingsScenario, Subject } from './readings.js';
import { DASHBOARDS_SCENARIO } from './scenarios/dashboards.js';
import { GATEWAY_SCENARIOS } from './scenarios/gateway.js';
import { GRID_SCENARIOS } from './scenarios/grid.js';
import { CONNECTION_SCENARIOS } from './scenarios/many-connections.js';
import { MESSAGE_SCENARIOS } from './scenarios/messages.js';
import { MICRO_SCENARIO } from './scenarios/micro.js';
import { PACKAGE_SIZE_SCENARIO } from './scenarios/package-size.js';
import { STALLED_DISK_SCENARIO } from './scenarios/stalled-disk.js';
import { START_UP_SCENARIO } from './scenarios/start-up.js';
import { TLS_SCENARIOS } from './scenarios/tls.js';
import { WORKERS_SCENARIO } from './scenarios/workers.js';
import { FILE_SCENARIOS, type Scenario } from './scenarios.js';

/** In the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  ...MESSAGE_SCENARIOS,
  WORKERS_SCENARIO,
  STALLED_DISK_SCENARIO,
  DASHBOARDS_SCENARIO,
  ...CONNECTION_SCENARIOS,
  ...FILE_SCENARIOS,
  ...GRID_SCENARIOS,
  ...TLS_SCENARIOS,
  ...GATEWAY_SCENARIOS,
  START_UP_SCENARIO,
  PACKAGE_SIZE_SCENARIO,
  MICRO_SCENARIO,
];

export interface Selection {
  readonly scenarios: readonly Scenario[];
  /** Of a scenario, in the order of its table. */
  contendersOf(scenario: Scenario): readonly (Contender | Reader | TreeMover | Subject)[];
  subjectsOf(scenario: ReadingsScenario): readonly Subject[];
  readonly contenders: readonly Contender[];
  readonly readers: readonly Reader[];
  readonly treeMovers: readonly TreeMover[];
}

/**
 * What is run when the user has named scenarios or contenders; all when nothing is named. Who names contenders only wants the scenarios in
 * which they are.
 *
 * @throws {Error} with one line for the user when a name is unknown
 */
export function select(only: readonly string[]): Selection {
  const isNamed = ({ name }: { name: string }) => only.includes(name);
  const pick = <T extends { name: string }>(items: readonly T[]): readonly T[] =>
    items.some(isNamed) ? items.filter(isNamed) : items;
  const all = (scenario: Scenario): readonly (Contender | Reader | TreeMover | Subject)[] => {
    if (scenario.kind === 'transfer') return CONTENDERS;
    if (scenario.kind === 'random-reads') return READERS;
    return scenario.kind === 'small-files' ? TREE_MOVERS : scenario.subjects;
  };
  const everyone = SCENARIOS.flatMap(all);
  const known = new Set([...SCENARIOS, ...everyone].map(({ name }) => name));
  const unknown = only.find((name) => !known.has(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: expected one of ${[...known].join(', ')}`);
  const namesScenarios = SCENARIOS.some(isNamed);
  const namesContenders = everyone.some(isNamed);
  return {
    scenarios: pick(SCENARIOS).filter((scenario) => namesScenarios || !namesContenders || all(scenario).some(isNamed)),
    contendersOf: (scenario) => pick(all(scenario)),
    subjectsOf: ({ subjects }) => pick(subjects),
    contenders: pick(CONTENDERS),
    readers: pick(READERS),
    treeMovers: pick(TREE_MOVERS),
  };
}
