import type { SeededRandom } from '../seeded-random.js';
import type { Direction, FaultRule, LanePlan, Mark } from './fault.js';
import { DIRECTIONS } from './fault.js';

export type ConnectionPlan = Readonly<Record<Direction, LanePlan>>;

/** Chooses what one connection has to go through. Of two paces of a kind that both play, the later one counts. */
export function planConnection(rules: readonly FaultRule[], random: SeededRandom): ConnectionPlan {
  const plan = { up: { marks: [] as Mark[] }, down: { marks: [] as Mark[] } };
  for (const { fault, directions, probability } of rules) {
    // drawn whether they are needed or not: a rule more or a probability less changes nothing of the others
    const plays = random.next() < probability;
    const share = random.next();
    const bit = random.between(0, 7);
    if (!plays) continue;
    for (const direction of directions) {
      if ('after' in fault) {
        const { least, most } = fault.after;
        const atBytes = least + Math.floor(share * (most - least + 1));
        plan[direction].marks.push({ kind: fault.kind, atBytes, ms: fault.ms, bit });
      } else {
        Object.assign(plan[direction], { [fault.kind]: fault });
      }
    }
  }
  for (const direction of DIRECTIONS) plan[direction].marks.sort((one, other) => one.atBytes - other.atBytes);
  return plan;
}
