import type { ConnectionPool } from './connection-pool.js';
import type { ResolvedConnectOptions } from './options.js';

/** What every transfer of a client works with. */
export interface TransferContext {
  readonly pool: ConnectionPool;
  readonly options: ResolvedConnectOptions;
  /** Of this call. */
  readonly signal: AbortSignal;
}
