import type { Contender } from '../contenders/contender.js';
import { limitWithLoad } from '../contenders/limit.js';
import { sluiceWithLoad } from '../contenders/sluice.js';
import { measure } from '../measure.js';
import type { Quantity, Readings } from '../quantities.js';
import type { ReadingContext, ReadingsScenario } from '../readings.js';
import type { Direction } from '../scenarios.js';
import { Scratch } from '../scratch.js';

const PACKETS_KIB = [1, 4, 16, 64, 256, 1024] as const;
const TRANSFERS = [1, 16, 64, 256] as const;
const LIMIT_PACKET_KIB = 64;
/** Of all transfers of a cell together. */
const CELL_BYTES = 64 * 1024 ** 2;

/** What the original's authors have published as their best, with 256 transfers, in MB/s. Of the other cells no figures are known here. */
const PUBLISHED_BEST: Readonly<Record<Direction, number>> = { upload: 190, download: 258 };

/** The original's own measurement: packets of each size by so many transfers at once. */
export const GRID_SCENARIOS: readonly ReadingsScenario[] = (['upload', 'download'] as const).map((direction) => ({
  kind: 'readings',
  name: direction === 'upload' ? 'grid-up' : 'grid-down',
  description: `${direction} in MB/s by packet size, with 1 to 256 transfers at once of ${CELL_BYTES >> 20} MiB in all`,
  quantities: TRANSFERS.map(quantityOf),
  subjects: [
    ...PACKETS_KIB.map((packetKib) => subjectOf(sluiceWithLoad(packetKib), direction)),
    subjectOf(limitWithLoad(LIMIT_PACKET_KIB), direction),
  ],
  note: `The original has published ${PUBLISHED_BEST[direction]} MB/s as its best, with 256 transfers, on its own machine.`,
}));

function subjectOf(contender: Contender, direction: Direction) {
  const { name, description, unavailable } = contender;
  return {
    name,
    description,
    ...(unavailable === undefined ? {} : { unavailable }),
    measure: async ({ scratch: given }: ReadingContext): Promise<Readings> => {
      using scratch = new Scratch(CELL_BYTES, given.given);
      const readings: Record<string, number> = {};
      for (const connections of TRANSFERS) {
        scratch.serve(direction === 'download' ? connections : 0);
        const scenario = { kind: 'transfer', name: 'grid', direction, connections } as const;
        const sample = await measure(contender, scenario, CELL_BYTES, scratch);
        readings[quantityOf(connections).name] = sample.bytes / sample.seconds / 1e6;
      }
      return readings;
    },
  };
}

function quantityOf(transfers: number): Quantity {
  return { name: transfers === 1 ? 'MB/s with 1' : `with ${transfers}`, better: 'more', digits: 0 };
}
