import type { ServerStats } from './server-stats.js';
import { figureAt, figuresAt } from './server-stats.js';

/** A budget, and what is used of it. */
export interface Budget {
  readonly name: string;
  readonly used: number;
  readonly limit: number;
  /** The most that was used. */
  readonly peak?: number;
  readonly unit: 'count' | 'bytes';
  readonly hint: string;
}

/** What the overview shows of the statistics. What the server does not tell is missing. */
export interface ServerFigures {
  readonly uptimeMs: number;
  readonly node: string;
  readonly connections: number;
  readonly maxConnections: number | undefined;
  readonly waiting: number;
  readonly accepted: number;
  readonly refused: number;
  readonly transfers: number;
  readonly rss: number | undefined;
  readonly memoryLimit: number | undefined;
  readonly isReadOnly: boolean;
  readonly loop: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly protocols: readonly (readonly [string, number])[];
  /** Reasons for which newcomers were refused, the most frequent first. */
  readonly refusedBy: readonly (readonly [string, number])[];
  /** Reasons of closes, likewise. */
  readonly closed: readonly (readonly [string, number])[];
  readonly admission: readonly Budget[];
  readonly memory: readonly Budget[];
  readonly droppedMessages: number;
  readonly partials: number;
  readonly partialBytes: number;
}

export function figuresOf(stats: ServerStats): ServerFigures {
  const now = figureAt(stats, 'connections', 'now') ?? 0;
  const maxConnections = figureAt(stats, 'connections', 'max');
  return {
    uptimeMs: figureAt(stats, 'uptimeMs') ?? 0,
    node: typeof stats['node'] === 'string' ? stats['node'] : '',
    connections: now,
    maxConnections,
    waiting: figureAt(stats, 'connections', 'waiting') ?? 0,
    accepted: figureAt(stats, 'connections', 'accepted') ?? 0,
    refused: figureAt(stats, 'connections', 'refused') ?? 0,
    transfers: figureAt(stats, 'transfers') ?? 0,
    rss: figureAt(stats, 'memory', 'rss'),
    memoryLimit: figureAt(stats, 'memory', 'ceiling', 'limit'),
    isReadOnly: stats['isReadOnly'] === true,
    loop: {
      p50: figureAt(stats, 'eventLoopDelayMs', 'p50') ?? 0,
      p99: figureAt(stats, 'eventLoopDelayMs', 'p99') ?? 0,
      max: figureAt(stats, 'eventLoopDelayMs', 'max') ?? 0,
    },
    protocols: byCount(figuresAt(stats, 'connections', 'protocols')),
    refusedBy: byCount(figuresAt(stats, 'connections', 'refusedBy')),
    closed: byCount(figuresAt(stats, 'connections', 'closed')),
    admission: admissionBudgets(stats),
    memory: memoryBudgets(stats),
    droppedMessages: figureAt(stats, 'messages', 'dropped') ?? 0,
    partials: figureAt(stats, 'staging', 'partials') ?? 0,
    partialBytes: figureAt(stats, 'staging', 'parkedBytes') ?? 0,
  };
}

function admissionBudgets(stats: ServerStats): Budget[] {
  const now = figureAt(stats, 'connections', 'now') ?? 0;
  const maxConnections = figureAt(stats, 'connections', 'max');
  const maxUnestablished = figureAt(stats, 'connections', 'maxUnestablished');
  const maxWaiting = figureAt(stats, 'connections', 'maxWaiting');
  const descriptors = figureAt(stats, 'descriptors', 'limit');
  return [
    ...budget('Connections', now, maxConnections, 'count', 'served at once; --max-connections'),
    ...budget(
      'Not yet clients',
      figureAt(stats, 'connections', 'unestablished') ?? 0,
      maxUnestablished,
      'count',
      'connected, but without a login or a request so far; --max-unestablished',
    ),
    ...budget(
      'Waiting for a place',
      figureAt(stats, 'connections', 'waiting') ?? 0,
      maxWaiting,
      'count',
      'admitted as soon as another connection ends; --max-waiting',
    ),
    ...budget(
      'Descriptors',
      figureAt(stats, 'descriptors', 'used') ?? 0,
      descriptors,
      'count',
      'sockets and files that the process holds; ulimit -n',
    ),
  ];
}

const MEMORY_HINTS: Readonly<Record<string, string>> = {
  receive: 'frames that are not complete yet',
  send: 'answers that wait for peers to read',
  work: 'requests that are being worked on',
};

function memoryBudgets(stats: ServerStats): Budget[] {
  const names = ['receive', 'send', 'work'] as const;
  return names.flatMap((name) => {
    const at = (field: string): number | undefined => figureAt(stats, 'memory', 'ceiling', 'budgets', name, field);
    const [found] = budget(
      `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`,
      at('used') ?? 0,
      at('limit'),
      'bytes',
      MEMORY_HINTS[name] ?? '',
    );
    const peak = at('peak');
    return found ? [{ ...found, ...(peak !== undefined && { peak }) }] : [];
  });
}

function budget(name: string, used: number, limit: number | undefined, unit: Budget['unit'], hint: string): Budget[] {
  return limit === undefined || limit <= 0 ? [] : [{ name, used, limit, unit, hint }];
}

function byCount(figures: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(figures).sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
}

/** How near a budget is to its limit. */
export function pressureOf({ used, limit }: Pick<Budget, 'used' | 'limit'>): 'low' | 'high' | 'full' {
  const share = used / limit;
  return share >= 0.9 ? 'full' : share >= 0.7 ? 'high' : 'low';
}
