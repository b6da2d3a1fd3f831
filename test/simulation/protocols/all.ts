import type { SimulatedProtocol } from '@sluice/testkit';
import { echo } from './echo.js';
import { ledger } from './ledger.js';
import { sluice } from './sluice.js';

/** What `npm run simulate` runs, by name. */
export const PROTOCOLS: ReadonlyMap<string, SimulatedProtocol> = new Map(
  [echo, ledger, sluice].map((protocol) => [protocol.name, protocol]),
);
