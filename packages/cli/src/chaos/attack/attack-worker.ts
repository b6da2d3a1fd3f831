// The thread in which attackers run, so that what they cost does not delay the probes. Started by attack-thread.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { AttackField } from './attack-field.js';
import type { AttackOrder } from './attack-thread.js';
import { attackers } from './attackers/all.js';
import type { Dialect } from './dialects/dialect.js';
import { httpDialect } from './dialects/http-dialect.js';
import { rawDialect } from './dialects/raw-dialect.js';
import { sluiceDialect } from './dialects/sluice-dialect.js';

const { suite, target, connections, sources, dialect, request } = workerData as AttackOrder;
const attack = new AbortController();
parentPort!.once('message', () => attack.abort());
const field = new AttackField({ target, connections, sources, dialect: dialectOf(), signal: attack.signal });
parentPort!.postMessage('begins');
await attackers[suite].play(field);
parentPort!.postMessage(await field.finish());
parentPort!.close();

function dialectOf(): Dialect {
  if (dialect === 'sluice') return sluiceDialect;
  if (dialect === 'http') return httpDialect;
  return rawDialect(request && Buffer.from(request));
}
