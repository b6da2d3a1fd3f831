import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { plainHttp } from './contenders/plain-http.js';
import { READ_BYTES } from './contenders/reader.js';
import { rsync } from './contenders/rsync.js';
import { ssh2Reader } from './contenders/ssh2-reader.js';
import { TREE_FILE_BYTES } from './contenders/tree-mover.js';
import type { MachineFacts } from './machine.js';
import { benchDirectory } from './repository.js';
import type { Scenario } from './scenarios.js';
import { type Ratios, type Row, ratiosTo, type Summary } from './summary.js';
import { formatTable } from './table.js';

export interface ScenarioResult {
  readonly scenario: Scenario;
  readonly rows: readonly Row[];
}

export interface BenchResult {
  readonly machine: MachineFacts;
  readonly loadProgram: string;
  readonly filesInMemory: boolean;
  readonly sizeBytes: number;
  readonly rounds: number;
  readonly scenarios: readonly ScenarioResult[];
}

const HEADER = [
  'contender',
  'MB/s',
  'spread',
  'server CPU s/GB',
  'server peak MB',
  'client CPU s/GB',
  'login s',
  'other cores',
  'speed:http',
  'CPU:http',
  'speed:limit',
  'CPU:limit',
];

const READS_HEADER = [
  'contender',
  'reads/s',
  'spread',
  'server CPU µs/read',
  'client CPU µs/read',
  'server peak MB',
  'other cores',
  'rate:sftp',
];

const TREES_HEADER = [
  'contender',
  'files/s',
  'spread',
  'synced',
  'server CPU µs/file',
  'client CPU µs/file',
  'server peak MB',
  'other cores',
  'rate:rsync',
];

export function scenarioTable({ scenario, rows }: ScenarioResult): string {
  if (scenario.kind === 'transfer') return transferTable(rows);
  return scenario.kind === 'random-reads' ? readsTable(rows) : treesTable(rows);
}

function treesTable(rows: readonly Row[]): string {
  const reference = rows.find(({ contender }) => contender === rsync.name)?.summary;
  return formatTable(
    TREES_HEADER,
    rows.map(({ contender, synced, summary, missing }) => {
      if (summary === null) return [contender, missing ?? ''];
      const usPerFile = (secondsPerGb: number) => ((secondsPerGb * TREE_FILE_BYTES) / 1e3).toFixed(0);
      return [
        contender,
        ((summary.mbPerSecond * 1e6) / TREE_FILE_BYTES).toFixed(0),
        `${(summary.spread * 100).toFixed(0)} %`,
        synced ?? '-',
        usPerFile(summary.serverCpuSecondsPerGb),
        usPerFile(summary.clientCpuSecondsPerGb),
        summary.serverPeakMb.toFixed(0),
        summary.otherBusyCores.toFixed(1),
        ratiosTo(reference, summary)?.speed.toFixed(2) ?? '-',
      ];
    }),
  );
}

function readsTable(rows: readonly Row[]): string {
  const sftp = rows.find(({ contender }) => contender === ssh2Reader.name)?.summary;
  return formatTable(
    READS_HEADER,
    rows.map(({ contender, summary, missing }) => {
      if (summary === null) return [contender, missing ?? ''];
      const usPerRead = (secondsPerGb: number) => ((secondsPerGb * READ_BYTES) / 1e3).toFixed(1);
      return [
        contender,
        ((summary.mbPerSecond * 1e6) / READ_BYTES).toFixed(0),
        `${(summary.spread * 100).toFixed(0)} %`,
        usPerRead(summary.serverCpuSecondsPerGb),
        usPerRead(summary.clientCpuSecondsPerGb),
        summary.serverPeakMb.toFixed(0),
        summary.otherBusyCores.toFixed(1),
        ratiosTo(sftp, summary)?.speed.toFixed(2) ?? '-',
      ];
    }),
  );
}

function transferTable(rows: readonly Row[]): string {
  return formatTable(
    HEADER,
    rows.map((row) => {
      if (row.summary === null) return [row.contender, row.missing ?? ''];
      const { http, limit: toLimit } = ratiosOf(row, rows);
      return [row.contender, ...figureCells(row.summary), ...ratioCells(http), ...ratioCells(toLimit)];
    }),
  );
}

/** Writes bench/results/latest.json; returns its path. */
export function writeResult(result: BenchResult): string {
  const scenarios = result.scenarios.map(({ scenario, rows }) => ({
    ...scenario,
    rows: rows.map((row) => ({ ...row, ratios: ratiosOf(row, rows) })),
  }));
  const file = path.join(benchDirectory, 'results', 'latest.json');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...result, scenarios }, null, 2)}\n`);
  return file;
}

function ratiosOf(row: Row, rows: readonly Row[]): { http: Ratios | null; limit: Ratios | null } {
  const to = (name: string) => ratiosTo(rows.find(({ contender }) => contender === name)?.summary, row.summary);
  return { http: to(plainHttp.name), limit: row.limitName === undefined ? null : to(row.limitName) };
}

function figureCells(summary: Summary): string[] {
  return [
    summary.mbPerSecond.toFixed(0),
    `${(summary.spread * 100).toFixed(0)} %`,
    summary.serverCpuSecondsPerGb.toFixed(2),
    summary.serverPeakMb.toFixed(0),
    summary.clientCpuSecondsPerGb.toFixed(2),
    summary.setupSeconds === null ? '-' : summary.setupSeconds.toFixed(3),
    summary.otherBusyCores.toFixed(1),
  ];
}

function ratioCells(ratios: Ratios | null): string[] {
  return ratios === null ? ['-', '-'] : [ratios.speed.toFixed(2), ratios.cpu.toFixed(2)];
}
